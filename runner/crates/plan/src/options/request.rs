//! The options of `run` as parsed. Each option is declared here once: its help, its parsing, and how it
//! is written back into a command.

use std::path::PathBuf;

use clap::{
    Args,
    builder::{NonEmptyStringValueParser, PossibleValue, PossibleValuesParser, TypedValueParser},
};
use contract::{Backend, Flavour};
use engine::EngineChoice;
use host::gpus::Gpus;

/// A run as the command line asks for it, before environment and defaults.
#[derive(Debug, Clone, PartialEq, Eq, Default, Args)]
pub struct Request {
    /// Prompts to run [default: 20]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub num_samples: Option<u32>,
    /// Wait so long for the server of the `vllm` backend to start and to load its model
    #[arg(long = "wait-for-endpoint", value_name = "SECONDS")]
    pub wait: Option<u32>,
    /// No network for the benchmark, and a read-only cache; local paths and cached repos work
    #[arg(long)]
    pub offline: bool,
    /// For the benchmark: everything that is no option above, in order; all after `--`
    #[arg(value_name = "BENCHMARK ARGUMENTS", last = true)]
    pub args: Vec<String>,
    /// Options that `verify` has, too.
    #[command(flatten)]
    pub target: Target,
}

/// The options that `run` and `verify` share.
#[derive(Debug, Clone, PartialEq, Eq, Default, Args)]
pub struct Target {
    /// What runs the model [default: by image; env: BENCHMARK_BACKEND]
    #[arg(long, value_name = "BACKEND", value_parser = backends())]
    pub backend: Option<Backend>,
    /// The engine and the image.
    #[command(flatten)]
    pub runtime: Runtime,
    /// Folder for the results [default: ./results; env: RESULTS_DIR]
    #[arg(long, value_name = "DIR")]
    pub results: Option<PathBuf>,
    /// GPUs: auto, none, all, a number, or device=0,2
    #[arg(long, value_name = "GPUS", default_value = "auto")]
    pub gpus: Gpus,
    /// Memory of the container at most, such as 64g [default: no limit]
    #[arg(long, value_name = "SIZE", value_parser = memory_size)]
    pub memory: Option<String>,
    /// Do not pass a Hugging Face token to the container
    #[arg(long)]
    pub no_token: bool,
    /// Do not send an API key to the server of the `vllm` backend
    #[arg(long)]
    pub no_api_key: bool,
    /// Default limits of the container that the user lifts.
    #[command(flatten)]
    pub security: SecurityOverrides,
    /// Options of the host's meter.
    #[command(flatten)]
    pub meter: meter::Options,
}

/// The engine and the image of a container.
#[derive(Debug, Clone, PartialEq, Eq, Default, Args)]
pub struct Runtime {
    /// What runs the container
    #[arg(long, value_name = "ENGINE", default_value = "auto")]
    pub engine: EngineChoice,
    /// Image to run [default: ai_energy_score, the tag by backend; env: DOCKER_IMAGE]
    #[arg(
        long,
        value_name = "IMAGE",
        conflicts_with = "flavour",
        value_parser = NonEmptyStringValueParser::new()
    )]
    pub image: Option<String>,
    /// Flavour of our image to run
    #[arg(long, value_name = "FLAVOUR", value_parser = flavours())]
    pub flavour: Option<Flavour>,
}

/// Default limits of the container that the user lifts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Args)]
#[command(next_help_heading = "Limits of the container, to do without")]
pub struct SecurityOverrides {
    /// Let it write everywhere: for an image that needs more than its mounts, /tmp and its home
    #[arg(long)]
    pub(crate) writable_root: bool,
    /// Let it keep the capabilities that the engine gives by default
    #[arg(long)]
    pub(crate) keep_capabilities: bool,
    /// Let its programs gain privileges
    #[arg(long)]
    pub(crate) allow_new_privileges: bool,
    /// Do not limit its processes
    #[arg(long)]
    pub(crate) no_pids_limit: bool,
    /// Let it read the token files in the HuggingFace home, which are covered otherwise
    #[arg(long)]
    pub(crate) expose_tokens: bool,
    /// Run it without an SELinux label, where SELinux closes the mounted folders
    #[arg(long)]
    pub(crate) no_selinux_label: bool,
}

/// Parser for the name of a backend.
pub fn backends() -> impl TypedValueParser<Value = Backend> {
    let values =
        Backend::ALL.map(|backend| PossibleValue::new(backend.name()).help(backend.about()));
    PossibleValuesParser::new(values).try_map(|name| name.parse::<Backend>())
}

/// Parser for the name of an image flavour.
pub fn flavours() -> impl TypedValueParser<Value = Flavour> {
    let values =
        Flavour::ALL.map(|flavour| PossibleValue::new(flavour.name()).help(flavour.about()));
    PossibleValuesParser::new(values).try_map(|name| name.parse::<Flavour>())
}

/// Parses a size as `docker run --memory` does: a number, and b, k, m or g.
fn memory_size(text: &str) -> Result<String, String> {
    let digits = text.trim_end_matches(|unit: char| "bkmgBKMG".contains(unit));
    let is_size = text.len() - digits.len() <= 1 && digits.parse::<u64>().is_ok_and(|n| n > 0);
    is_size
        .then(|| text.to_owned())
        .ok_or_else(|| "a size is a number and b, k, m or g, such as 64g".to_owned())
}

/// The arguments of a command, built up option by option.
#[derive(Debug, Default)]
struct Words(Vec<String>);

impl Words {
    /// Adds an option with its value, if it has one.
    fn option(&mut self, name: &str, value: Option<impl ToString>) {
        if let Some(value) = value {
            self.0.extend([name.to_owned(), value.to_string()]);
        }
    }

    /// Adds a flag, if it is given.
    fn flag(&mut self, name: &str, is_given: bool) {
        self.0.extend(is_given.then(|| name.to_owned()));
    }
}

impl Request {
    /// The arguments of `aienergyscore run` for this request.
    pub fn words(&self) -> Vec<String> {
        let Self { num_samples, wait, offline, target, args } = self;
        let mut words = Words::default();
        target.add_to(&mut words);
        words.option("--num-samples", *num_samples);
        words.option("--wait-for-endpoint", *wait);
        words.flag("--offline", *offline);
        words.0.push("--".to_owned());
        words.0.extend(args.iter().cloned());
        words.0
    }
}

impl Target {
    /// Adds the options to the arguments of a command.
    fn add_to(&self, words: &mut Words) {
        let Self { backend, runtime, results, gpus, memory, no_token, no_api_key, security, meter } =
            self;
        let Runtime { engine, image, flavour } = runtime;
        let meter::Options { idle_seconds, watts_per_cpu } = meter;
        words.option("--engine", Some(engine.name()));
        words.option("--image", image.as_ref());
        words.option("--flavour", flavour.map(Flavour::name));
        words.option("--backend", *backend);
        words.option("--results", results.as_ref().map(|folder| folder.display()));
        words.option("--gpus", Some(gpus));
        words.option("--memory", memory.as_ref());
        words.flag("--no-token", *no_token);
        words.flag("--no-api-key", *no_api_key);
        words.option("--idle-seconds", *idle_seconds);
        words.option("--watts-per-cpu", *watts_per_cpu);
        security.add_to(words);
    }
}

impl SecurityOverrides {
    /// Adds the flags to the arguments of a command.
    fn add_to(self, words: &mut Words) {
        let Self {
            writable_root,
            keep_capabilities,
            allow_new_privileges,
            no_pids_limit,
            expose_tokens,
            no_selinux_label,
        } = self;
        words.flag("--writable-root", writable_root);
        words.flag("--keep-capabilities", keep_capabilities);
        words.flag("--allow-new-privileges", allow_new_privileges);
        words.flag("--no-pids-limit", no_pids_limit);
        words.flag("--expose-tokens", expose_tokens);
        words.flag("--no-selinux-label", no_selinux_label);
    }
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;
    use engine::EngineChoice;
    use host::gpus::Gpus;
    use proptest::prelude::*;

    use super::{Request, Runtime, SecurityOverrides, Target};

    use crate::testing::parsed;

    fn runtimes() -> impl Strategy<Value = Runtime> {
        use contract::Flavour;
        let images = prop_oneof![
            Just((None, None)),
            "[a-z:/]{1,9}".prop_map(|image| (Some(image), None)),
            prop::sample::select(&Flavour::ALL[..]).prop_map(|flavour| (None, Some(flavour))),
        ];
        (prop::sample::select(EngineChoice::value_variants()), images)
            .prop_map(|(engine, (image, flavour))| Runtime { engine, image, flavour })
    }

    fn overrides() -> impl Strategy<Value = SecurityOverrides> {
        any::<[bool; 6]>().prop_map(|[a, b, c, d, e, f]| SecurityOverrides {
            writable_root: a,
            keep_capabilities: b,
            allow_new_privileges: c,
            no_pids_limit: d,
            expose_tokens: e,
            no_selinux_label: f,
        })
    }

    fn targets() -> impl Strategy<Value = Target> {
        let gpus = ["auto", "none", "all", "3", "device=0,GPU-8f"];
        let gpus = gpus.map(|text| text.parse::<Gpus>().unwrap());
        let meter = (prop::option::of(1_u32..=3600), prop::option::of(1_u32..9000));
        let meter = meter.prop_map(|(idle_seconds, watts)| meter::Options {
            idle_seconds,
            watts_per_cpu: watts.map(|watts| watts.to_string().parse().unwrap()),
        });
        (
            prop::option::of(prop::sample::select(&contract::Backend::ALL[..])),
            runtimes(),
            prop::option::of("[ -~]{1,9}".prop_filter("no option", |text| !text.starts_with('-'))),
            prop::sample::select(gpus.to_vec()),
            prop::option::of("[1-9][0-9]{0,3}[kmg]"),
            any::<[bool; 2]>(),
            overrides(),
            meter,
        )
            .prop_map(
                |(
                    backend,
                    runtime,
                    results,
                    gpus,
                    memory,
                    [no_token, no_api_key],
                    security,
                    meter,
                )| {
                    let results = results.map(Into::into);
                    Target {
                        backend,
                        runtime,
                        results,
                        gpus,
                        memory,
                        no_token,
                        no_api_key,
                        security,
                        meter,
                    }
                },
            )
    }

    proptest! {
        #[test]
        fn request_is_parsed_from_its_own_words(
            target in targets(),
            num_samples in prop::option::of(1_u32..),
            wait in prop::option::of(any::<u32>()),
            offline in any::<bool>(),
            args in prop::collection::vec(".{0,9}", 0..4),
        ) {
            let request = Request { num_samples, wait, offline, target, args };
            let read = parsed(request.words()).map_err(|error| error.to_string());
            prop_assert_eq!(read, Ok(request));
        }
    }
}
