//! The files that show snippets.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use similar::TextDiff;

use super::{
    fault::Fault,
    regions::{self, Rendered},
    snippets::Snippet,
};

/// The folder of the helpers, whose Markdown files are guides.
const HELPERS: &str = "ai_helpers";

/// A guide, as it is and as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Guide {
    /// Its path below the root.
    pub(crate) name: String,
    /// Its whole path, links followed.
    pub(crate) path: PathBuf,
    /// As it is.
    pub(crate) text: String,
    /// As it should be.
    pub(crate) rendered: String,
}

impl Guide {
    /// What would change, as a unified diff; empty when nothing would.
    pub(crate) fn diff(&self) -> String {
        let Self { name, path: _, text, rendered } = self;
        TextDiff::from_lines(text, rendered)
            .unified_diff()
            .header(&format!("a/{name}"), &format!("b/{name}"))
            .to_string()
    }
}

/// Every guide below `root`, not rendered yet.
pub(super) fn read_all(root: &Path) -> anyhow::Result<Vec<Guide>> {
    let helpers = root.join(HELPERS);
    let listing = || format!("listing the guides in `{}`", helpers.display());
    let mut pages = vec![];
    for entry in fs::read_dir(&helpers).with_context(listing)? {
        let name = entry.with_context(listing)?.file_name();
        pages.extend(name.to_str().filter(|name| name.ends_with(".md")).map(str::to_owned));
    }
    pages.sort();
    let helpers = pages.into_iter().map(|page| format!("{HELPERS}/{page}"));
    std::iter::once("README.md".to_owned()).chain(helpers).map(|name| read(root, name)).collect()
}

fn read(root: &Path, name: String) -> anyhow::Result<Guide> {
    let path = root.join(&name);
    let reading = || format!("reading the guide `{}`", path.display());
    let text = fs::read_to_string(&path).with_context(reading)?;
    let path = fs::canonicalize(&path).with_context(reading)?;
    Ok(Guide { name, path, rendered: text.clone(), text })
}

/// The guides with their regions filled in, and all that is wrong with them: a snippet that no
/// guide shows is a fault of its own line.
pub(super) fn render_all(mut guides: Vec<Guide>, snippets: &[Snippet]) -> (Vec<Guide>, Vec<Fault>) {
    let mut shown = BTreeSet::new();
    let mut all_faults = vec![];
    for guide in &mut guides {
        let body = |name: &str| {
            let snippet = snippets.iter().find(|snippet| snippet.name == name)?;
            Some(snippet.content.render())
        };
        let Rendered { text, used, faults } = regions::render(&guide.text, body);
        guide.rendered = text;
        shown.extend(used);
        let here = |(line, what)| Fault { file: guide.name.clone(), line, what };
        all_faults.extend(faults.into_iter().map(here));
    }
    let unused = snippets.iter().filter(|snippet| !shown.contains(snippet.name));
    all_faults.extend(unused.map(|Snippet { name, at, content: _ }| Fault {
        file: at.file().to_owned(),
        line: at.line() as usize,
        what: format!("no guide shows the snippet `{name}`; show it, or remove it here"),
    }));
    (guides, all_faults)
}

#[cfg(test)]
mod properties;

#[cfg(test)]
mod tests {
    use std::panic::Location;

    use super::{Guide, Snippet, render_all};
    use crate::docs::{content::Content, fault::Faults};

    fn guide(name: &str, text: &str) -> Guide {
        Guide { name: name.into(), path: name.into(), text: text.into(), rendered: String::new() }
    }

    fn snippet(name: &'static str) -> Snippet {
        let content = Content::Text(format!("text of {name}"));
        Snippet { name, at: Location::caller(), content }
    }

    #[test]
    fn the_diff_shows_what_would_change() {
        let page = "Prose.\n<!-- snippet: one -->\nby hand\n<!-- /snippet -->\n";
        let guides = vec![guide("README.md", page)];
        let (guides, faults) = render_all(guides, &[snippet("one")]);
        assert_eq!(faults, []);
        insta::assert_snapshot!(guides.iter().map(Guide::diff).collect::<String>(), @"
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
    fn the_faults_of_all_guides_are_told_at_once() {
        let guides = vec![
            guide("README.md", "<!-- snippet: absent -->\n<!-- /snippet -->\n"),
            guide("helpers/README.md", "Prose.\n<!-- snippet: one -->\n"),
        ];
        let idle = snippet("idle");
        let line = format!(":{}:", idle.at.line());
        let (_, faults) = render_all(guides, &[snippet("one"), idle]);
        insta::assert_snapshot!(Faults(faults).to_string().replace(&line, ":LINE:"), @"
        the guides cannot be rendered:
        README.md:1: there is no snippet `absent`
        helpers/README.md:2: `one` has no end, `<!-- /snippet -->`
        xtask/src/docs/guide.rs:LINE: no guide shows the snippet `idle`; show it, or remove it here
        ");
    }
}
