//! `cargo xtask docs`: regenerates snippets of the guides, or checks that they are up to date.

mod cache_output;
mod content;
mod diagnostic;
mod examples;
mod familiar;
mod guide;
mod regions;
mod snippets;
mod tables;
#[cfg(test)]
mod tests;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context as _;
use host::output::terminal;

use self::{diagnostic::Diagnostics, guide::Guide};
use crate::{atomic_file, workspace};

/// Flags of `cargo xtask docs`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Docs {
    /// Write nothing; show what would change, and fail if anything would
    #[arg(long)]
    check: bool,
    /// Folder whose guides are meant [default: this workspace]
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  cargo xtask docs
  cargo xtask docs --check

The guides are README.md and ai_helpers/*.md. What they have between `<!-- snippet: NAME -->` and
`<!-- /snippet -->` is generated; everything else is never touched.";

impl Docs {
    /// Runs the task. `xtask` is this program's own command line, which guides show.
    pub(crate) fn run(self, xtask: &clap::Command) -> anyhow::Result<ExitCode> {
        let Self { check, root } = self;
        let outdated = outdated(root.as_deref().unwrap_or(workspace::root()), xtask)?;
        if check && !outdated.is_empty() {
            for guide in &outdated {
                terminal::print(&guide.diff())?;
            }
            let names = outdated.iter().map(|guide| guide.name.as_str()).collect::<Vec<_>>();
            terminal::say(format_args!(
                "error: out of date: {}; run `cargo xtask docs` and commit the result",
                names.join(", ")
            ));
            return Ok(ExitCode::FAILURE);
        }
        for guide in outdated {
            atomic_file::write(&guide.path, guide.rendered.as_bytes())?;
            terminal::say(format_args!("updated {}", guide.name));
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The guides below `root` that are out of date.
///
/// # Errors
/// When a guide cannot be read, or has misplaced markers. The error lists those of all guides.
pub(crate) fn outdated(root: &Path, xtask: &clap::Command) -> anyhow::Result<Vec<Guide>> {
    let snippets = snippets::all(xtask).context("rendering the guides' snippets")?;
    let guides = guide::read_all(root)?;
    let (rendered, diagnostics) = guide::render_all(guides, &snippets);
    if !diagnostics.is_empty() {
        return Err(Diagnostics(diagnostics).into());
    }
    Ok(rendered.into_iter().filter(|guide| guide.text != guide.rendered).collect())
}
