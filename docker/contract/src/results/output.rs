//! The files that a run leaves in the results folder.

use serde::{Deserialize, Serialize};

/// The backend's own report.
pub const REPORT: &str = "benchmark_report.json";
/// GPU energy in Wh, or a line that begins with `not measured`.
pub const ENERGY_WH: &str = "GPU_ENERGY_WH.txt";
/// The summary, a [`Summary`](crate::summary::Summary).
pub const SUMMARY: &str = "GPU_ENERGY_SUMMARY.json";
/// What the entrypoint writes last, a [`Completion`].
pub const COMPLETION: &str = "RUN_COMPLETE.json";
/// What our adapter saw of a Python stack's run, which the stack's own report leaves out.
pub const RECORD: &str = "run_record.json";
/// Power over time and energy as the host saw them, a [`HostMeter`](crate::host_meter::HostMeter).
pub const HOST_METER: &str = "host_meter.json";
/// What the backend printed.
pub const LOG: &str = "benchmark.log";

/// What a run locks, so that no other one writes to the folder meanwhile. It stays.
pub const LOCK: &str = ".aienergyscore.lock";

/// The files of every run.
pub const OF_EVERY_RUN: [&str; 7] =
    [REPORT, ENERGY_WH, SUMMARY, RECORD, HOST_METER, COMPLETION, LOG];

/// Files that tell the results folder of a run: no other program has a file of such a name.
pub const MARKS: [&str; 6] = [LOCK, COMPLETION, SUMMARY, ENERGY_WH, RECORD, HOST_METER];

/// Further names that the backends write. Facts of optimum-benchmark 0.6 and
/// ai_energy_benchmarks 0.0.7.
const OTHERS: [&str; 9] = [
    ".hydra",
    "benchmark.json",
    "benchmark_config.json",
    "benchmark_report.md",
    "benchmark_report.txt",
    "benchmark_results.csv",
    "cli.log",
    "emissions",
    "emissions.csv",
];

/// Whether `name`, an entry of a results folder, was written by a run. Everything else in the
/// folder is the user's own and is left where it is.
pub fn is_output(name: &str) -> bool {
    OF_EVERY_RUN.contains(&name) || OTHERS.contains(&name) || name.ends_with("_codecarbon.json")
}

/// Proof that the entrypoint reached its end: an engine's client may report success for a run
/// that never was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Completion {
    /// The run that wrote it, as given in [`RUN_ID`](crate::env::RUN_ID); empty without one.
    pub run_id: String,
    /// The benchmark's exit code, 128+n for a signal.
    pub exit_code: u8,
    /// Whether the runner has the container's kernel, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub same_kernel: Option<bool>,
}
