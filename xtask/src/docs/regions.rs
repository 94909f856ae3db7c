//! Finds the generated regions of a guide and replaces the text between their markers. Pure.

/// The markers of a region, for messages.
const START: &str = "<!-- snippet: NAME -->";
const END: &str = "<!-- /snippet -->";

/// A guide with regenerated regions.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Rendered {
    /// The whole text. Meaningless if there are errors.
    pub(super) text: String,
    /// Names of the snippets in the guide.
    pub(super) used: Vec<String>,
    /// Line numbers and messages of all misplaced or malformed markers.
    pub(super) errors: Vec<(usize, String)>,
}

/// Replaces the body of every region in `guide` by `body` of its name.
pub(super) fn render(guide: &str, body: impl Fn(&str) -> Option<String>) -> Rendered {
    let mut text = String::with_capacity(guide.len());
    let mut used = vec![];
    let mut errors = vec![];
    let mut open: Option<(usize, &str)> = None;
    for (number, line) in (1..).zip(guide.split_inclusive('\n')) {
        match (marker(line), open) {
            (Marker::None, None) => text.push_str(line),
            // The old body.
            (Marker::None, Some(_)) => {}
            (Marker::Start(name), _) => {
                if let Some((line, outer)) = open {
                    errors
                        .push((number, format!("`{name}` begins inside `{outer}` of line {line}")));
                }
                open = Some((number, name));
                text.push_str(line);
                match body(name) {
                    Some(body) if has_marker(&body) => {
                        errors.push((number, format!("the snippet `{name}` shows a mark")));
                    }
                    Some(body) => text.push_str(&body),
                    None => errors.push((number, format!("there is no snippet `{name}`"))),
                }
                used.push(name.to_owned());
            }
            (Marker::End, Some(_)) => {
                open = None;
                text.push_str(line);
            }
            (Marker::End, None) => errors.push((number, "an end without a begin".to_owned())),
            (Marker::Malformed, _) => {
                let what = format!("a mark stands alone on its line, `{START}` or `{END}`");
                errors.push((number, what));
            }
        }
    }
    if let Some((number, name)) = open {
        errors.push((number, format!("`{name}` has no end, `{END}`")));
    }
    Rendered { text, used, errors }
}

/// Whether a body contains a marker, which would end or begin a region in the regenerated guide.
fn has_marker(body: &str) -> bool {
    body.lines().any(|line| !matches!(marker(line), Marker::None))
}

/// A line of a guide.
enum Marker<'a> {
    /// Prose, or a line of a region's body.
    None,
    /// The start of a region.
    Start(&'a str),
    /// The end of a region.
    End,
    /// A malformed marker.
    Malformed,
}

fn marker(line: &str) -> Marker<'_> {
    let Some(rest) = line.trim().strip_prefix("<!--") else { return Marker::None };
    let (inside, closed) = match rest.strip_suffix("-->") {
        Some(inside) => (inside.trim(), true),
        None => (rest.trim_start(), false),
    };
    let is_name = |name: &str| {
        !name.is_empty() && name.bytes().all(|b| b == b'-' || b.is_ascii_alphanumeric())
    };
    match (inside.strip_prefix("snippet:").map(str::trim), closed) {
        (Some(name), true) if is_name(name) => Marker::Start(name),
        (None, true) if inside == "/snippet" => Marker::End,
        (Some(_), _) => Marker::Malformed,
        (None, _) if inside.starts_with("/snippet") => Marker::Malformed,
        (None, _) => Marker::None,
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

    fn errors(guide: &str) -> String {
        let rendered = render(guide, body);
        rendered.errors.iter().map(|(line, what)| format!("{line}: {what}\n")).collect()
    }

    #[test]
    fn only_text_between_markers_changes() {
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
        assert!(rendered.errors.is_empty(), "{:?}", rendered.errors);
        assert_eq!(render(&rendered.text, body), rendered);
    }

    #[test]
    fn every_error_has_its_line() {
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
        insta::assert_snapshot!(errors(guide), @"
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
