//! Runs a benchmark: the backend under supervision, then the summary, then the completion marker.

mod addresses;
mod gpus;
mod mounts;
mod summary;

use std::{
    fs,
    path::Path,
    process::{self, Command},
    thread,
    time::SystemTime,
};

use anyhow::{Context as _, bail};
use backend_reports::Folder;
use contract::{Backend, Flavour, env as name, output};
use untrusted::escape;

use self::mounts::Mounts;
pub(crate) use self::summary::summary_of;
use crate::{
    arguments, cli,
    environment::{Environment, this_program},
    exit::{self, Usage, say},
    python::Stacks,
    supervise::{self, Event, Outcome},
};

/// More threads than this slow the `native` backend down: they wait for each other.
const MOST_THREADS: usize = 8;

/// Linux starts no program with an argument of this many bytes or more: 32 pages, with a final
/// zero.
const LONGEST_ARGUMENT: usize = 128 * 1024;

/// Number of threads of the `native` backend's inference library.
const RAYON_NUM_THREADS: &str = "RAYON_NUM_THREADS";

/// Runs the benchmark with `args`; returns the exit code.
pub(crate) fn run(args: Vec<String>, environment: &Environment) -> anyhow::Result<u8> {
    let results = environment.results_folder();
    // Only the runner knows why the mounts differ, so it prints the message.
    let same_kernel = match mounts::compare(&results, environment.get(name::FOLDERS)) {
        Mounts::Different => return Ok(contract::exit::WRONG_MOUNTS),
        Mounts::Same { same_kernel } => same_kernel,
    };
    let results = prepare(&results)?;
    let benchmark = benchmark(args, &results, environment);
    let exit_code = benchmark.unwrap_or_else(|error| exit::report(&error));
    let run_id = environment.get(name::RUN_ID).unwrap_or_default().to_string_lossy().into_owned();
    let completion = output::Completion { run_id, exit_code, same_kernel };
    match results.write(output::COMPLETION, &serde_json::to_string_pretty(&completion)?) {
        Err(error) if exit_code == 0 => return Err(error),
        Err(error) => _ = exit::report(&error),
        Ok(()) => {}
    }
    Ok(exit_code)
}

/// Creates the results folder, archives the outputs of an earlier run, and returns the open folder.
/// Everything after this uses the open folder, because its path may be replaced.
fn prepare(results: &Path) -> anyhow::Result<Folder> {
    let shown = escape(&results.to_string_lossy());
    fs::create_dir_all(results)
        .with_context(|| format!("creating the results folder `{shown}`"))?;
    let folder = Folder::open(results)?;
    let archive = contract::previous::archive(folder.dir(), SystemTime::now())
        .with_context(|| format!("setting the outputs of an earlier run aside in `{shown}`"))?;
    if let Some(archive) = archive {
        say(&format!("moved the outputs of an earlier run to `{}`", folder.shown(&archive)));
    }
    Ok(folder)
}

fn benchmark(args: Vec<String>, results: &Folder, environment: &Environment) -> anyhow::Result<u8> {
    gpus::check(environment.get(name::GPUS), Path::new("/dev"))?;
    let stacks = Stacks::installed(environment);
    let backend = backend(environment, stacks.is_some())?;
    let mut command = command(backend, args, stacks, results.path(), environment)?;
    let processors = thread::available_parallelism().map_or(1, usize::from);
    let threads = threads(processors);
    for (name, threads) in
        [(name::OMP_NUM_THREADS, threads), (RAYON_NUM_THREADS, threads.min(MOST_THREADS))]
    {
        if !environment.is_set(name) {
            command.env(name, threads.to_string());
        }
    }
    command.envs(addresses::read(environment)?);

    // Earlier logs are archived by now, so an existing file was planted during this run.
    let log = results.dir().create(output::LOG, 0o666).with_context(|| {
        format!("creating `{}`; check the rights there", results.shown(output::LOG))
    })?;
    let outcome = supervise::run(command, "benchmark", Some(log), environment)
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

/// How many threads compute. One processor is left free: the threads synchronise after every
/// matrix, and wait for one that another program has preempted. Measured with SmolLM2-135M on two
/// processors beside one busy program: 26 to 35 tokens/s with one thread, 5 to 7 with two.
fn threads(processors: usize) -> usize {
    processors.saturating_sub(1).max(1)
}

/// The backend that the environment names, or this image's default.
fn backend(environment: &Environment, has_stacks: bool) -> Result<Backend, Usage> {
    let Some(backend) = environment.get(name::BENCHMARK_BACKEND) else {
        return Ok(if has_stacks { Backend::Optimum } else { Backend::Native });
    };
    let backend: Result<Backend, _> = backend.to_string_lossy().parse();
    backend.map_err(|error| Usage(format!("{}: {error}", name::BENCHMARK_BACKEND)))
}

/// The command that starts `backend`.
fn command(
    backend: Backend,
    args: Vec<String>,
    stacks: Option<Stacks>,
    results: &Path,
    environment: &Environment,
) -> anyhow::Result<Command> {
    if backend == Backend::Vllm && environment.get(name::VLLM_ENDPOINT).is_none() {
        bail!(Usage(format!(
            "the `{backend}` backend sends its prompts to a server, and {0} names none; set it, for \
             example {0}=http://{1}:8000/v1",
            name::VLLM_ENDPOINT,
            contract::HOST_GATEWAY
        )));
    }
    match (backend, stacks) {
        (Backend::Native, _) => {
            let mut command = this_program();
            command.arg(cli::NATIVE).arg(process::id().to_string()).args(args);
            Ok(command)
        }
        (backend, Some(stacks)) => {
            let settings = arguments::parse(&args, backend).map_err(Usage)?;
            let bytes = settings.json().len();
            if bytes >= LONGEST_ARGUMENT {
                bail!(Usage(format!(
                    "the arguments make {bytes} bytes, and the kernel hands on less than \
                     {LONGEST_ARGUMENT}; shorten the longest"
                )));
            }
            Ok(stacks.run(&settings, results).map_err(Usage)?)
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use contract::Backend;

    use super::{Environment, backend, command, threads};

    #[test]
    fn one_processor_is_left_free() {
        assert_eq!([1, 2, 8, 64].map(threads), [1, 1, 7, 63]);
    }

    #[test]
    fn backend_is_the_images_default_unless_the_environment_names_one() {
        let named = |name: &str| Environment::from_iter([("BENCHMARK_BACKEND", name)]);
        assert_eq!(backend(&Environment::default(), false), Ok(Backend::Native));
        assert_eq!(backend(&named(""), true), Ok(Backend::Optimum));
        assert_eq!(backend(&named("vllm"), false), Ok(Backend::Vllm));
        let error = backend(&named("x"), true).unwrap_err().to_string();
        assert!(error.starts_with("BENCHMARK_BACKEND: unknown backend `x`"), "{error}");
    }

    #[test]
    fn backend_without_its_stacks_names_the_images_that_have_them() {
        let (results, environment) = (Path::new("/results"), Environment::default());
        let error = command(Backend::Optimum, vec![], None, results, &environment).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the `optimum` backend needs the Python stacks, which are not here; use the image \
             ai_energy_score:latest (CUDA) or ai_energy_score:cpu, or `--backend native`"
        );
    }
}
