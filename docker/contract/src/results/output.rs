//! Files that a run writes to the results folder.

use serde::{Deserialize, Serialize};

/// The backend's own report.
pub const REPORT: &str = "benchmark_report.json";
/// GPU energy in Wh, or a line that begins with `not measured`.
pub const ENERGY_WH: &str = "GPU_ENERGY_WH.txt";
/// The summary, a [`Summary`](crate::summary::Summary).
pub const SUMMARY: &str = "GPU_ENERGY_SUMMARY.json";
/// The completion marker, written last: a [`Completion`].
pub const COMPLETION: &str = "RUN_COMPLETE.json";
/// What the adapter recorded of a Python stack's run beside the stack's own report.
pub const RECORD: &str = "run_record.json";
/// Power over time and energy by the host's meter, a [`HostMeter`](crate::host_meter::HostMeter).
pub const HOST_METER: &str = "host_meter.json";
/// Output of the backend.
pub const LOG: &str = "benchmark.log";

/// Lock file of the results folder against a second run. It is never deleted.
pub const LOCK: &str = ".aienergyscore.lock";

/// The files of every run.
pub const OF_EVERY_RUN: [&str; 7] =
    [REPORT, ENERGY_WH, SUMMARY, RECORD, HOST_METER, COMPLETION, LOG];

/// Files that identify a results folder: no other program writes these names.
pub const MARKS: [&str; 6] = [LOCK, COMPLETION, SUMMARY, ENERGY_WH, RECORD, HOST_METER];

/// Other files of the backends, as of optimum-benchmark 0.6 and ai_energy_benchmarks 0.0.7.
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

/// Whether a run wrote the entry `name` of a results folder. Every other entry is the user's and is
/// not touched.
pub fn is_output(name: &str) -> bool {
    OF_EVERY_RUN.contains(&name) || OTHERS.contains(&name) || name.ends_with("_codecarbon.json")
}

/// Proof that the entrypoint reached its end. An engine's client may report success for a run that
/// never started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Completion {
    /// Id of the run, from [`RUN_ID`](crate::env::RUN_ID); empty without one.
    pub run_id: String,
    /// Exit code of the benchmark, 128+n after signal n.
    pub exit_code: u8,
    /// Whether runner and container share a kernel, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub same_kernel: Option<bool>,
}
