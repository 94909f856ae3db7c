//! Finds a guide's generated regions and replaces what is between their marks. Pure.

/// The marks, as people write them.
const START: &str = "<!-- snippet: NAME -->";
const END: &str = "<!-- /snippet -->";

/// A guide with its regions filled in.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Rendered {
    /// The whole text; of use only when nothing is wrong.
    pub(super) text: String,
    /// Names of the snippets it shows.
    pub(super) used: Vec<String>,
    /// Every line whose mark is not as it must be: its number, and what is wrong.
    pub(super) faults: Vec<(usize, String)>,
}

/// `guide` with every region's body replaced by what `body` gives for its name.
pub(super) fn render(guide: &str, body: impl Fn(&str) -> Option<String>) -> Rendered {
    let mut text = String::with_capacity(guide.len());
    let mut used = vec![];
    let mut faults = vec![];
    let mut open: Option<(usize, &str)> = None;
    for (number, line) in (1..).zip(guide.split_inclusive('\n')) {
        match (mark(line), open) {
            (Mark::None, None) => text.push_str(line),
            // Replaced by the body.
            (Mark::None, Some(_)) => {}
            (Mark::Start(name), _) => {
                if let Some((line, outer)) = open {
                    faults
                        .push((number, format!("`{name}` begins inside `{outer}` of line {line}")));
                }
                open = Some((number, name));
                text.push_str(line);
                match body(name) {
                    Some(body) if has_mark(&body) => {
                        faults.push((number, format!("the snippet `{name}` shows a mark")));
                    }
                    Some(body) => text.push_str(&body),
                    None => faults.push((number, format!("there is no snippet `{name}`"))),
                }
                used.push(name.to_owned());
            }
            (Mark::End, Some(_)) => {
                open = None;
                text.push_str(line);
            }
            (Mark::End, None) => faults.push((number, "an end without a begin".to_owned())),
            (Mark::Broken, _) => {
                let what = format!("a mark stands alone on its line, `{START}` or `{END}`");
                faults.push((number, what));
            }
        }
    }
    if let Some((number, name)) = open {
        faults.push((number, format!("`{name}` has no end, `{END}`")));
    }
    Rendered { text, used, faults }
}

/// Whether a body has a line that would begin or end a region when it is read again.
fn has_mark(body: &str) -> bool {
    body.lines().any(|line| !matches!(mark(line), Mark::None))
}

/// What a line is.
enum Mark<'a> {
    /// Prose, or a line of a region's body.
    None,
    /// The begin of a region.
    Start(&'a str),
    /// The end of a region.
    End,
    /// Nearly a mark.
    Broken,
}

fn mark(line: &str) -> Mark<'_> {
    let Some(rest) = line.trim().strip_prefix("<!--") else { return Mark::None };
    let (inside, closed) = match rest.strip_suffix("-->") {
        Some(inside) => (inside.trim(), true),
        None => (rest.trim_start(), false),
    };
    let is_name = |name: &str| {
        !name.is_empty() && name.bytes().all(|b| b == b'-' || b.is_ascii_alphanumeric())
    };
    match (inside.strip_prefix("snippet:").map(str::trim), closed) {
        (Some(name), true) if is_name(name) => Mark::Start(name),
        (None, true) if inside == "/snippet" => Mark::End,
        (Some(_), _) => Mark::Broken,
        (None, _) if inside.starts_with("/snippet") => Mark::Broken,
        (None, _) => Mark::None,
    }
}

#[cfg(test)]
mod properties;

#[cfg(test)]
mod tests {
    use super::render;

    fn body(name: &str) -> Option<String> {
        match name {
            "none" => None,
            "mark" => Some("<!-- /snippet -->\n".to_owned()),
            _ => Some(format!("the body of {name}\n")),
        }
    }

    fn faults(guide: &str) -> String {
        let rendered = render(guide, body);
        rendered.faults.iter().map(|(line, what)| format!("{line}: {what}\n")).collect()
    }

    #[test]
    fn only_what_is_between_the_marks_changes() {
        let guide = "\
# Title\r
  <!-- a comment -->
<!-- snippet: one -->
old
<!-- /snippet -->
prose with no end mark: `<!-- /snippet -->`
<!--snippet:two-->
<!-- /snippet -->
the last line, unended";
        let rendered = render(guide, body);
        insta::assert_snapshot!(rendered.text.replace('\r', "^M"), @"
        # Title^M
          <!-- a comment -->
        <!-- snippet: one -->
        the body of one
        <!-- /snippet -->
        prose with no end mark: `<!-- /snippet -->`
        <!--snippet:two-->
        the body of two
        <!-- /snippet -->
        the last line, unended
        ");
        assert_eq!(rendered.used, ["one", "two"]);
        assert!(rendered.faults.is_empty(), "{:?}", rendered.faults);
        assert_eq!(render(&rendered.text, body), rendered);
    }

    #[test]
    fn every_fault_is_told_with_its_line() {
        let guide = "\
<!-- /snippet -->
<!-- snippet: none -->
<!-- /snippet -->
<!-- snippet: one -->
<!-- snippet: two -->
<!-- /snippet -->
<!-- snippet: -->
<!-- snippet: one
<!-- /snippet: one -->
<!-- snippet: one --> and more
<!-- snippet: mark -->
<!-- /snippet -->
<!-- snippet: three -->
";
        insta::assert_snapshot!(faults(guide), @"
        1: an end without a begin
        2: there is no snippet `none`
        5: `two` begins inside `one` of line 4
        7: a mark stands alone on its line, `<!-- snippet: NAME -->` or `<!-- /snippet -->`
        8: a mark stands alone on its line, `<!-- snippet: NAME -->` or `<!-- /snippet -->`
        9: a mark stands alone on its line, `<!-- snippet: NAME -->` or `<!-- /snippet -->`
        10: a mark stands alone on its line, `<!-- snippet: NAME -->` or `<!-- /snippet -->`
        11: the snippet `mark` shows a mark
        13: `three` has no end, `<!-- /snippet -->`
        ");
    }
}
