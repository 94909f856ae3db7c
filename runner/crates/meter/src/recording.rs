//! What was read beside a run, and what it says of the phases that count.

pub(crate) mod trace;

use contract::{
    host_meter::{HostMeter, MeteredDevice, OtherProcess, Phase},
    summary::{DeviceKind, Status},
};

use super::{gauge::About, watts::Watts};
use crate::recording::trace::Trace;

const JOULES_PER_WH: f64 = 3600.0;

/// Pairs of power over time that a file has at most, for each device.
const MOST_PAIRS: usize = 600;

/// The shortest stretch of time that has a power, in seconds: counters of GPUs move in steps of
/// about a tenth of that.
const SHORTEST: f64 = 0.5;

/// Everything that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Recording {
    /// When the benchmark could begin, in seconds of the machine's clock.
    pub(super) begun: f64,
    /// When it was over.
    pub(super) ended: f64,
    /// When the machine was idle.
    pub(super) idle: Option<(f64, f64)>,
    pub(super) devices: Vec<Recorded>,
    pub(super) estimate: Option<Estimate>,
    /// Whether the benchmark's processes were found on this machine.
    pub(super) is_found: bool,
    /// Whether the benchmark has this machine's clock, if that could be told.
    pub(super) is_clock_shared: Option<bool>,
    /// What the meter itself took of a processor, in percent.
    pub(super) own_percent: Option<f64>,
    pub(super) notes: Vec<String>,
}

/// What was read of a device.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Recorded {
    pub(super) about: About,
    pub(super) trace: Trace,
    pub(super) others: Vec<OtherProcess>,
    pub(super) used: bool,
}

/// Processors by a model: the seconds that the benchmark took of them, times a power.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Estimate {
    pub(super) watts: Watts,
    /// Processor seconds over time.
    pub(super) seconds: Trace,
    /// What told them.
    pub(super) clockwork: &'static str,
}

impl Recording {
    /// One of nothing, for a reason.
    pub fn none(why: String) -> Self {
        Self {
            begun: 0.0,
            ended: 0.0,
            idle: None,
            devices: vec![],
            estimate: None,
            is_found: false,
            is_clock_shared: None,
            own_percent: None,
            notes: vec![why],
        }
    }

    /// Leaves out GPUs that nothing ran on, where anything ran on another.
    pub(super) fn without_unused_gpus(mut self) -> Self {
        if self.devices.iter().any(|device| device.used) {
            let is_idle = |device: &Recorded| device.about.kind == DeviceKind::Gpu && !device.used;
            let idle = self.devices.iter().filter(|device| is_idle(device)).count();
            self.devices.retain(|device| !is_idle(device));
            if idle > 0 {
                self.notes.push(format!("{idle} GPU(s) with no process on them are left out"));
            }
        }
        self
    }

    /// What a reader of sums must know: a device that fell silent is not in them.
    pub fn gaps(&self) -> Vec<String> {
        let is_silent = |device: &&Recorded| device.trace.between(self.begun, self.ended).is_none();
        let silent = self.devices.iter().filter(is_silent);
        let told = silent.map(|Recorded { about: About { name, kind, .. }, .. }| {
            let kind = kind.name();
            format!(
                "the host's meter lost {name} before the run's end: what it says of the {kind} energy \
                 is without that, and too little"
            )
        });
        told.collect()
    }

    /// What it says of a run whose counted phases were these, in seconds of the run's clock.
    pub fn over(self, phases: &[Phase]) -> HostMeter {
        let doubt = self.doubt(phases);
        let counted = if doubt.is_none() { phases } else { &[] };
        let Self { begun, ended, idle, devices, estimate, own_percent, mut notes, .. } = self;
        let idle_seconds = idle.map(|(from, to)| to - from);
        let watts = |trace: &Trace| {
            let (from, to) = idle?;
            Some(trace.between(from, to)? / (to - from)).filter(|watts| watts.is_finite())
        };
        let over = |trace: &Trace| {
            if counted.is_empty() { None } else { trace.over(counted) }
        };
        let power = |trace: &Trace, factor: f64| {
            let pairs = trace.power(begun, ended, SHORTEST, MOST_PAIRS).into_iter();
            pairs.map(|(time, watts)| (rounded(time), rounded(watts * factor))).collect()
        };
        let mut metered = Vec::new();
        for Recorded { about: About { name, id, kind, source }, trace, others, .. } in devices {
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
                idle_watts: watts(&trace),
                status: Status::Measured,
                source,
                power: power(&trace, 1.0),
                others,
            });
        }
        if let Some(Estimate { watts, seconds, clockwork }) = estimate {
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
                        "{:.2} CPU seconds of the benchmark, told by {clockwork}{part}, x {watts} W \
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
            notes.extend(doubt);
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

    /// Why nothing can be said of the phases.
    fn doubt(&self, phases: &[Phase]) -> Option<String> {
        // Seconds by which a phase may lie beside the run: the samples around it are that far away.
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

/// Three digits after the point.
fn rounded(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests;
