//! One run of the real runner, as a user would start it, and what it left behind.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use contract::{Backend, Flavour, argument, env, output, summary::Summary};
use host::{atomic_file, machine::Host, output::terminal};
use serde::Deserialize;
use untrusted::{Dir, Found};
use xshell::Shell;

use super::report::Run;
use crate::tool;

/// Variables of the caller that would make it another run.
const CALLERS: [&str; 4] =
    [env::HUGGINGFACE_HUB_CACHE, env::HUGGING_FACE_HUB_TOKEN, env::HF_HUB_OFFLINE, env::RUN_ID];

/// Argument that makes a run as short as a real one can be.
const SHORT: &str = "scenario.warmup_runs=1";

/// Power of a busy CPU that is assumed where no counter can be read: what codecarbon assumes of a
/// processor that it does not know.
const WATTS_PER_CPU: &str = "4";

/// Bytes of the largest file that a run leaves and that is read here.
const MOST_BYTES: u64 = 16 << 20;

/// Folders below one another that a run leaves at most.
const DEEPEST: usize = 64;

/// What is run, the same each time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Benchmark {
    /// The runner.
    pub(super) program: PathBuf,
    /// The entrypoint, when it runs without a container.
    pub(super) entrypoint: Option<PathBuf>,
    /// What runs it, as `--engine` takes it.
    pub(super) engine: &'static str,
    /// HuggingFace home with the model.
    pub(super) hf_home: PathBuf,
    /// The model's id.
    pub(super) model: String,
    /// Image that runs it, in a container.
    pub(super) flavour: Flavour,
    /// What runs the model.
    pub(super) backend: Backend,
    /// Prompts.
    pub(super) num_samples: u32,
}

impl Benchmark {
    /// Runs it, with its output on standard error, into the emptied folder `results`.
    ///
    /// # Errors
    /// When it fails, or leaves no summary.
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
            // All that the stacks need is here: a run that asks the network is broken.
            let prompts = prompts(hf_home)?;
            command = command.arg("--offline").arg(format!(
                "{}={}",
                argument::DATASET,
                prompts.display()
            ));
        }
        command = command.arg(SHORT).arg(format!("{}={model}", argument::MODEL));
        for name in env::HOST.iter().map(|(name, ..)| *name).chain(CALLERS) {
            command = command.env_remove(name);
        }
        command = command.env(env::HF_HOME, hf_home);
        if let Some(entrypoint) = entrypoint {
            command = command.env(env::ENTRYPOINT, entrypoint);
        }
        terminal::say(format_args!("$ {command}"));
        let status = tool::live(command, &[])?;
        if !status.success() {
            bail!(
                "the benchmark failed ({status}) and says above why; what it left is in `{}`",
                results.display()
            );
        }
        let left = Dir::open(results).context("opening what the run left")?;
        Ok(Run {
            answers: answers(&left)?,
            summary: summary(&left)?,
            owners: owners(&[results, hf_home])?,
            results: results.to_owned(),
        })
    }
}

/// The prompts of the Python stacks, as a file beside the Hub cache.
fn prompts(hf_home: &Path) -> anyhow::Result<PathBuf> {
    let file = hf_home.with_file_name("prompts.csv");
    atomic_file::write(&file, include_bytes!("prompts.csv"))?;
    Ok(file)
}

/// The digest of all answers, where the backend leaves one.
fn answers(results: &Dir) -> anyhow::Result<Option<String>> {
    #[derive(Deserialize)]
    struct Record {
        answers_sha256: String,
    }
    let reading = || format!("reading `{}`", output::RECORD);
    let text = results.read_if_there(output::RECORD, MOST_BYTES).with_context(reading)?;
    let record: Option<Record> =
        text.map(|text| serde_json::from_slice(&text)).transpose().with_context(reading)?;
    Ok(record.map(|record| record.answers_sha256))
}

/// The caller's uid, who must own all that a run leaves.
///
/// # Errors
/// When the working directory is gone.
pub(super) fn caller() -> anyhow::Result<u32> {
    Ok(Host::read()?.uid)
}

fn summary(results: &Dir) -> anyhow::Result<Summary> {
    let reading = || format!("reading `{}`", output::SUMMARY);
    let text = results.read(output::SUMMARY, MOST_BYTES).with_context(reading)?;
    serde_json::from_slice(&text).with_context(reading)
}

/// How many files and folders each uid owns in `folders`.
fn owners(folders: &[&Path]) -> anyhow::Result<BTreeMap<u32, u64>> {
    let mut owners = BTreeMap::new();
    for folder in folders {
        let mut closed = None;
        let dir = Dir::open(folder).context("reading what the run left")?;
        *owners.entry(dir.look("").context("reading what the run left")?.uid).or_default() += 1;
        dir.walk(DEEPEST, |found| match found {
            Found::Entry { stamp, .. } => {
                *owners.entry(stamp.uid).or_default() += 1;
                true
            }
            Found::Closed { error, .. } => {
                closed.get_or_insert(error);
                false
            }
        });
        closed.map_or(Ok(()), Err).context("reading what the run left")?;
    }
    Ok(owners)
}
