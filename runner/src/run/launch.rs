//! The run itself: starts the benchmark, waits for its end, cleans up, judges and reports.

use std::path::Path;

use anyhow::{Context as _, bail};
use contract::{
    Backend,
    folders::OTHERS,
    output::{self, Completion},
    summary::{CacheDelta, Summary},
};
use reports::Folder;
use serde_json::json;

use super::{
    Planned, Show, aftermath, container, dead_runs,
    leftovers::Search,
    other_files::{self, is_missing},
    outcome::{self, Evidence},
    output_file,
    prepare::Prepared,
    reaper::Reaper,
    repeat,
    same_folders::List,
    supervise::Running,
};
use crate::{
    engine::Place,
    exit::Exit,
    host::Host,
    host_path::HostPath,
    hub_cache::delta::Inventory,
    json_text::json_text,
    meter::{self, Meter, Recording},
    render::command_line,
    report,
    run_file::RunFile,
    shell::shown_for_shell,
    terminal::{self, warn},
    token::TokenSource,
};

/// Why nothing is metered beside a container of another kernel.
const FAR: &str = "the container ran under another kernel, on another machine or in a virtual one, and \
                   nothing of this machine was metered for it";

/// Runs what is prepared.
///
/// # Errors
/// When the benchmark could not be started or watched, or its results not be read.
pub(super) fn launch(prepared: &Prepared, host: &Host, show: Show) -> anyhow::Result<Exit> {
    let Prepared { planned: Planned { options, detected, plan }, lock } = prepared;
    let engine = &detected.engine;
    dead_runs::end_half_made(engine);
    let hub = plan.backend.value.needs_hub_cache().then(|| options.cache.hub.as_path());
    let before = hub.map(take_inventory).transpose()?;
    let request = meter::Request::of(options, plan, engine, host);
    let served = request.served;
    let meter = Meter::start(request);
    // First the reaper: from here on somebody cleans up, whatever becomes of this process.
    let mut reaper = Reaper::start(engine, plan, options, lock)?;
    let command = command_line(engine, plan);
    let again = repeat::repeat(options, detected, plan, &command, host);
    let alive = container::mark_alive(engine, plan)?;
    let started = hand_over(&prepared.planned, host).and_then(|secrets| {
        let list = List::write(lock.folder(), engine, plan)?;
        Ok((secrets, list, Running::start(&command, engine, plan, show == Show::RunJson)?))
    });
    let (secrets, list, running) = match started {
        Ok(started) => started,
        Err(error) => {
            // Nobody was asked for a container, so nobody has to wait for one to come.
            reaper.dismiss()?;
            return Err(error);
        }
    };
    for pid in running.pids() {
        meter.watch(pid);
        // The run itself needs no reaper.
        warn(reaper.watch(pid).err().map(|error| format!("{error:#}")));
    }
    let search = Search::start(engine, host.uid);
    let ended = running.wait(engine, plan)?;
    drop(secrets);
    let made = ended.id.is_some() || container::was_made(plan);
    let state = container::state(engine, plan);
    let late = (ended.signal.is_some() || ended.killed) && !made;
    container::remove(engine, plan, late, ended.id)?;
    let recording = meter.finish();
    drop(alive);
    reaper.dismiss()?;
    if let Some(search) = search {
        search.finish();
    }

    let results = lock.folder();
    warn(lock.renew().err().map(|error| format!("{error:#}")));
    let completion: Option<Completion> = read_json(results, output::COMPLETION)?;
    let code = state.exit_code().unwrap_or(ended.code);
    let different = match &list {
        Some(list) if code == i32::from(OTHERS) && completion.is_none() => Some(list.different()),
        Some(_) if !made && is_missing(&ended.said) => Some(vec![]),
        _ => None,
    };
    let other_files =
        different.map(|different| other_files::message(engine, &different, &host.surroundings));
    drop(list);
    let recording = match completion.as_ref().and_then(|it| it.same_kernel) {
        Some(false) if engine.place != Place::Desktop => Recording::none(FAR.to_owned()),
        _ => recording,
    };
    let evidence = Evidence {
        engine: engine.mode.engine(),
        client_code: ended.code,
        signal: ended.signal,
        made,
        state,
        completion,
        has_report: results.dir().has_file(output::REPORT),
        has_summary: results.dir().has_file(output::SUMMARY),
        other_files,
    };
    let verdict = outcome::judge(&plan.run_id, &evidence);
    warn(aftermath::foreign_results(results, host.uid));
    warn(verdict.note);
    if verdict.exit == Exit::Success {
        let cache = match (before, hub) {
            (Some(before), Some(hub)) => match take_inventory(hub) {
                Ok(after) => added(&before, &after, options.offline, hub),
                // The run itself is whole.
                Err(error) => {
                    warn(Some(format!("{error:#}")));
                    None
                }
            },
            _ => None,
        };
        let again = repeat::with_image(again, engine, plan);
        let summary = aftermath::complete_summary(results, cache, recording, served, again)?;
        show_summary(&summary, &options.results, show)?;
    }
    if let Some(message) = verdict.message {
        terminal::say(format_args!("error: {message}"));
        if evidence.other_files.is_none() {
            terminal::say(format_args!("results so far: {}", options.results));
        }
    }
    Ok(verdict.exit)
}

/// Writes the secrets that a container gets as files; they go with what is returned.
fn hand_over(planned: &Planned, host: &Host) -> anyhow::Result<Vec<RunFile>> {
    let Planned { options, detected, plan } = planned;
    let mut secrets = vec![];
    if detected.engine.has_containers() {
        if let Some(token) = &options.token {
            readable(token, plan.backend.value, host)?;
        }
        if let Some(server) = &options.server {
            server.readable(host)?;
        }
        for secret in options.handed_over() {
            secrets.extend(secret.write(host)?);
        }
    }
    Ok(secrets)
}

/// What was added to the cache during the run. Whatever appears in it meanwhile is not of a run that
/// is offline: it has no network, and the cache is read-only for it.
fn added(before: &Inventory, after: &Inventory, offline: bool, hub: &Path) -> Option<CacheDelta> {
    let added = before.added_in(after);
    if added.is_none() {
        warn(Some(format!(
            "the Hub cache `{}` was moved, or lost files, during the run: what was downloaded is \
             unknown",
            hub.display()
        )));
    }
    added.map(|added| if offline { CacheDelta::default() } else { added })
}

fn take_inventory(hub: &Path) -> anyhow::Result<Inventory> {
    Inventory::take(hub).with_context(|| {
        format!("listing the Hub cache `{}`, to tell what the run adds to it", hub.display())
    })
}

/// A token that is there but closed stops huggingface_hub even offline, so it stops us first;
/// only the `native` backend does without that library.
fn readable(token: &TokenSource, backend: Backend, host: &Host) -> anyhow::Result<()> {
    let TokenSource::File(file) = token else { return Ok(()) };
    let Err(error) = untrusted::file(file.as_path()) else { return Ok(()) };
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

/// A JSON file of the results folder; `None` when it is missing or not what it should be.
fn read_json<T: serde::de::DeserializeOwned>(
    results: &Folder,
    name: &str,
) -> anyhow::Result<Option<T>> {
    match output_file::read(results, name) {
        Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("reading `{}`", results.shown(name))),
    }
}

fn show_summary(summary: &Summary, results: &HostPath, show: Show) -> anyhow::Result<()> {
    if show == Show::RunJson {
        terminal::print(&json_text(&json!({ "results": results, "summary": summary })))
    } else {
        terminal::print(&format!("\n{}", report::describe(summary, results)))
    }
}
