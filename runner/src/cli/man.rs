//! `aienergyscore man`: clap's types.

use std::path::PathBuf;

use clap::Args;

/// `aienergyscore man`.
#[derive(Debug, Clone, Args)]
#[command(display_name = "aienergyscore", after_help = EXAMPLES)]
pub struct ManArgs {
    /// Folder for the pages, created if it is missing
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Replace files that differ from the pages
    #[arg(long)]
    pub overwrite: bool,
}

const EXAMPLES: &str = "\
Examples:
  # `man` looks in `share/man` beside each `bin` on PATH
  aienergyscore man --out ~/.cargo/share/man/man1
  # after an update
  aienergyscore man --out ~/.cargo/share/man/man1 --overwrite";
