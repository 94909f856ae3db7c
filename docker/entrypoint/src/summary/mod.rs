//! From the backend's report to the run's summary.

mod ai_energy_benchmarks;
mod native;
mod optimum;
mod record;
mod tracked;

use std::{fs, io, path::Path};

use anyhow::{Context, bail, ensure};
use contract::{
    Backend, output,
    summary::{Status, Summary},
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use self::record::Record;
use crate::publish::publish;

/// Writes the summary of the report that `backend` left in `results`. Earlier reports were moved
/// away before the run, so one that is there is this run's.
pub(crate) fn write(results: &Path, backend: Backend) -> anyhow::Result<()> {
    let path = results.join(output::REPORT);
    let exists = path.try_exists().with_context(|| format!("reading `{}`", path.display()))?;
    ensure!(
        exists,
        "the `{backend}` backend ended without an error, but wrote no `{}`; see its output",
        path.display()
    );
    let summary = read(results)?;
    ensure!(
        summary.run.backend == backend,
        "`{}` is by the `{}` backend, but `{backend}` ran",
        path.display(),
        summary.run.backend
    );
    publish(results, output::SUMMARY, &serde_json::to_string_pretty(&summary)?)?;
    publish(results, output::ENERGY_WH, &energy_text(&summary))
}

/// The summary of the report in `folder`, as JSON.
pub(crate) fn text(folder: &Path) -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(&read(folder)?)?)
}

/// The summary of the report in `folder`, whichever backend wrote it.
fn read(folder: &Path) -> anyhow::Result<Summary> {
    let path = folder.join(output::REPORT);
    let report: Value =
        json(&path)?.with_context(|| format!("there is no `{}`", path.display()))?;
    let record: Option<Record> = json(&folder.join(output::RECORD))?;
    let summary = match format(&report) {
        Some(Format::Native) => native::summary(report),
        Some(Format::Optimum) => optimum::summary(report, record, &optimum::Beside::read(folder)?),
        Some(Format::AiEnergyBenchmarks) => ai_energy_benchmarks::summary(report, record),
        None => bail!(
            "`{}` is in no known format (native, optimum-benchmark, ai_energy_benchmarks): {}",
            path.display(),
            found(&report)
        ),
    };
    summary.with_context(|| format!("making a summary of `{}`", path.display()))
}

/// The formats of reports.
enum Format {
    Native,
    Optimum,
    AiEnergyBenchmarks,
}

/// The format that a report's own keys tell.
fn format(report: &Value) -> Option<Format> {
    let has = |keys: &[&str]| keys.iter().all(|key| report.get(key).is_some_and(Value::is_object));
    if report.get("format").is_some() {
        Some(Format::Native)
    } else if has(&["config", "summary", "energy"]) {
        Some(Format::AiEnergyBenchmarks)
    } else if has(&["load_model"]) || has(&["decode"]) || has(&["prefill"]) {
        Some(Format::Optimum)
    } else {
        None
    }
}

/// What a report in an unknown format is instead.
fn found(report: &Value) -> String {
    match report {
        Value::Object(keys) if keys.is_empty() => "it is an empty object".to_owned(),
        Value::Object(keys) => {
            let keys: Vec<_> = keys.keys().map(|key| format!("`{key}`")).collect();
            format!("its keys are {}", keys.join(", "))
        }
        _ => "it is no JSON object".to_owned(),
    }
}

/// What the JSON file `path` holds, if there is one.
fn json<T: DeserializeOwned>(path: &Path) -> anyhow::Result<Option<T>> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("reading `{}`", path.display())),
    };
    let value = serde_json::from_slice(&text);
    value.map(Some).with_context(|| format!("`{}` is not what it should be", path.display()))
}

/// The one line of the energy file.
fn energy_text(summary: &Summary) -> String {
    match (summary.total, summary.measurement.status) {
        // Without an exponent, and with all digits of a small number.
        (Some(total), _) => total.to_string(),
        (None, Status::NotMeasured) => format!("not measured: {}", summary.measurement.source),
        (None, Status::Measured | Status::Estimated) => {
            format!("not measured: no GPU was measured; other devices are in {}", output::SUMMARY)
        }
    }
}

#[cfg(test)]
mod tests;
