//! From the backend's report to the run's summary, for the container that wrote it and for the
//! host that shows it.

mod ai_energy_benchmarks;
mod beside;
mod folder;
pub mod json;
mod native;
mod optimum;
mod part;
mod phases;
mod quoted;
mod record;
pub mod report;
mod tracked;

use anyhow::{Context as _, bail};
use contract::{
    Backend, output,
    summary::{DeviceKind, Measurement, Status, Summary},
};
use serde_json::Value;

pub use self::folder::Folder;
use self::{beside::Beside, part::Part, record::Record};

/// The summary of the report in `folder`, whichever backend wrote it.
///
/// # Errors
/// When there is no report, or one that is broken, in no known format, or of another run than what
/// lies beside it.
pub fn read(folder: &Folder) -> anyhow::Result<Summary> {
    let shown = folder.shown(output::REPORT);
    let report = json::read(folder, output::REPORT)?.with_context(|| {
        format!("there is no `{shown}`; name the folder of a run that has ended")
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
            "`{shown}` is in no known format (native, optimum-benchmark, ai_energy_benchmarks): {}",
            found(&report)
        ),
    };
    summary.with_context(|| format!("making a summary of `{shown}`"))
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
pub fn energy_text(summary: &Summary) -> String {
    let Measurement { status, source, .. } = &summary.measurement;
    let is_gpu = summary.measurement.has(DeviceKind::Gpu);
    let too_short = summary.measurement.too_short().filter(|_| is_gpu);
    match (summary.total, status) {
        // Without an exponent, and with all digits of a small number.
        (Some(total), _) => total.to_string(),
        (None, Status::NotMeasured) => format!("not measured: {source}"),
        (None, Status::Measured | Status::Estimated) => match too_short {
            Some(why) => format!("not measured: {why}; its energies are in {}", output::SUMMARY),
            None => {
                format!(
                    "not measured: no GPU was measured; other devices are in {}",
                    output::SUMMARY
                )
            }
        },
    }
}

#[cfg(test)]
mod tests;
