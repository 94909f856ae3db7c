//! Starts the benchmark, waits for its end, checks the results and shows the summary.

use std::path::Path;

use anyhow::Context as _;
use contract::{
    exit::WRONG_MOUNTS,
    output,
    summary::{CacheDelta, Summary},
};
use engine::Location;
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
use serde_json::json;

use super::{
    Planned, Show, earlier_runs,
    outcome::{self, Evidence},
    prepare::Prepared,
    repeat,
    results::{self, mount_mismatch},
    supervised::{Finished, Supervised},
};
use crate::metering;

/// The reason why a container under another kernel is not metered.
const OTHER_KERNEL: &str = "the container ran under another kernel, on another machine or in a virtual one, and \
                   nothing of this machine was metered for it";

/// Runs the benchmark.
///
/// # Errors
/// When the benchmark cannot be started or supervised, or its results cannot be read.
pub(super) fn launch(prepared: &Prepared, host: &Host, show: Show) -> anyhow::Result<Exit> {
    let Prepared { planned: Planned { settings, detected, plan, .. }, lock } = prepared;
    let engine = &detected.engine;
    earlier_runs::clean_up(engine, host.uid);
    let hub = plan.backend.value.needs_hub_cache().then(|| settings.cache.hub.as_path());
    let before = hub.map(take_inventory).transpose()?;
    let request = metering::request(settings, plan, engine, host);
    let location = request.location;
    let meter = Meter::start(request);
    let command = command_line(engine, &plan.without_mount_list());
    let repeat = repeat::repeat(settings, engine, plan, &command, host);
    let supervised =
        Supervised { task: "benchmark", to_stderr: show == Show::RunJson, lock: Some(lock) };
    let watch = |pid: u32| {
        meter.watch(pid);
        meter
    };
    let (Finished { client, created, state, mount_check }, recording) =
        supervised.run(&prepared.planned, host, watch, Meter::finish)?;

    let folder = lock.folder();
    warn(lock.renew().err().map(|error| format!("{error:#}")));
    let completion = results::completion(folder)?;
    let code = state.exit_code().unwrap_or(client.code);
    let mismatches = match &mount_check {
        Some(check) if code == i32::from(WRONG_MOUNTS) && completion.is_none() => {
            Some(check.mismatches())
        }
        Some(_) if !created && mount_mismatch::is_missing_source(&client.stderr) => Some(vec![]),
        _ => None,
    };
    let mount_mismatch =
        mismatches.map(|folders| mount_mismatch::message(engine, &folders, &host.isolation));
    drop(mount_check);
    let recording = match completion.as_ref().and_then(|completion| completion.same_kernel) {
        Some(false) if engine.location != Location::DesktopVm => {
            Recording::none(OTHER_KERNEL.to_owned())
        }
        _ => recording,
    };
    let evidence = Evidence {
        engine: engine.mode.engine(),
        client_code: client.code,
        signal: client.signal,
        created,
        state,
        completion,
        has_report: folder.dir().has_file(output::REPORT),
        has_summary: folder.dir().has_file(output::SUMMARY),
        mount_mismatch,
    };
    let verdict = outcome::verdict(&plan.run_id, &evidence);
    warn(results::foreign_results(folder, host.uid));
    warn(verdict.note);
    if verdict.exit == Exit::Success {
        let added = before.zip(hub).and_then(|(before, hub)| added(&before, hub, settings.offline));
        let repeat = repeat::with_image(repeat, engine, plan);
        let summary = results::complete_summary(folder, added, recording, location, repeat)?;
        show_summary(&summary, &settings.results, show)?;
    }
    if let Some(message) = verdict.message {
        terminal::say(format_args!("error: {message}"));
        if evidence.mount_mismatch.is_none() {
            terminal::say(format_args!("results so far: {}", settings.results));
        }
    }
    Ok(verdict.exit)
}

/// What the run added to the cache. An offline run added nothing, since its cache is read-only. When the
/// cache cannot be listed again, the run is still complete.
fn added(before: &Inventory, hub: &Path, offline: bool) -> Option<CacheDelta> {
    let after = take_inventory(hub).map_err(|error| warn(Some(format!("{error:#}")))).ok()?;
    let added = before.added_in(&after);
    if added.is_none() {
        warn(Some(format!(
            "the Hub cache `{}` was moved, or lost files, during the run: what was downloaded is \
             unknown",
            hub.display()
        )));
    }
    added.map(|added| if offline { CacheDelta::default() } else { added })
}

/// Lists the blobs of the Hub cache.
fn take_inventory(hub: &Path) -> anyhow::Result<Inventory> {
    Inventory::take(hub).with_context(|| {
        format!("listing the Hub cache `{}`, to tell what the run adds to it", hub.display())
    })
}

/// Prints the summary as text or as JSON.
fn show_summary(summary: &Summary, results: &HostPath, show: Show) -> anyhow::Result<()> {
    if show == Show::RunJson {
        terminal::print(&json_text(&json!({ "results": results, "summary": summary })))
    } else {
        terminal::print(&format!("\n{}", report::describe(summary, results)))
    }
}
