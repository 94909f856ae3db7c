//! The options that `run` and `verify` share.

use std::path::PathBuf;

use clap::{Args, builder::NonEmptyStringValueParser};

use super::choices::{BackendArg, EngineArg, FlavourArg};
use crate::{
    gpus::Gpus,
    meter::{self, Watts},
    options::Request,
    relaxed::Relaxed,
};

/// What runs where.
#[derive(Debug, Clone, Args)]
pub(super) struct TargetArgs {
    /// What runs the model [default: by image; env: BENCHMARK_BACKEND]
    #[arg(long, value_name = "BACKEND")]
    backend: Option<BackendArg>,
    #[command(flatten)]
    image: ImageArgs,
    /// Folder for the results [default: ./results; env: RESULTS_DIR]
    #[arg(long, value_name = "DIR")]
    results: Option<PathBuf>,
    /// GPUs: auto, none, all, a number, or device=0,2
    #[arg(long, value_name = "GPUS", default_value = "auto")]
    gpus: Gpus,
    /// Memory of the container at most, such as 64g [default: no limit]
    #[arg(long, value_name = "SIZE", value_parser = memory)]
    memory: Option<String>,
    /// Hand over no token, whatever there is
    #[arg(long)]
    no_token: bool,
    /// Send no API key to the server of the `vllm` backend, whatever there is
    #[arg(long)]
    no_api_key: bool,
    #[command(flatten)]
    relaxed: RelaxedArgs,
    #[command(flatten)]
    meter: MeterArgs,
}

/// Which engine, and which image.
#[derive(Debug, Clone, Args)]
pub(super) struct ImageArgs {
    /// What runs the container
    #[arg(long, value_name = "ENGINE", default_value = "auto")]
    engine: EngineArg,
    /// Image to run [default: ai_energy_score, the tag by backend; env: DOCKER_IMAGE]
    #[arg(
        long,
        value_name = "IMAGE",
        conflicts_with = "flavour",
        value_parser = NonEmptyStringValueParser::new()
    )]
    image: Option<String>,
    /// Flavour of our image to run
    #[arg(long, value_name = "FLAVOUR")]
    flavour: Option<FlavourArg>,
}

impl ImageArgs {
    /// A request for these, and for nothing else.
    pub(super) fn into_request(self) -> Request {
        let Self { engine, image, flavour } = self;
        let flavour = flavour.map(|FlavourArg(flavour)| flavour);
        Request { engine: engine.into(), image, flavour, ..Request::default() }
    }
}

/// What the host meters beside the benchmark.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "The host's meter")]
pub(super) struct MeterArgs {
    /// Meter the idle machine for so long before the benchmark [default: not at all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=3600))]
    idle_seconds: Option<u32>,
    /// Power of a busy CPU: where none can be measured, its time makes an estimate [default: none]
    #[arg(long, value_name = "W")]
    watts_per_cpu: Option<Watts>,
}

/// What the container is confined by, unless one of these says otherwise.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Limits of the container, to do without")]
pub(super) struct RelaxedArgs {
    /// Let it write everywhere: for an image that needs more than its mounts, /tmp and its home
    #[arg(long)]
    writable_root: bool,
    /// Let it keep the capabilities that the engine gives by default
    #[arg(long)]
    keep_capabilities: bool,
    /// Let its programs gain privileges
    #[arg(long)]
    allow_new_privileges: bool,
    /// Do not limit its processes
    #[arg(long)]
    no_pids_limit: bool,
    /// Let it read the token files in the HuggingFace home, which are covered otherwise
    #[arg(long)]
    expose_tokens: bool,
    /// Run it without an SELinux label, where SELinux closes the mounted folders
    #[arg(long)]
    no_selinux_label: bool,
}

impl From<RelaxedArgs> for Relaxed {
    fn from(args: RelaxedArgs) -> Self {
        Self {
            writable_root: args.writable_root,
            capabilities: args.keep_capabilities,
            new_privileges: args.allow_new_privileges,
            processes: args.no_pids_limit,
            tokens: args.expose_tokens,
            selinux: args.no_selinux_label,
        }
    }
}

/// A size as the engines take it: a number, and a unit of one letter.
fn memory(text: &str) -> Result<String, String> {
    let digits = text.trim_end_matches(|unit: char| "bkmgBKMG".contains(unit));
    let is_size = text.len() - digits.len() <= 1 && digits.parse::<u64>().is_ok_and(|n| n > 0);
    is_size
        .then(|| text.to_owned())
        .ok_or_else(|| "a size is a number and b, k, m or g, such as 64g".to_owned())
}

impl TargetArgs {
    /// The request, in our own words.
    pub(super) fn into_request(self) -> Request {
        let Self {
            backend,
            image,
            results,
            gpus,
            memory,
            no_token,
            no_api_key,
            relaxed,
            meter: MeterArgs { idle_seconds, watts_per_cpu },
        } = self;
        Request {
            backend: backend.map(|BackendArg(backend)| backend),
            results,
            gpus,
            memory,
            no_token,
            no_api_key,
            relaxed: relaxed.into(),
            meter: meter::Options { idle_seconds, watts_per_cpu },
            ..image.into_request()
        }
    }
}
