//! The run itself: starts the benchmark, waits for its end, cleans up, judges and reports.

use std::path::Path;

use anyhow::Context as _;
use backend_reports::Folder;
use contract::{
    exit::WRONG_MOUNTS,
    output::{self, Completion},
    summary::{CacheDelta, Summary},
};
use engine::Place;
use host::{
    exit::Exit,
    machine::Host,
    output::{
        json_text::json_text,
        terminal::{self, warn},
    },
    paths::host_path::HostPath,
};
use hub::inventory::Inventory;
use meter::{Meter, Recording};
use plan::render::command_line;
use report;
use serde_json::json;

use super::{
    Planned, Show, aftermath, earlier_runs,
    outcome::{self, Evidence},
    prepare::Prepared,
    repeat,
    supervised::{Over, Supervised},
};
use crate::metering;
use crate::run::aftermath::{
    other_files::{self, is_missing},
    output_file,
};

/// Why nothing is metered beside a container of another kernel.
const FAR: &str = "the container ran under another kernel, on another machine or in a virtual one, and \
                   nothing of this machine was metered for it";

/// Runs what is prepared.
///
/// # Errors
/// When the benchmark could not be started or watched, or its results not be read.
pub(super) fn launch(prepared: &Prepared, host: &Host, show: Show) -> anyhow::Result<Exit> {
    let Prepared { planned: Planned { options, detected, plan, .. }, lock } = prepared;
    let engine = &detected.engine;
    earlier_runs::look_after(engine, host.uid);
    let hub = plan.backend.value.needs_hub_cache().then(|| options.cache.hub.as_path());
    let before = hub.map(take_inventory).transpose()?;
    let request = metering::request(options, plan, engine, host);
    let location = request.location;
    let meter = Meter::start(request);
    let command = command_line(engine, &plan.by_hand());
    let again = repeat::repeat(options, detected, plan, &command, host);
    let supervised =
        Supervised { what: "benchmark", to_stderr: show == Show::RunJson, lock: Some(lock) };
    let watch = |pid: u32| {
        meter.watch(pid);
        meter
    };
    let (Over { ended, made, state, list }, recording) =
        supervised.run(&prepared.planned, host, watch, Meter::finish)?;

    let results = lock.folder();
    warn(lock.renew().err().map(|error| format!("{error:#}")));
    let completion: Option<Completion> = read_json(results, output::COMPLETION)?;
    let code = state.exit_code().unwrap_or(ended.code);
    let different = match &list {
        Some(list) if code == i32::from(WRONG_MOUNTS) && completion.is_none() => {
            Some(list.different())
        }
        Some(_) if !made && is_missing(&ended.said) => Some(vec![]),
        _ => None,
    };
    let other_files =
        different.map(|different| other_files::message(engine, &different, &host.isolation));
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
    let verdict = outcome::verdict(&plan.run_id, &evidence);
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
        let summary = aftermath::complete_summary(results, cache, recording, location, again)?;
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
