//! `host_meter.json`: energy by the host's meter during a run of any backend.

use serde::{Deserialize, Serialize};

use crate::energy::device::{DeviceKind, Status};

/// Name of a phase that covers both prefill and decode.
pub const PROMPTS: &str = "prompts";

/// Readings of the host's meter for one run. Times are in seconds after [`begun`](Self::begun).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HostMeter {
    /// Start of metering, in seconds of `CLOCK_MONOTONIC`, which host and containers share.
    pub begun: f64,
    /// Seconds until the container was gone.
    pub seconds: f64,
    /// The counted phases; empty when the backend does not report them.
    pub phases: Vec<Phase>,
    /// Seconds of the idle baseline before the run, if one was taken.
    pub idle_seconds: Option<f64>,
    /// Every device that was metered.
    pub devices: Vec<MeteredDevice>,
    /// Processor time of the meter itself, in percent. Older files have it among their notes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own_percent: Option<f64>,
    /// Notes on these numbers for their reader, in sentences.
    pub notes: Vec<String>,
}

impl HostMeter {
    /// Seconds of the counted phases, without overlaps.
    pub fn counted_seconds(&self) -> f64 {
        merged(&self.phases).iter().map(|(from, to)| to - from).sum()
    }

    /// Energy of a device above its idle power, over the counted phases, in Wh.
    pub fn above_idle(&self, device: &MeteredDevice) -> Option<f64> {
        Some(device.counted_wh? - device.idle_watts? * self.counted_seconds() / 3600.0)
    }
}

/// A part of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Phase {
    /// Name: `preprocess`, `prefill`, `decode`, or [`PROMPTS`] for a backend that does not separate
    /// prefill and decode. For `optimum`, [`PROMPTS`] is its second pass, whose energy is the sum
    /// of prefill and decode.
    pub name: String,
    /// Start, in seconds.
    pub from: f64,
    /// End, in seconds.
    pub to: f64,
}

/// The intervals of phases, in order and with overlaps merged.
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

/// One metered device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MeteredDevice {
    /// Name, such as `NVIDIA H100 80GB HBM3` or `package-0`.
    pub name: String,
    /// UUID of a GPU.
    pub id: Option<String>,
    /// Kind of the device.
    pub kind: DeviceKind,
    /// Energy over the whole run, loading included, in Wh.
    pub energy_wh: f64,
    /// Energy over the counted phases, in Wh, if these are known.
    pub counted_wh: Option<f64>,
    /// Idle power before the run, in watts, if a baseline was taken.
    pub idle_watts: Option<f64>,
    /// Whether the energy was measured or estimated.
    pub status: Status,
    /// Counter or model of the energy.
    pub source: String,
    /// Power over time: pairs of seconds and mean watts since the previous pair. Not in the
    /// summary.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub power: Vec<(f64, f64)>,
    /// Processes of other programs on the device.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<OtherProcess>,
}

/// A process of another program on a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OtherProcess {
    /// Process id on the host.
    pub pid: u32,
    /// Name, if it could be read.
    pub name: Option<String>,
}
