//! The command line: a clap type for each command. The options of a run are `plan::options::Request`.

mod cache;
mod completions;
mod man;
mod reclaim;
mod report;
pub mod split_args;

use std::path::PathBuf;

use clap::{Args, CommandFactory as _, Parser, Subcommand};
use plan::options::{Request, Target};

use crate::fetch;

pub use cache::{CacheArgs, CacheCommand, CacheRepairArgs, CacheVerifyArgs, LsArgs};
pub use completions::CompletionsArgs;
pub use man::ManArgs;
pub use reclaim::ReclaimArgs;
pub use report::ReportArgs;

/// The version, with hash and date of the commit when built from a git checkout.
pub const VERSION: &str = env!("AIENERGYSCORE_VERSION");

/// Measures the energy of AI models in a container that runs as you.
#[derive(Debug, Parser)]
#[command(
    name = "aienergyscore",
    version = VERSION,
    propagate_version = true,
    max_term_width = 100,
    after_help = EXAMPLES
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "\
Examples:
  aienergyscore run --config-name text_generation backend.model=openai/gpt-oss-20b
  aienergyscore run -n 100 --backend pytorch backend.model=google/gemma-3-1b-pt
  aienergyscore verify

`aienergyscore <command> --help` has more.";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the benchmark.
    Run(RunArgs),
    /// Download a model and a task's dataset into the Hub cache, for `run --offline`.
    Fetch(fetch::Request),
    /// Check engine, image, folders, token, and that a container can write to your mounts.
    Verify(VerifyArgs),
    /// Show what runs measured: as a table, a page, CSV, JSON, or packed for the leaderboard.
    Report(ReportArgs),
    /// See, check and repair the Hub cache, without a network.
    Cache(CacheArgs),
    /// Take ownership of root-owned files in a results folder, without sudo.
    #[command(alias = "repair-results")]
    Reclaim(ReclaimArgs),
    /// Print a script that completes commands and options in your shell.
    Completions(CompletionsArgs),
    /// Write the man pages.
    Man(ManArgs),
    /// Clean up after a runner that died.
    #[command(hide = true)]
    Reap(ReapArgs),
}

/// `aienergyscore run`.
#[derive(Debug, Clone, Args)]
#[command(
    display_name = "aienergyscore",
    override_usage = "aienergyscore run [OPTIONS] [BENCHMARK ARGUMENTS]...",
    after_help = RUN_EXAMPLES
)]
pub struct RunArgs {
    /// Print the command instead of running it
    #[arg(long)]
    pub dry_run: bool,
    /// With --dry-run: print each part with its reason
    #[arg(long, requires = "dry_run", conflicts_with = "json")]
    pub explain: bool,
    /// Print JSON: the summary, or with --dry-run the plan
    #[arg(long)]
    pub json: bool,
    /// What to run.
    #[command(flatten)]
    pub request: Request,
}

const RUN_EXAMPLES: &str = "\
Examples:
  # the leaderboard's benchmark, 20 prompts, results in ./results
  aienergyscore run --config-name text_generation backend.model=openai/gpt-oss-20b
  # 100 prompts; the option may stand anywhere before a `--`
  aienergyscore run --config-name text_generation backend.model=openai/gpt-oss-20b -n 100
  # two of the GPUs, results elsewhere
  aienergyscore run --gpus device=0,2 --results /data/runs/1 backend.model=openai/gpt-oss-20b
  # prompts to a server that runs on this machine
  VLLM_ENDPOINT=http://host.docker.internal:8000/v1 aienergyscore run --backend vllm \\
    --wait-for-endpoint 600 backend.model=openai/gpt-oss-20b
  # a model and prompts of your own, in the image without GPU
  aienergyscore run --backend pytorch --flavour cpu backend.model=./my-model \\
    scenario.dataset_name=./prompts.csv
  # energy above the idle machine's; without counters, an estimate at 8 W per busy CPU
  aienergyscore run --idle-seconds 30 --watts-per-cpu 8 backend.model=openai/gpt-oss-20b
  # see what would be executed, and why
  aienergyscore run --dry-run --explain backend.model=openai/gpt-oss-20b

Environment: DOCKER_IMAGE, RESULTS_DIR, HF_HOME, HF_HUB_CACHE, HF_TOKEN, HF_TOKEN_PATH,
BENCHMARK_BACKEND, VLLM_ENDPOINT, VLLM_API_KEY, VLLM_API_KEY_PATH, SSL_CERT_FILE; an option wins
over its variable, and an empty variable counts as unset.";

/// `aienergyscore verify`.
#[derive(Debug, Clone, Args)]
#[command(display_name = "aienergyscore", after_help = VERIFY_EXAMPLES)]
pub struct VerifyArgs {
    /// Read every byte of the Hub cache, too, and compare it with its digest
    #[arg(long)]
    pub deep: bool,
    /// Print the findings as JSON
    #[arg(long)]
    pub json: bool,
    /// What is checked for.
    #[command(flatten)]
    pub target: Target,
}

const VERIFY_EXAMPLES: &str = "\
Examples:
  aienergyscore verify
  aienergyscore verify --flavour smoke --results /data/runs/1
  aienergyscore verify --deep
  aienergyscore verify --json | jq '.findings[] | select(.severity == \"error\")'

Exit code 1 when a finding is an error.";

/// `aienergyscore reap`, started by `run` for itself.
#[derive(Debug, Clone, Args)]
pub struct ReapArgs {
    /// The file that gets the container's id when it is made, to delete
    #[arg(long)]
    pub cidfile: PathBuf,
    /// A file to delete, too
    #[arg(long)]
    pub delete: Vec<PathBuf>,
    /// The command that removes the container
    #[arg(last = true)]
    pub remove: Vec<String>,
}

impl VerifyArgs {
    /// The request of the run that is checked.
    pub fn into_request(self) -> Request {
        Request { target: self.target, ..Request::default() }
    }
}

/// The command line as clap's command, for the guides.
pub fn command() -> clap::Command {
    Cli::command()
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser as _, error::ErrorKind};

    use super::Cli;

    #[test]
    fn parser_is_valid() {
        Cli::command().debug_assert();
    }

    #[test]
    fn empty_value_is_a_usage_error() {
        for option in ["--image=", "--results=", "--flavour=", "--gpus="] {
            let error = Cli::try_parse_from(["aienergyscore", "run", option]).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{option}");
        }
    }

    #[test]
    fn every_command_has_the_programs_version() {
        for command in ["run", "verify"] {
            let error = Cli::try_parse_from(["aienergyscore", command, "-V"]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::DisplayVersion);
            assert_eq!(error.to_string(), Cli::command().render_version());
        }
    }

    #[test]
    fn help_has_examples() {
        let mut command = super::command();
        command.build();
        for name in ["run", "fetch", "verify", "report", "reclaim"] {
            let help = command.find_subcommand_mut(name).unwrap().render_long_help();
            insta::assert_snapshot!(format!("help_{name}"), help);
        }
        insta::assert_snapshot!("help", command.render_long_help());
    }
}
