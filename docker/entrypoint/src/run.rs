//! One run: the backend under supervision, then the summary, then the proof of completion.

use std::{
    env,
    ffi::OsString,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process::Command,
    sync::mpsc,
    thread,
    time::SystemTime,
};

use anyhow::{Context, bail};
use backend_reports::Folder;
use contract::{
    Backend, Flavour, env as name,
    exit::{self, Usage},
    output, path,
};
use streams::Stream;
use untrusted::escape;

use crate::{
    arguments, cli, devices,
    failure::{self, say},
    folders::{self, Verdict},
    shell,
    stack::Stack,
    summary,
    supervise::{GRACE, Outcome, Sinks, supervise},
    watch::{self, Event},
};

/// Exit code when the supervisor went away: that of a program ended by SIGTERM.
const SUPERVISOR_GONE: u8 = 143;

/// More threads than this wait for each other longer than the `native` backend computes.
const MOST_THREADS: usize = 8;

/// Bytes from which on Linux starts no program with an argument: 32 pages, the last byte a zero.
const LONGEST_ARGUMENT: usize = 128 * 1024;

/// Names the number of threads of the `native` backend's inference library.
const THREADS: &str = "RAYON_NUM_THREADS";

/// The results folder.
pub(crate) fn results(variable: impl Fn(&str) -> Option<OsString>) -> PathBuf {
    let set = variable(name::RESULTS_DIR).filter(|value| !value.is_empty());
    set.map_or_else(|| path::RESULTS.into(), PathBuf::from)
}

/// Runs the benchmark with `args`; the exit code.
pub(crate) fn run(args: Vec<String>, variable: impl Fn(&str) -> Option<OsString>) -> u8 {
    let results = results(&variable);
    // The runner says it: only there it is known why.
    let same_kernel = match folders::compare(&results, variable(name::FOLDERS)) {
        Verdict::Others => return exit::WRONG_MOUNTS,
        Verdict::Fine { same_kernel } => same_kernel,
    };
    let results = match prepare(&results) {
        Ok(results) => results,
        Err(error) => return failure::report(&error),
    };
    let benchmark = benchmark(args, &results, &variable);
    let exit_code = benchmark.unwrap_or_else(|error| failure::report(&error));
    let run_id = variable(name::RUN_ID).unwrap_or_default().to_string_lossy().into_owned();
    match complete(&results, output::Completion { run_id, exit_code, same_kernel }) {
        Ok(()) => exit_code,
        Err(error) if exit_code == 0 => failure::report(&error),
        Err(error) => {
            failure::report(&error);
            exit_code
        }
    }
}

/// Makes the results folder ready: it exists, and an earlier run's outputs are out of the way. From
/// here on it is this open folder, whatever becomes of its path.
fn prepare(results: &Path) -> anyhow::Result<Folder> {
    let shown = escape(&results.to_string_lossy());
    fs::create_dir_all(results)
        .with_context(|| format!("creating the results folder `{shown}`"))?;
    let folder = Folder::open(results)?;
    let aside = contract::previous::archive(folder.dir(), SystemTime::now())
        .with_context(|| format!("setting the outputs of an earlier run aside in `{shown}`"))?;
    if let Some(aside) = aside {
        say(&format!("moved the outputs of an earlier run to `{}`", folder.shown(&aside)));
    }
    Ok(folder)
}

fn benchmark(
    args: Vec<String>,
    results: &Folder,
    variable: impl Fn(&str) -> Option<OsString>,
) -> anyhow::Result<u8> {
    devices::check(variable(name::GPUS), Path::new("/dev"))?;
    let stack = Stack::of(Path::new("/"));
    let backend = backend(variable(name::BENCHMARK_BACKEND), stack.is_some())?;
    let available = thread::available_parallelism().map_or(1, usize::from);
    let mut command = command(backend, args, stack, results.path(), free(available))?;
    if variable(THREADS).is_none() {
        command.env(THREADS, free(available).min(MOST_THREADS).to_string());
    }

    command.envs(shell::addresses(&variable)?);

    // Earlier logs were moved away: what has its name by now was put there by somebody else.
    let log = results.dir().create(output::LOG, 0o666).with_context(|| {
        format!("creating `{}`; check the rights there", results.shown(output::LOG))
    })?;
    let outcome = watched(command, "benchmark", Some(log), variable)
        .with_context(|| format!("running the `{backend}` backend"))?;
    match outcome {
        Outcome { cause: Some(Event::SupervisorGone), code } => Ok(code),
        Outcome { code: 0, .. } => {
            summary::write(results, backend)?;
            Ok(0)
        }
        Outcome { code, cause } => {
            let by = if cause.is_some() { " after a signal to end" } else { "" };
            say(&format!("error: the `{backend}` backend failed{by}: exit code {code}"));
            Ok(code)
        }
    }
}

/// Runs `command` until it, its user or its supervisor ends it. `what` names it for messages.
pub(crate) fn watched(
    command: Command,
    what: &str,
    log: Option<File>,
    variable: impl Fn(&str) -> Option<OsString>,
) -> anyhow::Result<Outcome> {
    const STARTING: &str = "starting the threads that watch over it";
    let (sender, events) = mpsc::channel();
    watch::signals(sender.clone()).context(STARTING)?;
    if variable(name::RUN_ID).is_some() {
        watch::supervisor(io::stdin(), sender.clone()).context(STARTING)?;
    }
    let sinks = Sinks { out: Stream::Out, err: Stream::Err, log };
    let outcome = supervise(command, sinks, &sender, &events, GRACE)?;
    if outcome.cause != Some(Event::SupervisorGone) {
        return Ok(outcome);
    }
    say(&format!(
        "standard input was closed: ended the {what}, as its supervisor wants or is gone"
    ));
    Ok(Outcome { code: SUPERVISOR_GONE, ..outcome })
}

/// One processor is left to everything else: the threads meet after every matrix, and each meeting
/// waits for the one that another program has displaced. Measured with SmolLM2-135M on two
/// processors with one other busy program: one thread 26 to 35 tokens/s, two threads 5 to 7.
fn free(available: usize) -> usize {
    available.saturating_sub(1).max(1)
}

fn complete(results: &Folder, completion: output::Completion) -> anyhow::Result<()> {
    results.write(output::COMPLETION, &serde_json::to_string_pretty(&completion)?)
}

/// The backend that was asked for, or this image's own.
fn backend(asked: Option<OsString>, has_stacks: bool) -> Result<Backend, Usage> {
    let asked = asked.unwrap_or_default();
    if asked.is_empty() {
        return Ok(if has_stacks { Backend::Optimum } else { Backend::Native });
    }
    let backend: Result<Backend, _> = asked.to_string_lossy().parse();
    backend.map_err(|error| Usage(format!("{}: {error}", name::BENCHMARK_BACKEND)))
}

/// The program that is `backend`.
fn command(
    backend: Backend,
    args: Vec<String>,
    stack: Option<Stack>,
    results: &Path,
    threads: usize,
) -> anyhow::Result<Command> {
    if backend == Backend::Vllm && env::var_os(name::VLLM_ENDPOINT).is_none_or(|set| set.is_empty())
    {
        bail!(Usage(format!(
            "the `{backend}` backend sends its prompts to a server, and {0} names none; set it, for \
             example {0}=http://{1}:8000/v1",
            name::VLLM_ENDPOINT,
            contract::HOST_GATEWAY
        )));
    }
    match (backend, stack) {
        (Backend::Native, _) => {
            // Not the path that we were started by: an update of the file would start another
            // program.
            let mut command = Command::new("/proc/self/exe");
            command.arg(cli::NATIVE).arg(std::process::id().to_string()).args(args);
            if let Some(program) = env::args_os().next() {
                std::os::unix::process::CommandExt::arg0(&mut command, program);
            }
            Ok(command)
        }
        (backend, Some(stack)) => {
            let settings = arguments::parse(&args, backend).map_err(Usage)?;
            let bytes = settings.json().len();
            if bytes >= LONGEST_ARGUMENT {
                bail!(Usage(format!(
                    "the arguments make {bytes} bytes, and the kernel hands on less than \
                     {LONGEST_ARGUMENT}; shorten the longest"
                )));
            }
            Ok(stack.run(&settings, results, threads).map_err(Usage)?)
        }
        (backend, None) => bail!(Usage(format!(
            "the `{backend}` backend needs the Python stacks, which are not here; use the image {} \
             (CUDA) or {}, or `--backend {}`",
            Flavour::Cuda.image(),
            Flavour::Cpu.image(),
            Backend::Native,
        ))),
    }
}

/// Makes weights for the stacks of a GGUF file; the exit code.
pub(crate) fn convert(source: &str, target: &str) -> u8 {
    let converted = || -> anyhow::Result<u8> {
        let stack = Stack::of(Path::new("/")).with_context(|| {
            format!(
                "`{}` needs the Python stacks, which are not here; use the image {}",
                cli::CONVERT,
                Flavour::Cpu.image()
            )
        })?;
        let mut command = stack.convert(source, target);
        let status = command.status().context("starting the Python of the stacks")?;
        Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(exit::FAILED))
    };
    converted().unwrap_or_else(|error| failure::report(&error))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use contract::Backend;

    use super::{backend, command, free, results};

    #[test]
    fn one_processor_is_left_to_others() {
        assert_eq!([1, 2, 8, 64].map(free), [1, 1, 7, 63]);
    }

    #[test]
    fn results_go_where_they_are_told() {
        assert_eq!(results(|_| None), Path::new("/results"));
        assert_eq!(results(|_| Some("".into())), Path::new("/results"));
        assert_eq!(results(|_| Some("/r".into())), Path::new("/r"));
    }

    #[test]
    fn the_backend_is_the_images_own_unless_another_is_named() {
        assert_eq!(backend(None, false), Ok(Backend::Native));
        assert_eq!(backend(Some("".into()), true), Ok(Backend::Optimum));
        assert_eq!(backend(Some("vllm".into()), false), Ok(Backend::Vllm));
        let error = backend(Some("x".into()), true).unwrap_err().to_string();
        assert!(error.starts_with("BENCHMARK_BACKEND: unknown backend `x`"), "{error}");
    }

    #[test]
    fn a_backend_of_other_images_names_them() {
        let error = command(Backend::Optimum, vec![], None, Path::new("/results"), 1).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the `optimum` backend needs the Python stacks, which are not here; use the image \
             ai_energy_score:latest (CUDA) or ai_energy_score:cpu, or `--backend native`"
        );
    }
}
