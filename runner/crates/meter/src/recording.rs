//! The recording of a run, and the energies over its counted phases.

pub(crate) mod trace;

use contract::{
    host_meter::{HostMeter, MeteredDevice, OtherProcess, Phase},
    summary::{DeviceKind, Status},
};

use self::trace::Trace;
use crate::watts::Watts;

const JOULES_PER_WH: f64 = 3600.0;

/// Limit of power values in the file, for each device.
const MAX_POWER_POINTS: usize = 600;

/// Shortest interval between two power values, in seconds. A GPU's counter moves in steps of about a
/// tenth of a second.
const MIN_INTERVAL: f64 = 0.5;

/// All samples of a run.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Recording {
    /// Time from which the benchmark could run, in seconds of the machine's clock.
    pub(super) begun: f64,
    /// Time of the last sample.
    pub(super) ended: f64,
    /// Begin and end of the idle measurement.
    pub(super) idle: Option<(f64, f64)>,
    pub(super) devices: Vec<DeviceRecord>,
    pub(super) estimate: Option<Estimate>,
    /// Whether the benchmark's processes were found on this machine.
    pub(super) is_found: bool,
    /// Whether the benchmark uses this machine's clock, if known.
    pub(super) is_clock_shared: Option<bool>,
    /// CPU use of the meter itself, in percent.
    pub(super) own_percent: Option<f64>,
    pub(super) notes: Vec<String>,
}

/// Identity of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DeviceInfo {
    /// Name.
    pub(super) name: String,
    /// Id that is unique among devices of the same name.
    pub(super) id: Option<String>,
    /// Kind.
    pub(super) kind: DeviceKind,
    /// Kind of counter, as a reader sees it.
    pub(super) source: String,
}

/// Samples of a device.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct DeviceRecord {
    pub(super) info: DeviceInfo,
    pub(super) trace: Trace,
    /// Processes on the device that do not belong to the benchmark.
    pub(super) others: Vec<OtherProcess>,
    /// Whether any process used the device.
    pub(super) used: bool,
}

/// Estimate of the processors: CPU seconds of the benchmark times a power.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Estimate {
    pub(super) watts: Watts,
    /// CPU seconds over time.
    pub(super) seconds: Trace,
    /// Source of the CPU seconds, as a reader sees it.
    pub(super) cpu_time_source: &'static str,
}

impl Recording {
    /// A recording without devices, with the reason.
    pub fn none(why: String) -> Self {
        Self { notes: vec![why], ..Self::default() }
    }

    /// Drops GPUs without a process, if another one has a process.
    pub(super) fn without_unused_gpus(mut self) -> Self {
        if self.devices.iter().any(|device| device.used) {
            let count = self.devices.len();
            self.devices.retain(|device| device.info.kind != DeviceKind::Gpu || device.used);
            let unused = count - self.devices.len();
            if unused > 0 {
                self.notes.push(format!("{unused} GPU(s) with no process on them are left out"));
            }
        }
        self
    }

    /// Notes on devices that were lost before the end, so that sums are too low.
    pub fn lost_devices(&self) -> Vec<String> {
        let is_lost =
            |device: &&DeviceRecord| device.trace.between(self.begun, self.ended).is_none();
        let lost = self.devices.iter().filter(is_lost);
        let notes = lost.map(|DeviceRecord { info: DeviceInfo { name, kind, .. }, .. }| {
            let kind = kind.name();
            format!(
                "the host's meter lost {name} before the run's end: what it says of the {kind} energy \
                 is without that, and too little"
            )
        });
        notes.collect()
    }

    /// The meter's part of the summary. `phases` are the counted phases, in seconds of the run's clock.
    pub fn into_host_meter(self, phases: &[Phase]) -> HostMeter {
        let unplaced = self.why_unplaced(phases);
        let counted = if unplaced.is_none() { phases } else { &[] };
        let Self { begun, ended, idle, devices, estimate, own_percent, mut notes, .. } = self;
        let idle_seconds = idle.map(|(from, to)| to - from);
        let idle_watts = |trace: &Trace| {
            let (from, to) = idle?;
            Some(trace.between(from, to)? / (to - from)).filter(|watts| watts.is_finite())
        };
        let over = |trace: &Trace| trace.over(counted).filter(|_| !counted.is_empty());
        let power = |trace: &Trace, factor: f64| {
            let pairs = trace.power(begun, ended, MIN_INTERVAL, MAX_POWER_POINTS).into_iter();
            pairs.map(|(time, watts)| (rounded(time), rounded(watts * factor))).collect()
        };
        let mut metered = Vec::new();
        for DeviceRecord { info: DeviceInfo { name, id, kind, source }, trace, others, .. } in
            devices
        {
            let Some(joules) = trace.between(begun, ended) else {
                notes.push(format!("{name} was not read to the end, and has no number"));
                continue;
            };
            metered.push(MeteredDevice {
                name,
                id,
                kind,
                energy_wh: joules / JOULES_PER_WH,
                counted_wh: over(&trace).map(|joules| joules / JOULES_PER_WH),
                idle_watts: idle_watts(&trace),
                status: Status::Measured,
                source,
                power: power(&trace, 1.0),
                others,
            });
        }
        if let Some(Estimate { watts, seconds, cpu_time_source }) = estimate {
            if self.is_found {
                let factor = watts.value();
                let counted = over(&seconds);
                let part = counted.map_or_else(String::new, |seconds| {
                    format!(", {seconds:.2} s of them in the counted phases")
                });
                metered.push(MeteredDevice {
                    name: "processors".to_owned(),
                    id: None,
                    kind: DeviceKind::Cpu,
                    energy_wh: seconds.total() * factor / JOULES_PER_WH,
                    counted_wh: counted.map(|seconds| seconds * factor / JOULES_PER_WH),
                    idle_watts: None,
                    status: Status::Estimated,
                    source: format!(
                        "{:.2} CPU seconds of the benchmark, told by {cpu_time_source}{part}, x {watts} W \
                         per CPU as stated",
                        seconds.total()
                    ),
                    power: power(&seconds, factor),
                    others: vec![],
                });
            } else {
                notes.push(
                    "there is no estimate: neither a control group nor a process of the benchmark was \
                     found on this machine"
                        .to_owned(),
                );
            }
        }
        if !metered.is_empty() {
            notes.extend(unplaced);
        }
        let phase = |Phase { name, from, to }: &Phase| Phase {
            name: name.clone(),
            from: from - begun,
            to: to - begun,
        };
        HostMeter {
            begun,
            seconds: ended - begun,
            phases: counted.iter().map(phase).collect(),
            idle_seconds,
            devices: metered,
            own_percent: own_percent.map(rounded),
            notes,
        }
    }

    /// Why the phases cannot be placed in the recording.
    fn why_unplaced(&self, phases: &[Phase]) -> Option<String> {
        // Seconds by which a phase may exceed the run, as the samples around it may be that far away.
        const SLACK: f64 = 0.5;
        let (begun, ended) = (self.begun - SLACK, self.ended + SLACK);
        let inside = |phase: &Phase| phase.from >= begun && phase.to <= ended;
        let unknown = "so the energy over its counted phases is not known to the host";
        if phases.is_empty() {
            Some(format!("the backend did not tell when its phases ran, {unknown}"))
        } else if self.is_clock_shared == Some(false) {
            Some(format!("the container has a clock of its own (a time namespace), {unknown}"))
        } else if !self.is_found {
            Some(format!(
                "the benchmark's processes were not found on this machine: the engine may be another \
                 machine's, as in a virtual one, and have another clock, {unknown}"
            ))
        } else if !phases.iter().all(inside) {
            Some(format!("the backend's phases lie outside of the run by this clock, {unknown}"))
        } else {
            None
        }
    }
}

/// Rounds to three decimals.
fn rounded(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests;
