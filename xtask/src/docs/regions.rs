//! Finds a guide's generated regions and replaces what is between their marks. Pure.

/// How a kind of file writes its marks and what is between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Syntax {
    /// `<!-- snippet: NAME -->` … `<!-- /snippet -->`
    Markdown,
    /// `# snippet: NAME` … `# /snippet`
    Script,
}

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
pub(super) fn render(
    guide: &str,
    syntax: Syntax,
    body: impl Fn(&str) -> Option<String>,
) -> Rendered {
    let mut text = String::with_capacity(guide.len());
    let mut used = vec![];
    let mut faults = vec![];
    let mut open: Option<(usize, &str)> = None;
    for (number, line) in (1..).zip(guide.split_inclusive('\n')) {
        match (mark(line, syntax), open) {
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
                    Some(body) if has_mark(&body, syntax) => {
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
                let [start, end] = syntax.marks();
                faults.push((
                    number,
                    format!("a mark stands alone on its line, `{start}` or `{end}`"),
                ));
            }
        }
    }
    if let Some((number, name)) = open {
        faults.push((number, format!("`{name}` has no end, `{}`", syntax.marks()[1])));
    }
    Rendered { text, used, faults }
}

/// Whether a body has a line that would begin or end a region when it is read again.
fn has_mark(body: &str, syntax: Syntax) -> bool {
    body.lines().any(|line| !matches!(mark(line, syntax), Mark::None))
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

impl Syntax {
    /// Begin and end, as people write them.
    const fn marks(self) -> [&'static str; 2] {
        match self {
            Self::Markdown => ["<!-- snippet: NAME -->", "<!-- /snippet -->"],
            Self::Script => ["# snippet: NAME", "# /snippet"],
        }
    }
}

fn mark(line: &str, syntax: Syntax) -> Mark<'_> {
    let line = line.trim_end();
    let (inside, closed) = match syntax {
        Syntax::Markdown => match line.trim_start().strip_prefix("<!--") {
            Some(rest) => match rest.strip_suffix("-->") {
                Some(inside) => (inside.trim(), true),
                None => (rest.trim_start(), false),
            },
            None => return Mark::None,
        },
        Syntax::Script => match line.strip_prefix('#') {
            Some(rest) => (rest.trim(), true),
            None => return Mark::None,
        },
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
    use super::{Syntax, render};

    fn body(name: &str) -> Option<String> {
        match name {
            "none" => None,
            "mark" => Some("<!-- /snippet -->\n".to_owned()),
            _ => Some(format!("the body of {name}\n")),
        }
    }

    fn faults(guide: &str) -> String {
        let rendered = render(guide, Syntax::Markdown, body);
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
        let rendered = render(guide, Syntax::Markdown, body);
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
        assert_eq!(render(&rendered.text, Syntax::Markdown, body), rendered);
    }

    #[test]
    fn a_script_has_its_marks_in_comments() {
        let script = "#!/bin/sh\n# snippet: one\n# old\n# /snippet\n\n  # snippet: prose\necho\n";
        let rendered = render(script, Syntax::Script, body);
        insta::assert_snapshot!(rendered.text, @"
        #!/bin/sh
        # snippet: one
        the body of one
        # /snippet

          # snippet: prose
        echo
        ");
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
