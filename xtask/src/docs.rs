//! `cargo xtask docs`: the guides' generated regions, from the contract, clap and the run plan.

mod commands;
mod content;
mod familiar;
mod fault;
mod guide;
#[cfg(test)]
mod hand_written;
mod regions;
mod snippets;
mod tables;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context as _;
use host::{atomic_file, output::terminal};

use self::{fault::Faults, guide::Guide};
use crate::workspace;

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
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let Self { check, root } = self;
        let outdated = outdated(root.as_deref().unwrap_or(workspace::root()))?;
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

/// The guides below `root` that are not what they should be.
///
/// # Errors
/// When a guide cannot be read, or a region is not as it must be: then all the faults of all the
/// guides are in the error.
pub(crate) fn outdated(root: &Path) -> anyhow::Result<Vec<Guide>> {
    let snippets = snippets::all().context("rendering the guides' snippets")?;
    let guides = guide::read_all(root)?;
    let (rendered, faults) = guide::render_all(guides, &snippets);
    if !faults.is_empty() {
        return Err(Faults(faults).into());
    }
    Ok(rendered.into_iter().filter(|guide| guide.text != guide.rendered).collect())
}
