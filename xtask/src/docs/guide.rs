//! The files that contain snippets.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use similar::TextDiff;

use super::{
    diagnostic::Diagnostic,
    regions::{self, Rendered},
    snippets::Snippet,
};

/// The folder whose Markdown files are guides, besides the README.
const FOLDER: &str = "ai_helpers";

/// A guide, with its current and its regenerated text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Guide {
    /// Path relative to the root.
    pub(crate) name: String,
    /// Absolute path without symlinks.
    pub(crate) path: PathBuf,
    /// Current text.
    pub(crate) text: String,
    /// Regenerated text.
    pub(crate) rendered: String,
}

impl Guide {
    /// A unified diff from the current to the regenerated text. Empty if they are equal.
    pub(crate) fn diff(&self) -> String {
        let Self { name, path: _, text, rendered } = self;
        TextDiff::from_lines(text, rendered)
            .unified_diff()
            .header(&format!("a/{name}"), &format!("b/{name}"))
            .to_string()
    }
}

/// Reads every guide below `root`. Their regenerated text is the current one.
pub(super) fn read_all(root: &Path) -> anyhow::Result<Vec<Guide>> {
    let folder = root.join(FOLDER);
    let listing = || format!("listing the guides in `{}`", folder.display());
    let mut pages = vec![];
    for entry in fs::read_dir(&folder).with_context(listing)? {
        let name = entry.with_context(listing)?.file_name();
        pages.extend(name.to_str().filter(|name| name.ends_with(".md")).map(str::to_owned));
    }
    pages.sort();
    let pages = pages.into_iter().map(|page| format!("{FOLDER}/{page}"));
    std::iter::once("README.md".to_owned()).chain(pages).map(|name| read(root, name)).collect()
}

fn read(root: &Path, name: String) -> anyhow::Result<Guide> {
    let path = root.join(&name);
    let reading = || format!("reading the guide `{}`", path.display());
    let text = fs::read_to_string(&path).with_context(reading)?;
    let path = fs::canonicalize(&path).with_context(reading)?;
    Ok(Guide { name, path, rendered: text.clone(), text })
}

/// Regenerates the guides. The diagnostics include every snippet that no guide contains.
pub(super) fn render_all(
    mut guides: Vec<Guide>,
    snippets: &[Snippet],
) -> (Vec<Guide>, Vec<Diagnostic>) {
    let mut shown = BTreeSet::new();
    let mut diagnostics = vec![];
    for guide in &mut guides {
        let body = |name: &str| {
            let snippet = snippets.iter().find(|snippet| snippet.name == name)?;
            Some(snippet.content.render())
        };
        let Rendered { text, used, errors } = regions::render(&guide.text, body);
        guide.rendered = text;
        shown.extend(used);
        let here = |(line, message)| Diagnostic { file: guide.name.clone(), line, message };
        diagnostics.extend(errors.into_iter().map(here));
    }
    let unused = snippets.iter().filter(|snippet| !shown.contains(snippet.name));
    diagnostics.extend(unused.map(|Snippet { name, at, content: _ }| Diagnostic {
        file: at.file().to_owned(),
        line: at.line() as usize,
        message: format!("no guide shows the snippet `{name}`; show it, or remove it here"),
    }));
    (guides, diagnostics)
}

#[cfg(test)]
mod properties;

#[cfg(test)]
mod tests {
    use std::panic::Location;

    use super::{Guide, Snippet, render_all};
    use crate::docs::{content::Content, diagnostic::Diagnostics};

    fn guide(name: &str, text: &str) -> Guide {
        Guide { name: name.into(), path: name.into(), text: text.into(), rendered: String::new() }
    }

    fn snippet(name: &'static str) -> Snippet {
        let content = Content::Text(format!("text of {name}"));
        Snippet { name, at: Location::caller(), content }
    }

    #[test]
    fn diff_shows_what_would_change() {
        let page = "Prose.\n<!-- snippet: one -->\nby hand\n<!-- /snippet -->\n";
        let guides = vec![guide("README.md", page)];
        let (guides, diagnostics) = render_all(guides, &[snippet("one")]);
        assert_eq!(diagnostics, []);
        insta::assert_snapshot!(guides[0].diff(), @"
        --- a/README.md
        +++ b/README.md
        @@ -1,4 +1,6 @@
         Prose.
         <!-- snippet: one -->
        -by hand
        +```text
        +text of one
        +```
         <!-- /snippet -->
        ");
    }

    #[test]
    fn diagnostics_cover_all_guides_and_unused_snippets() {
        let guides = vec![
            guide("README.md", "<!-- snippet: absent -->\n<!-- /snippet -->\n"),
            guide("helpers/README.md", "Prose.\n<!-- snippet: one -->\n"),
        ];
        let idle = snippet("idle");
        let line = format!(":{}:", idle.at.line());
        let (_, diagnostics) = render_all(guides, &[snippet("one"), idle]);
        insta::assert_snapshot!(Diagnostics(diagnostics).to_string().replace(&line, ":LINE:"), @"
        the guides cannot be rendered:
        README.md:1: there is no snippet `absent`
        helpers/README.md:2: `one` has no end, `<!-- /snippet -->`
        xtask/src/docs/guide.rs:LINE: no guide shows the snippet `idle`; show it, or remove it here
        ");
    }
}
