//! Runs `aienergyscore` as a user would, and reads the results.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use contract::{Backend, Flavour, argument, env, output, summary::Summary};
use host::output::terminal;
use serde::Deserialize;
use untrusted::{Dir, Found};
use xshell::Shell;

use super::report::Run;
use crate::{atomic_file, process};

/// Variables of the caller that change a run, besides those of the contract.
const REMOVED: [&str; 4] =
    [env::HUGGINGFACE_HUB_CACHE, env::HUGGING_FACE_HUB_TOKEN, env::HF_HUB_OFFLINE, env::RUN_ID];

/// Argument that shortens a run.
const ONE_WARMUP: &str = "scenario.warmup_runs=1";

/// Assumed power of a busy CPU where no counter can be read. codecarbon assumes the same for an
/// unknown processor.
const WATTS_PER_CPU: &str = "4";

/// Size limit of the files that are read here.
const MAX_BYTES: u64 = 16 << 20;

/// Depth limit of the results and of the cache.
const MAX_DEPTH: usize = 64;

/// The settings of all runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Benchmark {
    /// Path of `aienergyscore`.
    pub(super) program: PathBuf,
    /// Path of the entrypoint, for the host engine.
    pub(super) entrypoint: Option<PathBuf>,
    /// Value of `--engine`.
    pub(super) engine: &'static str,
    /// Hugging Face home that contains the model.
    pub(super) hf_home: PathBuf,
    /// Id of the model.
    pub(super) model: String,
    pub(super) flavour: Flavour,
    pub(super) backend: Backend,
    pub(super) num_samples: u32,
}

impl Benchmark {
    /// Runs the benchmark with an empty results folder `results`.
    ///
    /// # Errors
    /// When the benchmark fails, or writes no summary.
    pub(super) fn run(&self, sh: &Shell, results: &Path) -> anyhow::Result<Run> {
        let Self { program, entrypoint, engine, hf_home, model, flavour, backend, num_samples } =
            self;
        match fs::remove_dir_all(results) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                let emptying = || format!("emptying `{}`", results.display());
                return Err(error).with_context(emptying);
            }
            _ => {}
        }
        let mut command = sh
            .cmd(program)
            .args(["run", "--engine", engine, "--results"])
            .arg(results)
            .args(["-n", &num_samples.to_string(), "--watts-per-cpu", WATTS_PER_CPU]);
        if entrypoint.is_none() {
            command = command.args(["--flavour", flavour.name()]);
        }
        if *backend != flavour.default_backend() {
            command = command.args(["--backend", backend.name()]);
        }
        if *backend != Backend::Native {
            // Model and prompts are local, so a run that needs the network has a fault.
            let prompts = prompts(hf_home)?;
            command = command.arg("--offline").arg(format!(
                "{}={}",
                argument::DATASET,
                prompts.display()
            ));
        }
        command = command.arg(ONE_WARMUP).arg(format!("{}={model}", argument::MODEL));
        for name in env::HOST.into_iter().chain(REMOVED) {
            command = command.env_remove(name);
        }
        command = command.env(env::HF_HOME, hf_home);
        if let Some(entrypoint) = entrypoint {
            command = command.env(env::ENTRYPOINT, entrypoint);
        }
        terminal::say(format_args!("$ {command}"));
        let status = process::stream(command, &[])?;
        if !status.success() {
            bail!(
                "the benchmark failed ({status}) and says above why; what it left is in `{}`",
                results.display()
            );
        }
        let folder = Dir::open(results).context("opening what the run left")?;
        Ok(Run {
            answers: answers(&folder)?,
            summary: summary(&folder)?,
            owners: owners(&[results, hf_home])?,
            results: results.to_owned(),
        })
    }
}

/// Writes the prompts for the Python stacks to a file next to the Hugging Face home.
fn prompts(hf_home: &Path) -> anyhow::Result<PathBuf> {
    let file = hf_home.with_file_name("prompts.csv");
    atomic_file::write(&file, include_bytes!("prompts.csv"))?;
    Ok(file)
}

/// The digest of all answers, if the backend wrote one.
fn answers(results: &Dir) -> anyhow::Result<Option<String>> {
    #[derive(Deserialize)]
    struct Record {
        answers_sha256: String,
    }
    let reading = || format!("reading `{}`", output::RECORD);
    let text = results.read_if_there(output::RECORD, MAX_BYTES).with_context(reading)?;
    let record: Option<Record> =
        text.map(|text| serde_json::from_slice(&text)).transpose().with_context(reading)?;
    Ok(record.map(|record| record.answers_sha256))
}

fn summary(results: &Dir) -> anyhow::Result<Summary> {
    let reading = || format!("reading `{}`", output::SUMMARY);
    let text = results.read(output::SUMMARY, MAX_BYTES).with_context(reading)?;
    serde_json::from_slice(&text).with_context(reading)
}

/// Number of files and folders in `folders` per owner.
fn owners(folders: &[&Path]) -> anyhow::Result<BTreeMap<u32, u64>> {
    let mut owners = BTreeMap::new();
    for folder in folders {
        let mut first_error = None;
        let dir = Dir::open(folder).context("reading what the run left")?;
        *owners.entry(dir.look("").context("reading what the run left")?.uid).or_default() += 1;
        dir.walk(MAX_DEPTH, |found| match found {
            Found::Entry { stamp, .. } => {
                *owners.entry(stamp.uid).or_default() += 1;
                true
            }
            Found::Closed { error, .. } => {
                first_error.get_or_insert(error);
                false
            }
        });
        first_error.map_or(Ok(()), Err).context("reading what the run left")?;
    }
    Ok(owners)
}
