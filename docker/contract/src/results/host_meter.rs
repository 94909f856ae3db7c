//! `host_meter.json`: energy as the host saw it beside a run, whatever the backend.

use serde::{Deserialize, Serialize};

use crate::energy::device::{DeviceKind, Status};

/// Name of a phase that reads prompts and writes answers, both in one.
pub const PROMPTS: &str = "prompts";

/// What the host's meters said of one run. Times are in seconds after [`begun`](Self::begun).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HostMeter {
    /// When metering began, in seconds of `CLOCK_MONOTONIC`, which host and containers share.
    pub begun: f64,
    /// From then until the container was gone.
    pub seconds: f64,
    /// When the phases ran that count, as the backend told; empty when it did not.
    pub phases: Vec<Phase>,
    /// How long the idle baseline was taken before the run, if it was.
    pub idle_seconds: Option<f64>,
    /// Every device that was metered.
    pub devices: Vec<MeteredDevice>,
    /// What the meter itself took of a processor, in percent; files of before that was told apart
    /// have it among their notes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own_percent: Option<f64>,
    /// What a reader of these numbers must know, in sentences.
    pub notes: Vec<String>,
}

impl HostMeter {
    /// The seconds that count, none of them twice.
    pub fn counted_seconds(&self) -> f64 {
        merged(&self.phases).iter().map(|(from, to)| to - from).sum()
    }

    /// The energy that a device used above what it drew while idle, over the phases that count.
    pub fn above_idle(&self, device: &MeteredDevice) -> Option<f64> {
        Some(device.counted_wh? - device.idle_watts? * self.counted_seconds() / 3600.0)
    }
}

/// A part of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Phase {
    /// Its name as the score knows it: `preprocess`, `prefill`, `decode`, or [`PROMPTS`] where the
    /// backend does not tell these apart. That of `optimum` is its second pass, whose energy its
    /// prefill and decode sum up to.
    pub name: String,
    /// Its begin, in seconds.
    pub from: f64,
    /// Its end, in seconds.
    pub to: f64,
}

/// The time of phases as intervals that do not overlap, in order.
pub fn merged(phases: &[Phase]) -> Vec<(f64, f64)> {
    let mut times: Vec<_> = phases.iter().map(|phase| (phase.from, phase.to)).collect();
    times.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut merged: Vec<(f64, f64)> = Vec::new();
    for (from, to) in times {
        match merged.last_mut() {
            Some((_, end)) if from <= *end => *end = end.max(to),
            _ => merged.push((from, to)),
        }
    }
    merged
}

/// One device beside a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MeteredDevice {
    /// Its name: `NVIDIA H100 80GB HBM3`, `package-0`.
    pub name: String,
    /// What tells it from others of its name: the UUID of a GPU.
    pub id: Option<String>,
    /// What it is.
    pub kind: DeviceKind,
    /// Its energy over the whole run, loading included, in Wh.
    pub energy_wh: f64,
    /// Its energy over the phases that count, in Wh, if these are known.
    pub counted_wh: Option<f64>,
    /// What it drew before the run, in watts, if a baseline was taken.
    pub idle_watts: Option<f64>,
    /// Whether its energy was measured or estimated.
    pub status: Status,
    /// The counter or model behind it.
    pub source: String,
    /// Power over time: pairs of seconds and watts, each the mean since the pair before. Only in
    /// the file of its own, not in the summary.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub power: Vec<(f64, f64)>,
    /// Processes on the device that were not the benchmark's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<OtherProcess>,
}

/// A process on a device that was not the benchmark's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OtherProcess {
    /// Its id on the host.
    pub pid: u32,
    /// Its name, if it could be read.
    pub name: Option<String>,
}
