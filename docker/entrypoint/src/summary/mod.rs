//! From the backend's report to the run's summary.

mod ai_energy_benchmarks;
mod beside;
mod json;
mod native;
mod optimum;
mod part;
mod phases;
mod record;
mod tracked;

use std::path::Path;

use anyhow::{Context, bail, ensure};
use contract::{
    Backend, output,
    summary::{Status, Summary},
};
use serde_json::Value;

use self::{beside::Beside, part::Part, record::Record};
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
    ensure!(
        folder.is_dir(),
        "there is no folder `{}`; name the one that holds `{}`",
        folder.display(),
        output::REPORT
    );
    let report = json::read(&path)?.with_context(|| {
        format!("there is no `{}`; name the folder of a run that has ended", path.display())
    })?;
    let summary = match format(&report) {
        Some(Format::Native) => native::summary(&report),
        Some(Format::Optimum) => {
            optimum::summary(&report, Record::read(folder)?, Beside::read(folder)?)
        }
        Some(Format::AiEnergyBenchmarks) => {
            ai_energy_benchmarks::summary(&report, Record::read(folder)?)
        }
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
    match report.get("format") {
        Some(format) => (format == Backend::Native.name()).then_some(Format::Native),
        None if ai_energy_benchmarks::wrote(report) => Some(Format::AiEnergyBenchmarks),
        None if optimum::wrote(report) => Some(Format::Optimum),
        None => None,
    }
}

/// What a report in an unknown format is instead.
fn found(report: &Value) -> String {
    let whole = Part::whole(report);
    let has = |keys: [&str; 2]| keys.iter().all(|key| report.get(key).is_some());
    if whole.is_empty() {
        "it is an empty object".to_owned()
    } else if !report.is_object() {
        format!("it is no object, but {}", whole.shown())
    } else if has(["units", "total"]) {
        format!("it is a summary, `{}`, and should be what that is made of", output::SUMMARY)
    } else if has(["config", "report"]) {
        "it is `benchmark.json` of optimum-benchmark, whose report is a file of its own beside it"
            .to_owned()
    } else if let Some(format) = whole.find("format") {
        format!("its `format` is {}", format.shown())
    } else {
        format!("its keys are {}", whole.keys())
    }
}

/// Tokens per second, where both are known and the time is one that a clock can tell.
fn rate(tokens: Option<u64>, seconds: Option<f64>) -> Option<f64> {
    let seconds = seconds.filter(|seconds| *seconds > 1e-6)?;
    tokens.map(|tokens| tokens as f64 / seconds)
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
