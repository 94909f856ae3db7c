//! Reads a results folder, whoever wrote it: what is no run is told in words.

pub(crate) mod discovery;

use std::path::PathBuf;

use anyhow::{Context as _, bail, ensure};
use contract::{
    host_meter::{HostMeter, MeteredDevice},
    output::{COMPLETION, Completion, HOST_METER, LOG, REPORT, SUMMARY},
    summary::{Device, Summary},
};
use reports::{Files, Folder, MOST_SECONDS, MOST_WATT_HOURS, Reading, json, summarize};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{
    finished_run::{Broken, FinishedRun, Origin, Runs, opened},
    sanitize::sanitized,
};
use crate::read::discovery::{Found, contents, results_folders};

/// Reads every results folder among `folders` and below.
pub(crate) fn read_all(folders: &[PathBuf], previous: bool) -> Runs {
    let (found, broken) = results_folders(folders, previous);
    let mut all = Runs { runs: vec![], broken };
    for folder in found {
        let Found { folder, below, .. } = folder;
        match opened(&folder, &below).and_then(|opened| read(&opened)) {
            Ok(run) => all.runs.push(FinishedRun { below, ..run }),
            Err(error) => all.broken.push(Broken { folder, reason: format!("{error:#}") }),
        }
    }
    all
}

/// Reads one.
///
/// # Errors
/// When it is none of a whole run that succeeded.
pub(crate) fn read(folder: &Folder) -> anyhow::Result<FinishedRun> {
    let mut warnings = vec![];
    let completion: Option<Completion> = typed(folder, COMPLETION)?;
    match &completion {
        Some(Completion { exit_code: 0, .. }) => {}
        Some(Completion { exit_code, .. }) => bail!(
            "the run failed: `{COMPLETION}` says exit code {exit_code}; its last words are in `{LOG}`"
        ),
        None => warnings.push(format!(
            "no `{COMPLETION}` is beside the results, so nothing proves that the run reached its end"
        )),
    }
    let files = Files::read(folder);
    let (details, unread) = files.details();
    let (summary, origin) = summary(folder, files, &mut warnings)?;
    sane(&summary)?;
    let in_summary = || summary.host.clone().map(|meter| (meter, SUMMARY));
    let meter = match typed::<HostMeter>(folder, HOST_METER) {
        Ok(meter) => meter.map(|meter| (meter, HOST_METER)).or_else(in_summary),
        Err(error) => {
            warnings.push(format!("power over time is not known: {error:#}"));
            in_summary()
        }
    };
    let meter = meter.filter(|(meter, file)| match metered(meter) {
        Ok(()) => true,
        Err(error) => {
            warnings.push(format!("what the host metered is left out: `{file}`: {error:#}"));
            false
        }
    });
    warnings.extend(unread);
    let folder = folder.path().to_owned();
    Ok(FinishedRun {
        folder,
        below: PathBuf::new(),
        origin,
        summary,
        completion,
        meter,
        details,
        warnings,
    })
}

/// The summary: the file, or what is made of the backend's own report.
fn summary(
    folder: &Folder,
    files: Files<'_>,
    warnings: &mut Vec<String>,
) -> anyhow::Result<(Summary, Origin)> {
    let value = json::read(folder, SUMMARY)?.unwrap_or_default();
    let has = |keys: [&str; 2]| keys.iter().all(|key| value.get(key).is_some());
    let without = if value.is_null() {
        ensure!(
            !files.lack_report(),
            "neither `{SUMMARY}` nor `{REPORT}` is there: the run did not get so far, or its files \
             were not copied along; here {}",
            contents(folder.dir())
        );
        Some(format!("there is no `{SUMMARY}`"))
    } else if !has(["measurement", "run"]) && has(["units", "total"]) {
        // Facts of AIEnergyScore's own summarizer: it knows no sources and no devices.
        Some(format!("`{SUMMARY}` is by another program and does not say how it measured"))
    } else {
        None
    };
    if let Some(why) = without {
        warnings.push(format!("{why}; the numbers were made of `{REPORT}`"));
        let Reading { summary, numbers } = summarize(files)?;
        return Ok((summary, Origin::Report(Box::new(numbers))));
    }
    let summary = serde_json::from_value(value).with_context(|| {
        format!(
            "`{}` is no summary as this version, {}, writes it; `summarize` makes one of `{REPORT}`",
            folder.shown(SUMMARY),
            env!("CARGO_PKG_VERSION")
        )
    })?;
    Ok((summary, Origin::Summary))
}

/// Makes sure that a run can have had these numbers. JSON has no infinite ones.
fn sane(summary: &Summary) -> anyhow::Result<()> {
    let Summary { units, total, preprocess_wh, prefill_wh, decode_wh, measurement, run, .. } =
        summary;
    ensure!(units == "Wh", "`{SUMMARY}` has the unit {units:?}, and energies of a run are in Wh");
    let energy = |name: &str, energy: f64, least: f64| {
        ensure!(
            (least..=MOST_WATT_HOURS).contains(&energy),
            "`{name}` in `{SUMMARY}` is {energy:e} Wh, which no run draws"
        );
        Ok(())
    };
    for (name, value, least) in [
        ("total", total, 0.0),
        ("preprocess_wh", preprocess_wh, 0.0),
        ("prefill_wh", prefill_wh, 0.0),
        // A difference of two passes.
        ("decode_wh", decode_wh, -MOST_WATT_HOURS),
    ] {
        value.map_or(Ok(()), |value| energy(name, value, least))?;
    }
    for Device { name, energy_wh, .. } in &measurement.devices {
        energy(&format!("the energy of {name}"), *energy_wh, 0.0)?;
    }
    ensure!(run.prompts > 0, "no prompt was answered, so there is nothing to show");
    let times = [run.seconds, run.tokens_per_second, run.time_to_first_token_seconds];
    for time in times.into_iter().flatten() {
        ensure!(time >= 0.0, "a time in `{SUMMARY}` is below 0, which no run takes");
        ensure!(time <= MOST_SECONDS, "a time in `{SUMMARY}` is {time:e}, which no run takes");
    }
    Ok(())
}

/// Makes sure that a host can have metered these numbers.
fn metered(meter: &HostMeter) -> anyhow::Result<()> {
    for MeteredDevice { name, energy_wh, counted_wh, idle_watts, .. } in &meter.devices {
        let name = sanitized(name);
        for energy in [Some(*energy_wh), *counted_wh].into_iter().flatten() {
            ensure!(
                (0.0..=MOST_WATT_HOURS).contains(&energy),
                "the energy of {name} is {energy:e} Wh, which no run draws"
            );
        }
        if let Some(watts) = idle_watts {
            ensure!(*watts >= 0.0, "{name} draws {watts:e} W at rest, which is below 0");
        }
    }
    Ok(())
}

/// What a JSON file holds, if there is one.
fn typed<T: DeserializeOwned>(folder: &Folder, name: &str) -> anyhow::Result<Option<T>> {
    let value: Option<Value> = json::read(folder, name)?;
    let value = value.map(serde_json::from_value).transpose();
    value.with_context(|| format!("`{}` is not what it should be", folder.shown(name)))
}

#[cfg(test)]
pub(super) mod tests;
