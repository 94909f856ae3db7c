//! The run itself: starts the benchmark, waits for its end, cleans up, judges and reports.

use std::path::Path;

use anyhow::Context as _;
use contract::{output, summary::Summary};
use reports::Folder;
use serde_json::json;

use super::{
    Planned, Show, aftermath, dead_runs,
    outcome::{self, Evidence},
    output_file,
    prepare::Prepared,
    repeat,
    supervised::{Over, Supervised},
};
use crate::{
    exit::Exit,
    host::Host,
    host_path::HostPath,
    hub_cache::delta::Inventory,
    json_text::json_text,
    meter::{self, Meter},
    render::command_line,
    report,
    terminal::{self, warn},
};

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
    let command = command_line(engine, plan);
    let again = repeat::repeat(options, detected, plan, &command, host);
    let supervised =
        Supervised { what: "benchmark", to_stderr: show == Show::RunJson, lock: Some(lock) };
    let watch = |pids: Vec<u32>| {
        pids.into_iter().for_each(|pid| meter.watch(pid));
        meter
    };
    let (Over { ended, made, state }, recording) =
        supervised.run(&prepared.planned, host, watch, Meter::finish)?;

    let results = lock.folder();
    warn(lock.renew().err().map(|error| format!("{error:#}")));
    let evidence = Evidence {
        engine: engine.mode.engine(),
        client_code: ended.code,
        signal: ended.signal,
        made,
        state,
        completion: read_json(results, output::COMPLETION)?,
        has_report: results.dir().has_file(output::REPORT),
        has_summary: results.dir().has_file(output::SUMMARY),
    };
    let verdict = outcome::judge(&plan.run_id, &evidence);
    warn(aftermath::foreign_results(results, host.uid));
    warn(verdict.note);
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
        let again = repeat::with_image(again, engine, plan);
        let summary = aftermath::complete_summary(results, cache, recording, served, again)?;
        show_summary(&summary, &options.results, show)?;
    }
    if let Some(message) = verdict.message {
        terminal::say(format_args!("error: {message}"));
        terminal::say(format_args!("results so far: {}", options.results));
    }
    Ok(verdict.exit)
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
