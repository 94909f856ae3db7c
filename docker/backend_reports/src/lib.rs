//! Converts a backend's report to the summary of the run. Used in the container after a run, and on the
//! host by `report`.

mod ai_energy_benchmarks;
mod details;
mod energy;
mod native;
mod numbers;
mod optimum;
mod phases;
mod record;
mod source;

use anyhow::{Context as _, bail};
use contract::{
    Backend, output,
    summary::{DeviceKind, Measurement, Status, Summary},
};

pub use self::{
    details::{Details, Sourced},
    energy::MOST_WATT_HOURS,
    native::report,
    numbers::{
        EnergyNumbers, Numbers, Reading, RunNumbers,
        traced::{Trace, Traced},
    },
    source::{
        files::{CONFIG, Files},
        folder::Folder,
        json,
        node::MOST_SECONDS,
    },
};
use self::{
    optimum::Companions,
    record::Record,
    source::{files::value, node::Node},
};

/// Summarizes the report of any backend in `folder`.
///
/// # Errors
/// The same as for [`summarize`].
pub fn read(folder: &Folder) -> anyhow::Result<Summary> {
    Ok(summarize(&Files::read(folder))?.summary)
}

/// Summarizes the report of any backend in `files`.
///
/// # Errors
/// When the report is missing, broken, in an unknown format, or from another run than the other files.
pub fn summarize(files: &Files<'_>) -> anyhow::Result<Reading> {
    let Files { folder, report, record, config } = files;
    let shown = folder.shown(output::REPORT);
    let report = value(report)?.with_context(|| {
        format!("there is no `{shown}`; name the folder of a run that has ended")
    })?;
    let root = Node::root(output::REPORT, report);
    let record = || Record::read(folder, value(record)?);
    let summary = match report.get("format") {
        Some(format) if format == Backend::Native.name() => native::summary(&root),
        None if ai_energy_benchmarks::wrote(report) => {
            ai_energy_benchmarks::summary(&root, record()?)
        }
        None if optimum::wrote(report) => {
            optimum::summary(&root, record()?, Companions::read(folder, value(config)?)?)
        }
        _ => bail!(
            "`{shown}` is in no known format (native, optimum-benchmark, ai_energy_benchmarks): {}",
            found(&root)
        ),
    };
    summary.with_context(|| format!("making a summary of `{shown}`"))
}

/// Description of a report in an unknown format.
fn found(root: &Node<'_>) -> String {
    match (root.object(), root.find("format")) {
        (Err(_), _) => format!("it is no object, but {}", root.shown()),
        (_, Some(format)) => format!("its `format` is {}", format.shown()),
        _ if root.is_empty() => "it is an empty object".to_owned(),
        _ => format!("its keys are {}", root.keys()),
    }
}

/// Content of the energy file, one line.
pub fn energy_text(summary: &Summary) -> String {
    let Measurement { status, source, .. } = &summary.measurement;
    let is_gpu = summary.measurement.has(DeviceKind::Gpu);
    let too_short = summary.measurement.too_short().filter(|_| is_gpu);
    match (summary.total, status) {
        // Without an exponent, and with all digits of small numbers.
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
