//! `cargo xtask smoke`: a small real benchmark, twice, with nothing but Rust, pip and a network.

mod benchmark;
mod engine;
mod hub;
mod model;
mod report;
mod weights;
mod wheel;

use std::{
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use ::engine::{Engine, EngineChoice, Mode};
use anyhow::{Context as _, ensure};
use contract::{Backend, Flavour};
use host::output::terminal;
use plan::options::{backends, flavours};
use signal_hook::{consts::SIGINT, flag};
use xshell::Shell;

use self::{benchmark::Benchmark, engine::Chosen, report::Report};
use crate::{
    build_image::{Builder, Built, ensure_entrypoint, ensure_image},
    cargo, workspace,
};

/// Flags of `cargo xtask smoke`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Smoke {
    /// A .gguf file [default: a small model that pip fetches once]
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
    /// What runs the benchmark
    #[arg(long, value_name = "ENGINE", default_value = "auto")]
    engine: EngineChoice,
    /// Image to run it in [default: the backend's smallest]
    #[arg(long, value_name = "FLAVOUR", value_parser = flavours())]
    flavour: Option<Flavour>,
    /// What runs the model [default: the image's own]
    #[arg(long, value_name = "BACKEND", value_parser = backends())]
    backend: Option<Backend>,
    /// Prompts per run
    #[arg(short, long, value_name = "N", default_value_t = 4)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    num_samples: u32,
    /// Print the outcome as JSON
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  cargo xtask smoke
  cargo xtask smoke --engine host -n 2
  cargo xtask smoke --flavour cpu --backend pytorch
  cargo xtask smoke --model ~/models/tiny.Q4_0.gguf --json

Model and results are kept in target/smoke; your own Hub cache is only ever read.";

/// What a shell calls a program that Ctrl-C ended.
const INTERRUPTED: i32 = 130;

impl Smoke {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        // Ctrl-C ends the program at work; this one lives to clean up. A second one ends it, too.
        let interrupted = Arc::new(AtomicBool::new(false));
        flag::register_conditional_shutdown(SIGINT, INTERRUPTED, interrupted.clone())
            .and_then(|_| flag::register(SIGINT, interrupted.clone()))
            .context("catching Ctrl-C")?;
        let outcome = self.test();
        if interrupted.load(Ordering::Relaxed) {
            terminal::say("interrupted: the next smoke test starts where this one ended");
            return Ok(u8::try_from(INTERRUPTED)?.into());
        }
        outcome
    }

    fn test(self) -> anyhow::Result<ExitCode> {
        let Self { model, engine, flavour, backend, num_samples, json } = self;
        let (flavour, backend) = subject(flavour, backend)?;
        let folder = workspace::target()?.join("smoke");
        let _alone = lock(&folder)?;
        let sh = Shell::new()?;
        sh.change_dir(workspace::root());

        step(1, "engine");
        let Chosen { engine, why, notes } = engine::choose(engine, flavour, &folder)?;
        ensure!(
            engine.mode != Mode::Host || backend == Backend::Native,
            "the `{backend}` backend needs a container engine, and {why}; start Docker, or test the \
             `native` backend"
        );
        say(&why);
        notes.iter().for_each(|note| say(note));

        step(2, "model");
        let mut model = model::ready(&sh, model.as_deref(), &folder)?;
        say(&format!("{}, {}", model.id, model.how));

        step(3, "programs");
        let (program, entrypoint) = (runner(&sh)?, container_or_program(&engine, flavour)?);
        if backend != Backend::Native {
            model = weights::ready(&sh, &engine, flavour, &model, &folder)?;
            say(&format!("weights: {}, {}", model.id, model.how));
        }
        let benchmark = Benchmark {
            program,
            entrypoint,
            engine: engine.mode.engine(),
            hf_home: folder.join("huggingface"),
            model: model.id,
            flavour,
            backend,
            num_samples,
        };
        let mut runs = Vec::new();
        for (number, title) in [(1, "first run"), (2, "second run, which must fetch nothing")] {
            step(number + 3, title);
            runs.push(benchmark.run(&sh, &folder.join("results").join(format!("run-{number}")))?);
        }
        let report = Report::new(engine.mode.engine(), why, runs, benchmark::caller()?);
        let text = if json { serde_json::to_string_pretty(&report)? } else { report.table() };
        terminal::print(&format!("{text}\n"))?;
        Ok(if report.faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// The image and the backend that are meant.
fn subject(
    flavour: Option<Flavour>,
    backend: Option<Backend>,
) -> anyhow::Result<(Flavour, Backend)> {
    let backend = backend.or(flavour.map(Flavour::default_backend)).unwrap_or(Backend::Native);
    let flavour = flavour.unwrap_or(match backend {
        Backend::Native => Flavour::Smoke,
        _ => Flavour::Cpu,
    });
    ensure!(
        backend != Backend::Vllm,
        "the `{backend}` backend runs no model itself; `cargo test --package runner --test it vllm -- \
         --include-ignored` tries it on servers that do"
    );
    ensure!(
        backend == Backend::Native || flavour != Flavour::Smoke,
        "the `{flavour}` image has only the `native` backend; leave `--flavour` out"
    );
    Ok((flavour, backend))
}

/// Says which part of the work begins.
fn step(number: usize, title: &str) {
    terminal::say(format_args!("step {number}/5: {title}"));
}

/// Says how a part of the work went.
fn say(what: &str) {
    terminal::say(format_args!("  {what}"));
}

/// Waits until no other smoke test works in `folder`: they would write to the same results.
fn lock(folder: &Path) -> anyhow::Result<File> {
    let locking = || format!("locking `{}`", folder.display());
    fs::create_dir_all(folder).with_context(locking)?;
    let file = File::create(folder.join(".lock")).with_context(locking)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            terminal::say("waiting for another smoke test to end");
            file.lock().with_context(locking)?;
        }
        Err(TryLockError::Error(error)) => return Err(error).with_context(locking),
    }
    Ok(file)
}

/// Builds the runner.
fn runner(sh: &Shell) -> anyhow::Result<PathBuf> {
    // Together with this program, so that both use the same builds of their dependencies.
    let packages = ["--locked", "--package", "aienergyscore", "--package", "xtask"];
    let command = cargo::cargo(sh).arg("build").args(packages).args(["--bin", "aienergyscore"]);
    let program = cargo::build(command, "aienergyscore")?;
    say(&format!("runner: {}", program.display()));
    Ok(program)
}

/// Makes the image ready or, where there are no containers, the program of the host engine.
fn container_or_program(engine: &Engine, flavour: Flavour) -> anyhow::Result<Option<PathBuf>> {
    if engine.mode == Mode::Host {
        let program = ensure_entrypoint()?;
        say(&format!("entrypoint: {}", program.display()));
        return Ok(Some(program));
    }
    let Built { image, digest: _, built, size } = ensure_image(&Builder::of(engine), flavour)?;
    let how = if built { "built" } else { "up to date" };
    say(&format!("image: {image}, {how}, {size}"));
    Ok(None)
}
