//! Options of `aienergyscore cache`.

use clap::{Args, Subcommand, ValueEnum};
use doctor::verify::Scope;
use engine::EngineChoice;
use hub::{Listing, Sort};

/// `aienergyscore cache`.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub struct CacheArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: CacheCommand,
}

const EXAMPLES: &str = "\
Examples:
  aienergyscore cache ls
  aienergyscore cache verify
  aienergyscore cache repair
  HF_HUB_CACHE=/data/hub aienergyscore cache ls --json

The cache is found as huggingface_hub finds it: HF_HUB_CACHE, else `hub` in HF_HOME.";

/// What can be done with a cache.
#[derive(Debug, Clone, Subcommand)]
pub enum CacheCommand {
    /// List repos and revisions: size, files, last use, refs, and whether they are complete.
    #[command(visible_alias = "list")]
    Ls(LsArgs),
    /// Check links, lists, bytes and permissions, without a network.
    Verify(CacheVerifyArgs),
    /// Mend what a verification finds; shows what it would do until it is given `--yes`.
    Repair(CacheRepairArgs),
    /// Accept the symlink that `hub` in the HuggingFace home is.
    #[command(display_name = "aienergyscore", after_help = TRUST_EXAMPLES)]
    Trust,
}

const TRUST_EXAMPLES: &str = "\
Examples:
  aienergyscore cache trust

A container may write to the HuggingFace home. A symlink that appears there after the first run, or
leads elsewhere than before, is not followed until you accept it. A folder that HF_HUB_CACHE names is
your own choice and needs no trust.";

/// `aienergyscore cache ls`.
#[derive(Debug, Clone, Args)]
#[command(display_name = "aienergyscore", after_help = LS_EXAMPLES)]
pub struct LsArgs {
    /// Sort by this
    #[arg(long, value_name = "KEY", default_value = "size")]
    sort: SortArg,
    /// Show each revision, too
    #[arg(long)]
    revisions: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

const LS_EXAMPLES: &str = "\
Examples:
  aienergyscore cache ls --sort used
  aienergyscore cache ls --revisions
  aienergyscore cache ls --json | jq -r '.repos[] | select(.size_bytes > 1e9) | .id'

Sizes are bytes on disk, each blob once, in decimal units.";

/// [`Sort`] as an option.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum SortArg {
    /// Bytes, the largest first
    Size,
    /// Type and id
    Name,
    /// Last use, the latest first
    Used,
    /// Last change, the latest first
    Modified,
}

impl From<SortArg> for Sort {
    fn from(sort: SortArg) -> Self {
        match sort {
            SortArg::Size => Self::Size,
            SortArg::Name => Self::Name,
            SortArg::Used => Self::Used,
            SortArg::Modified => Self::Modified,
        }
    }
}

impl LsArgs {
    /// The listing to show.
    pub fn into_listing(self) -> Listing {
        let Self { sort, revisions, json: _ } = self;
        Listing { sort: sort.into(), revisions }
    }
}

/// `aienergyscore cache verify`.
#[derive(Debug, Clone, Args)]
#[command(display_name = "aienergyscore", after_help = VERIFY_EXAMPLES)]
pub struct CacheVerifyArgs {
    /// Only these repos, as ORG/NAME or TYPE/ORG/NAME [default: all]
    #[arg(value_name = "REPO")]
    repos: Vec<String>,
    /// Read every byte again, also of files that have not changed since an earlier check
    #[arg(long, conflicts_with = "quick")]
    full: bool,
    /// Read no weights: links, lists, sizes and permissions alone
    #[arg(long)]
    quick: bool,
    /// Print the findings as JSON
    #[arg(long)]
    pub json: bool,
}

const VERIFY_EXAMPLES: &str = "\
Examples:
  aienergyscore cache verify
  aienergyscore cache verify openai/gpt-oss-20b
  aienergyscore cache verify --quick
  aienergyscore cache verify --json | jq '.findings[] | select(.severity == \"error\")'

A file that was read is remembered by its number, size and times, so that an unchanged cache takes a
second check at no cost. Exit code 1 when a finding is an error, 130 when interrupted.";

impl CacheVerifyArgs {
    /// The scope of the verification.
    pub fn into_scope(self) -> Scope {
        let Self { repos, full, quick, json: _ } = self;
        Scope { repos, bytes: !quick, full }
    }
}

/// `aienergyscore cache repair`.
#[derive(Debug, Clone, Args)]
#[command(display_name = "aienergyscore", after_help = REPAIR_EXAMPLES)]
pub struct CacheRepairArgs {
    /// Only these repos, as ORG/NAME or TYPE/ORG/NAME [default: all]
    #[arg(value_name = "REPO")]
    repos: Vec<String>,
    /// Do it
    #[arg(long)]
    pub yes: bool,
    /// Read no weights: mend links, refs, leftovers and permissions alone
    #[arg(long)]
    quick: bool,
    /// What takes back files that are not yours
    #[arg(long, value_name = "ENGINE", default_value = "auto")]
    engine: EngineChoice,
    /// Print the steps as JSON
    #[arg(long)]
    pub json: bool,
}

const REPAIR_EXAMPLES: &str = "\
Examples:
  # what would be done
  aienergyscore cache repair
  # do it
  aienergyscore cache repair --yes
  # one model, without reading its weights
  aienergyscore cache repair openai/gpt-oss-20b --quick --yes

Bytes that are not what their name says are moved to `.set-aside` in their repo, and their links stay:
the next load with a network fetches them again. Files of other users are taken back by a short-lived
container of the smoke image, which needs no sudo; without an engine, the sudo line is printed.
What no client has written is never touched. Exit code 1 while something is left to be mended.";

impl CacheRepairArgs {
    /// The scope of the repair, and the engine that changes owners.
    pub fn into_scope(self) -> (Scope, EngineChoice) {
        let Self { repos, yes: _, quick, engine, json: _ } = self;
        (Scope { repos, bytes: !quick, full: false }, engine)
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn help_has_examples() {
        let mut command = crate::cli::command();
        command.build();
        let cache = command.find_subcommand_mut("cache").unwrap();
        insta::assert_snapshot!("help_cache", cache.render_long_help());
        for name in ["ls", "verify", "repair"] {
            let help = cache.find_subcommand_mut(name).unwrap().render_long_help();
            insta::assert_snapshot!(format!("help_cache_{name}"), help);
        }
    }
}
