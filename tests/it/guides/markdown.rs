//! A reader of the Markdown that the guides use.

/// A fenced block of shell text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ShellBlock {
    /// Line of its fence.
    pub(crate) line: usize,
    /// The name of the snippet that it is, if it is one.
    pub(crate) snippet: Option<String>,
    /// The text.
    pub(crate) text: String,
}

/// The blocks marked `sh` or `bash`.
pub(crate) fn shell_blocks(page: &str) -> Vec<ShellBlock> {
    let mut blocks = vec![];
    let mut snippet = None;
    for (line, kind, text) in parts(page) {
        match kind {
            Part::Fence("sh" | "bash") => {
                blocks.push(ShellBlock { line, snippet: snippet.clone(), text });
            }
            Part::Fence(_) => {}
            Part::Line => {
                if let Some(name) = text.strip_prefix("<!-- snippet: ") {
                    snippet = name.strip_suffix(" -->").map(str::to_owned);
                } else if text == "<!-- /snippet -->" {
                    snippet = None;
                }
            }
        }
    }
    blocks
}

/// The anchors of the headings, as GitHub makes them.
pub(crate) fn anchors(page: &str) -> Vec<String> {
    let mut anchors: Vec<String> = vec![];
    for (_, kind, text) in parts(page) {
        let title = text.trim_start_matches('#');
        let is_heading = kind == Part::Line && title.len() < text.len() && title.starts_with(' ');
        if !is_heading {
            continue;
        }
        let slug: String = title
            .trim()
            .to_lowercase()
            .chars()
            .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
            .map(|c| if c == ' ' { '-' } else { c })
            .collect();
        let twins = (1..).map(|number| format!("{slug}-{number}"));
        let free = std::iter::once(slug.clone()).chain(twins).find(|slug| !anchors.contains(slug));
        anchors.extend(free);
    }
    anchors
}

/// The targets of the links, with their lines.
pub(crate) fn links(page: &str) -> Vec<(usize, String)> {
    let mut links = vec![];
    for (line, kind, text) in parts(page) {
        if kind == Part::Line {
            let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
            links.extend(targets.map(|target| (line, target.to_owned())));
        }
    }
    links
}

/// The pieces of code in the prose, with the lines where they begin.
pub(crate) fn code(page: &str) -> Vec<(usize, String)> {
    let mut found: Vec<(usize, String)> = vec![];
    let mut inside = false;
    for (line, kind, text) in parts(page) {
        if kind != Part::Line {
            continue;
        }
        for (number, piece) in text.split('`').enumerate() {
            if number > 0 {
                inside = !inside;
            }
            match found.last_mut() {
                // Begun on the line before.
                Some((_, begun)) if inside && number == 0 => *begun += &format!(" {piece}"),
                _ if inside => found.push((line, piece.to_owned())),
                _ => {}
            }
        }
    }
    found
}

/// The text blocks of the subsections, each with its heading.
pub(crate) fn quotes(page: &str) -> Vec<(String, String)> {
    let mut quotes = vec![];
    let mut heading = None;
    for (_, kind, text) in parts(page) {
        match kind {
            Part::Line if text.starts_with("## ") => heading = None,
            Part::Line => {
                if let Some(title) = text.strip_prefix("### ") {
                    heading = Some(title.to_owned());
                }
            }
            Part::Fence("text") => quotes.extend(heading.clone().map(|heading| (heading, text))),
            Part::Fence(_) => {}
        }
    }
    quotes
}

#[derive(Debug, PartialEq, Eq)]
enum Part<'a> {
    /// A line of prose.
    Line,
    /// A whole fenced block of this language.
    Fence(&'a str),
}

/// The lines outside of fences, with their numbers.
pub(crate) fn lines(page: &str) -> Vec<(usize, String)> {
    let lines = parts(page).into_iter().filter(|(_, kind, _)| *kind == Part::Line);
    lines.map(|(number, _, text)| (number, text)).collect()
}

/// Lines of prose and whole blocks, with the number of their first line.
fn parts(page: &str) -> Vec<(usize, Part<'_>, String)> {
    let mut parts = vec![];
    let mut lines = (1..).zip(page.lines());
    while let Some((number, line)) = lines.next() {
        match line.strip_prefix("```") {
            Some(language) => {
                let block = lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```");
                let text = block.collect::<Vec<_>>().join("\n");
                parts.push((number, Part::Fence(language.trim()), text));
            }
            None => parts.push((number, Part::Line, line.to_owned())),
        }
    }
    parts
}

#[test]
fn links_and_blocks_of_a_page_are_found() {
    let page = "\
# A: `b_c` and D!
## twice
## twice
<!-- snippet: run-x -->
```sh
# no heading, [no](link)
run
```
<!-- /snippet -->
See [one](a.md#b) and [`two`](#c).
```text
no shell
```
";
    assert_eq!(anchors(page), ["a-b_c-and-d", "twice", "twice-1"]);
    assert_eq!(links(page), [(10, "a.md#b".to_owned()), (10, "#c".to_owned())]);
    let text = "# no heading, [no](link)\nrun".to_owned();
    assert_eq!(shell_blocks(page), [ShellBlock { line: 5, snippet: Some("run-x".into()), text }]);
}

#[test]
fn inline_code_is_found() {
    let page = "Run `a b` or `c\nd`.\n```sh\n`no`\n```\n| `e` |\n";
    let expected = [(1, "a b"), (1, "c d"), (6, "e")];
    assert_eq!(code(page), expected.map(|(line, text)| (line, text.to_owned())));
}

#[test]
fn quote_belongs_to_its_heading() {
    let page = "\
## Before
```text
no
```
## Troubleshooting
### One
```text
error: a
  b
```
```sh
no
```
### Two
```text
c
```
## After
```text
no
```
";
    let expected = [("One", "error: a\n  b"), ("Two", "c")];
    let expected = expected.map(|(heading, text)| (heading.to_owned(), text.to_owned()));
    assert_eq!(quotes(page), expected);
}
