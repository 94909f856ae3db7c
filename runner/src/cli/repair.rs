//! `aienergyscore repair-results`: clap's types, and their way into ours.

use std::path::PathBuf;

use clap::Args;

use super::EngineArg;
use crate::repair_results::Request;

/// `aienergyscore repair-results`.
#[derive(Debug, Clone, Args)]
#[command(display_name = "aienergyscore", after_help = EXAMPLES)]
pub struct RepairResultsArgs {
    /// Folder that holds what is not yours
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Do it; without this, show what would be done
    #[arg(long)]
    yes: bool,
    /// What runs the container
    #[arg(long, value_name = "ENGINE", default_value = "auto")]
    engine: EngineArg,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  # what a container that ran as root left in a folder, and what would make it yours
  aienergyscore repair-results ./results
  aienergyscore repair-results ./results --yes
  aienergyscore repair-results /data/runs/1 --json | jq -r .sudo

A short-lived container of the smoke image changes the owners, so that no sudo is needed; where no
engine can do it, a line with sudo is printed. Taken is what belongs to root or to a container's
ids. Links are never followed. Left alone are other file systems, devices, files with several names
(hard links), and what belongs to somebody else.

Exit code 0 when all is yours, 1 when something is not, also without --yes.";

impl RepairResultsArgs {
    /// The request, in our own words.
    pub fn into_request(self) -> Request {
        let Self { folder, yes, engine, json } = self;
        Request { folder, really: yes, engine: engine.into(), as_json: json }
    }
}
