//! A run, from the request to the exit code: the only place where a plan meets the world.

mod aftermath;
mod folders;
mod lock;
mod outcome;
mod pump;
mod reaper;
mod supervise;

use std::{fs, path::Path, time::SystemTime};

use anyhow::{Context as _, bail};
use contract::{Backend, Flavour, output, previous::set_aside, summary::Summary};
use serde_json::json;

use folders::shown_for_shell;
pub use folders::{Need, foreign_entries, ready, repos_out_of_sight};
pub use lock::ResultsLock;
use outcome::{ContainerState, Evidence};
use reaper::Reaper;
pub use reaper::reap;
use supervise::Running;

use crate::{
    engine::{self, Detected, Engine},
    exit::Exit,
    gpus::Devices,
    host::Host,
    host_path::HostPath,
    hub_cache::delta::Inventory,
    options::{Request, RunOptions},
    plan::{Pull, RunPlan},
    process::capture,
    render::command_line,
    report,
    shell::{CommandLine, Style},
    terminal::{self, warn},
    token::TokenSource,
};

/// What the user wants to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Show {
    /// The run, and its summary as text.
    Run,
    /// The run, and its summary as JSON.
    RunJson,
    /// The command as shell text, without running it.
    Command,
    /// Each part of the command with its reason, without running it.
    Explanation,
    /// Engine, argument vector and plan as JSON, without running anything.
    Plan,
}

/// Plans and, unless only the plan is wanted, runs.
///
/// # Errors
/// When the run could not be tried, or failed for another reason than the benchmark's own.
pub fn run(request: Request, show: Show) -> anyhow::Result<Exit> {
    let host = Host::read()?;
    let options = RunOptions::read(request, &host)?;
    if matches!(show, Show::Command | Show::Explanation | Show::Plan) {
        let (options, detected, plan) = plan(options, &host)?;
        let Detected { engine, why, warning } = &detected;
        let command = command_line(engine, &plan);
        terminal::say(format_args!("engine: {why}"));
        warn(warning.clone());
        warn(plan.surprise());
        if let Some(TokenSource::Variable { name, file }) = &options.token {
            terminal::say(format_args!(
                "note: a run makes `{file}` from {name} first, and deletes it afterwards"
            ));
        }
        match show {
            Show::Explanation => terminal::print(&command.explain())?,
            Show::Plan => {
                terminal::print(&format!("{:#}\n", plan_json(&detected, &plan, &command)))?;
            }
            _ => terminal::print(&format!("{}\n", command.to_shell(Style::Concrete)))?,
        }
        return Ok(Exit::Success);
    }
    // Folders come first: a cache that is a link is only followed when it is there.
    ready("results folder", &options.results, &host, Need::Write)?;
    let lock = ResultsLock::take(&options.results, &options.run_id)?;
    if options.backend.is_none_or(Backend::needs_hub_cache) {
        let need = if options.offline { Need::Read } else { Need::WriteOrWarn };
        for (what, folder) in options.cache.folders() {
            warn(ready(what, folder, &host, need)?);
        }
        warn(foreign_entries(&options.cache, &host));
    }
    let (options, Detected { engine, why, warning }, plan) = plan(options, &host)?;
    warn(warning);
    warn(plan.surprise());
    if engine.has_containers() && plan.backend.value.needs_hub_cache() {
        warn(repos_out_of_sight(&options.cache));
    }
    image_is_there(&engine, &plan)?;
    if host.uid == 0 {
        warn(Some("you are root, so the benchmark and its files are root's, too".to_owned()));
    }
    announce(&why, &plan);
    if let Some(folder) =
        set_aside(options.results.as_path(), SystemTime::now()).with_context(|| {
            format!(
                "moving earlier results in `{}` aside; if they are not yours, \
                 `sudo chown -hR \"$(id -u):$(id -g)\"` the folder",
                options.results
            )
        })?
    {
        terminal::say(format_args!("earlier results: moved to {}", folder.display()));
    }
    launch(&options, &host, &engine, &plan, &lock, show)
}

fn plan(options: RunOptions, host: &Host) -> anyhow::Result<(RunOptions, Detected, RunPlan)> {
    let options = options.settle()?;
    let detected = engine::detect(&options, host)?;
    let plan = RunPlan::new(&options, host, &detected.engine)?;
    Ok((options, detected, plan))
}

/// Starts the benchmark, waits for its end, cleans up, judges and reports.
fn launch(
    options: &RunOptions,
    host: &Host,
    engine: &Engine,
    plan: &RunPlan,
    lock: &ResultsLock,
    show: Show,
) -> anyhow::Result<Exit> {
    let hub = plan.backend.value.needs_hub_cache().then(|| options.cache.hub.as_path());
    let before = hub.map(take_inventory).transpose()?;
    // First the reaper: from here on somebody cleans up, whatever becomes of this process.
    let mut reaper = Reaper::start(engine, plan, options, lock)?;
    let token = match &options.token {
        Some(token) if engine.has_containers() => {
            readable(token, plan.backend.value, host)?;
            token.write(host)?
        }
        _ => None,
    };
    let running = Running::start(&command_line(engine, plan), show == Show::RunJson)?;
    reaper.watch(&running.pids())?;
    let ended = running.wait(engine, plan)?;
    drop(token);
    let made = container_was_made(plan);
    let state = container_state(engine, plan);
    remove_container(engine, plan)?;
    reaper.dismiss()?;

    let evidence = Evidence {
        engine: engine.mode.engine(),
        client_code: ended.code,
        signal: ended.signal,
        made,
        state,
        completion: read_json(&options.results, output::COMPLETION)?,
        has_report: options.results.as_path().join(output::REPORT).is_file(),
        has_summary: options.results.as_path().join(output::SUMMARY).is_file(),
    };
    let verdict = outcome::judge(&plan.run_id, &evidence);
    warn(aftermath::foreign_results(&options.results, host.uid));
    if verdict.exit == Exit::Success {
        let cache = match (before, hub) {
            (Some(before), Some(hub)) => match take_inventory(hub) {
                Ok(after) => Some(before.added_in(&after)),
                // The run itself is whole.
                Err(error) => {
                    warn(Some(format!("{error:#}")));
                    None
                }
            },
            _ => None,
        };
        let summary = aftermath::complete_summary(&options.results, cache)?;
        show_summary(&summary, &options.results, show)?;
    }
    if let Some(message) = verdict.message {
        terminal::say(format_args!("error: {message}\nresults so far: {}", options.results));
    }
    Ok(verdict.exit)
}

fn take_inventory(hub: &Path) -> anyhow::Result<Inventory> {
    Inventory::take(hub).with_context(|| {
        format!("listing the Hub cache `{}`, to tell what the run adds to it", hub.display())
    })
}

fn announce(why: &str, plan: &RunPlan) {
    terminal::say(format_args!("engine: {why}"));
    if let Some(image) = &plan.image {
        terminal::say(format_args!(
            "image: {}, backend {}",
            image.value.reference, plan.backend.value
        ));
    }
    let gpus = match &plan.gpus.value {
        Devices::None => "none".to_owned(),
        Devices::All => "all".to_owned(),
        Devices::Count(count) => count.to_string(),
        Devices::List(list) => list.join(", "),
    };
    terminal::say(format_args!("GPUs: {gpus} ({})", plan.gpus.reason));
}

/// An image that only we build is not looked for in a registry, so its absence is told here.
fn image_is_there(engine: &Engine, plan: &RunPlan) -> anyhow::Result<()> {
    let Some(image) = &plan.image else { return Ok(()) };
    if engine.image.is_some() || image.value.pull == Pull::Missing {
        return Ok(());
    }
    let reference = &image.value.reference;
    let remedy = match Flavour::of_image(reference) {
        Flavour::Smoke => "build it with `cargo xtask build-image --flavour smoke`",
        Flavour::Cuda | Flavour::Cpu => {
            "this version of the workspace builds only the smoke image: add `--flavour smoke`, or \
             name an image of yours with --image"
        }
    };
    bail!("the image `{reference}` is not on this machine; {remedy}")
}

/// A token that is there but closed stops huggingface_hub even offline, so it stops us first;
/// only the `native` backend does without that library.
fn readable(token: &TokenSource, backend: Backend, host: &Host) -> anyhow::Result<()> {
    let TokenSource::File(file) = token else { return Ok(()) };
    let Err(error) = fs::File::open(file.as_path()) else { return Ok(()) };
    let text = format!(
        "the token file `{file}` cannot be read: {error}; make it yours with `sudo chown {} {}`, \
         or name another in {}",
        host.uid,
        shown_for_shell(file.as_path()),
        contract::env::HF_TOKEN_PATH
    );
    if backend == Backend::Native {
        warn(Some(text));
        return Ok(());
    }
    bail!("{text}; with a closed token the Hub client refuses to work at all")
}

/// Whether the engine has given the container an id.
fn container_was_made(plan: &RunPlan) -> bool {
    plan.supervision.as_ref().is_some_and(|supervision| {
        fs::metadata(supervision.cidfile.as_path()).is_ok_and(|cid| cid.len() > 0)
    })
}

fn container_state(engine: &Engine, plan: &RunPlan) -> ContainerState {
    let name = plan.supervision.as_ref().map_or("", |supervision| &supervision.container);
    match engine.state_command(name) {
        None => ContainerState::NoContainers,
        Some(command) => match capture(&command) {
            Ok(answer) => outcome::parse_state(&answer),
            Err(error) => ContainerState::Unknown(format!("{error:#}")),
        },
    }
}

fn remove_container(engine: &Engine, plan: &RunPlan) -> anyhow::Result<()> {
    let Some(supervision) = &plan.supervision else { return Ok(()) };
    if let Some(command) = engine.remove_command(&supervision.container) {
        let answer = capture(&command)?;
        if answer.code != 0 && !answer.stderr.contains("No such container") {
            terminal::say(format_args!(
                "warning: `{}` failed: {}; remove the container yourself",
                command.join(" "),
                answer.stderr.trim()
            ));
        }
    }
    match fs::remove_file(supervision.cidfile.as_path()) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing `{}`", supervision.cidfile))
        }
        _ => Ok(()),
    }
}

/// A JSON file of the results folder; `None` when it is missing or not what it should be.
fn read_json<T: serde::de::DeserializeOwned>(
    results: &HostPath,
    name: &str,
) -> anyhow::Result<Option<T>> {
    let path = results.as_path().join(name);
    match fs::read(&path) {
        Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("reading `{}`", path.display())),
    }
}

fn show_summary(summary: &Summary, results: &HostPath, show: Show) -> anyhow::Result<()> {
    if show == Show::RunJson {
        terminal::print(&format!("{:#}\n", json!({ "results": results, "summary": summary })))
    } else {
        terminal::print(&format!("\n{}", report::describe(summary, results)))
    }
}

fn plan_json(detected: &Detected, plan: &RunPlan, command: &CommandLine) -> serde_json::Value {
    let Detected { engine, why, warning } = detected;
    let env = command.env.iter().map(|(name, value)| (name.clone(), json!(value.value())));
    json!({
        "engine": engine.mode.engine(),
        "mode": engine.mode,
        "why": why,
        "warning": warning,
        "argv": command.argv(),
        "env": env.collect::<serde_json::Map<_, _>>(),
        "parts": command.parts,
        "plan": plan,
    })
}
