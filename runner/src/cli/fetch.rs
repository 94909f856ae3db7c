//! Options of `aienergyscore fetch`.

use clap::{
    Args,
    builder::{NonEmptyStringValueParser, PossibleValuesParser},
};
use contract::{argument::DEFAULT_CONFIG, task::TASKS};
use plan::options::{self, Runtime, SecurityOverrides, Target};

use crate::fetch::Request;

/// `aienergyscore fetch`.
#[derive(Debug, Clone, Args)]
#[command(display_name = "aienergyscore", after_help = EXAMPLES)]
pub struct FetchArgs {
    /// Model on the Hub: ORG/NAME, or ORG/NAME:FILE for one GGUF file
    #[arg(value_name = "MODEL", value_parser = NonEmptyStringValueParser::new())]
    model: String,
    /// Task to download the dataset of
    #[arg(
        long,
        value_name = "TASK",
        default_value = DEFAULT_CONFIG,
        value_parser = PossibleValuesParser::new(TASKS)
    )]
    task: String,
    /// Dataset on the Hub [default: the task's]
    #[arg(long, value_name = "DATASET", value_parser = NonEmptyStringValueParser::new())]
    dataset: Option<String>,
    /// Branch, tag or commit of the model [default: main]
    #[arg(long, value_name = "REVISION", value_parser = NonEmptyStringValueParser::new())]
    revision: Option<String>,
    #[command(flatten)]
    runtime: Runtime,
    /// Do not pass a Hugging Face token to the container
    #[arg(long)]
    no_token: bool,
    /// Print the command instead of running it
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    security: SecurityOverrides,
}

const EXAMPLES: &str = "\
Examples:
  # weights, tokenizer and configuration of a model, and the prompts of the leaderboard's task
  aienergyscore fetch openai/gpt-oss-20b
  # a tag of a model, and another dataset, by the image without GPU
  aienergyscore fetch --flavour cpu org/model --revision v2 --dataset org/prompts
  # one file for the `native` backend
  aienergyscore fetch --flavour cpu HuggingFaceTB/SmolLM2-360M-Instruct-GGUF:smollm2-360m-instruct-q8_0.gguf

Only files that a run loads are downloaded. What the cache has is not downloaded again, and an
interrupted download is resumed.

Environment: as for `run`, and HF_ENDPOINT.";

impl FetchArgs {
    /// The request without clap's types.
    pub fn into_request(self) -> Request {
        let Self { model, task, dataset, revision, runtime, no_token, security, dry_run } = self;
        let target = Target { runtime, no_token, security, ..Target::default() };
        let run = options::Request { target, ..options::Request::default() };
        Request { model, task, dataset, revision, run, dry_run }
    }
}
