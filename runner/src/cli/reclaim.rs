//! Options of `aienergyscore reclaim`.

use std::path::PathBuf;

use clap::Args;
use engine::EngineChoice;
use ownership::Request;

/// `aienergyscore reclaim`.
#[derive(Debug, Clone, Args)]
#[command(display_name = "aienergyscore", after_help = EXAMPLES)]
pub struct ReclaimArgs {
    /// Folder with root-owned files
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Do it; without this, show what would be done
    #[arg(long)]
    yes: bool,
    /// Engine that runs the container
    #[arg(long, value_name = "ENGINE", default_value = "auto")]
    engine: EngineChoice,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  # what a container that ran as root left in a folder, and what would make it yours
  aienergyscore reclaim ./results
  aienergyscore reclaim ./results --yes
  aienergyscore reclaim /data/runs/1 --json | jq -r .sudo

A short-lived container of the smoke image changes the owners, so that no sudo is needed. Where no
engine can do it, a command with sudo is printed. Only entries of root and of your containers' user
ids are taken. Symlinks are not followed. Other file systems, devices, hard links and files of other
users are left alone.

Exit code 0 when all is yours, 1 when something is not, also without --yes.";

impl ReclaimArgs {
    /// The request without clap's types.
    pub fn into_request(self) -> Request {
        let Self { folder, yes, engine, json } = self;
        Request { folder, apply: yes, engine, json }
    }
}
