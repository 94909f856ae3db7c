//! What was read beside a run, and what it says of the phases that count.

use contract::{
    host_meter::{HostMeter, MeteredDevice, OtherProcess, Phase},
    summary::{DeviceKind, Status},
};

use super::{gauge::About, trace::Trace, watts::Watts};

const JOULES_PER_WH: f64 = 3600.0;

/// Pairs of power over time that a file has at most, for each device.
const MOST_PAIRS: usize = 600;

/// The shortest stretch of time that has a power, in seconds: counters of GPUs move in steps of
/// about a tenth of that.
const SHORTEST: f64 = 0.5;

/// Everything that was read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Recording {
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
    pub(super) fn none(why: String) -> Self {
        Self {
            begun: 0.0,
            ended: 0.0,
            idle: None,
            devices: vec![],
            estimate: None,
            is_found: false,
            is_clock_shared: None,
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
    pub(crate) fn gaps(&self) -> Vec<String> {
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
    pub(crate) fn over(self, phases: &[Phase]) -> HostMeter {
        let doubt = self.doubt(phases);
        let counted = if doubt.is_none() { phases } else { &[] };
        let Self { begun, ended, idle, devices, estimate, mut notes, .. } = self;
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
mod tests {
    use contract::{
        host_meter::{OtherProcess, Phase},
        summary::DeviceKind,
    };
    use proptest::prelude::*;

    use super::{Estimate, Recorded, Recording};
    use crate::meter::{gauge::About, trace::Trace};

    fn trace(watts: f64, from: f64, to: f64) -> Trace {
        let mut trace = Trace::default();
        let steps = ((to - from) * 10.0) as u32;
        for step in 0..=steps {
            let time = from + f64::from(step) / 10.0;
            trace.push(time, watts * (time - from));
        }
        trace
    }

    fn device(name: &str, kind: DeviceKind, trace: Trace) -> Recorded {
        let about = About { name: name.into(), id: None, kind, source: "counter".into() };
        Recorded { about, trace, others: vec![], used: false }
    }

    /// Ten seconds of idleness and twenty of a run.
    fn recording() -> Recording {
        let mut gpu = device("GPU", DeviceKind::Gpu, trace(360.0, 990.0, 1020.0));
        gpu.about.id = Some("GPU-1".into());
        gpu.others.push(OtherProcess { pid: 5, name: Some("Xorg".into()) });
        Recording {
            begun: 1000.0,
            ended: 1020.0,
            idle: Some((990.0, 1000.0)),
            devices: vec![gpu],
            estimate: Some(Estimate {
                watts: "7.2".parse().unwrap(),
                seconds: trace(2.0, 1000.0, 1019.9),
                clockwork: "its control group",
            }),
            is_found: true,
            is_clock_shared: Some(true),
            notes: vec![],
        }
    }

    fn phases() -> [Phase; 2] {
        let phase = |name: &str, from, to| Phase { name: name.into(), from, to };
        [phase("preprocess", 1002.0, 1003.0), phase("prompts", 1005.0, 1014.0)]
    }

    #[test]
    fn a_run_is_summed_up_over_its_phases() {
        let mut meter = recording().over(&phases());
        for device in &mut meter.devices {
            // In stretches of half a second or a little more.
            assert!((39..=40).contains(&device.power.len()), "{}", device.power.len());
            device.power.truncate(2);
        }
        insta::assert_snapshot!(serde_json::to_string_pretty(&meter).unwrap(), @r#"
        {
          "begun": 1000.0,
          "seconds": 20.0,
          "phases": [
            {
              "name": "preprocess",
              "from": 2.0,
              "to": 3.0
            },
            {
              "name": "prompts",
              "from": 5.0,
              "to": 14.0
            }
          ],
          "idle_seconds": 10.0,
          "devices": [
            {
              "name": "GPU",
              "id": "GPU-1",
              "kind": "gpu",
              "energy_wh": 2.0,
              "counted_wh": 1.0,
              "idle_watts": 360.0,
              "status": "measured",
              "source": "counter",
              "power": [
                [
                  0.5,
                  360.0
                ],
                [
                  1.0,
                  360.0
                ]
              ],
              "others": [
                {
                  "pid": 5,
                  "name": "Xorg"
                }
              ]
            },
            {
              "name": "processors",
              "id": null,
              "kind": "cpu",
              "energy_wh": 0.07919999999999983,
              "counted_wh": 0.04,
              "idle_watts": null,
              "status": "estimated",
              "source": "39.60 CPU seconds of the benchmark, told by its control group, 20.00 s of them in the counted phases, x 7.2 W per CPU as stated",
              "power": [
                [
                  0.508,
                  14.4
                ],
                [
                  1.015,
                  14.4
                ]
              ]
            }
          ],
          "notes": []
        }
        "#);
    }

    #[test]
    fn phases_that_cannot_be_placed_are_told_and_the_whole_run_still_counts() {
        let late = [Phase { name: "prompts".into(), from: 1019.0, to: 1021.0 }];
        let mut other_clock = recording();
        other_clock.is_clock_shared = Some(false);
        let mut elsewhere = recording();
        elsewhere.is_found = false;
        let mut told = Vec::new();
        for (recording, phases) in [
            (recording(), &[][..]),
            (recording(), &late[..]),
            (other_clock, &phases()[..]),
            (elsewhere, &phases()[..]),
        ] {
            let meter = recording.over(phases);
            assert!(meter.devices.iter().all(|device| device.counted_wh.is_none()));
            assert_eq!(meter.devices[0].energy_wh, 2.0);
            assert!(meter.phases.is_empty());
            told.push(meter.notes.join("\n"));
        }
        insta::assert_snapshot!(told.join("\n---\n"), @r"
        the backend did not tell when its phases ran, so the energy over its counted phases is not known to the host
        ---
        the backend's phases lie outside of the run by this clock, so the energy over its counted phases is not known to the host
        ---
        the container has a clock of its own (a time namespace), so the energy over its counted phases is not known to the host
        ---
        there is no estimate: neither a control group nor a process of the benchmark was found on this machine
        the benchmark's processes were not found on this machine: the engine may be another machine's, as in a virtual one, and have another clock, so the energy over its counted phases is not known to the host
        ");
    }

    #[test]
    fn a_device_that_fell_silent_has_no_number() {
        let mut recording = recording();
        assert_eq!(recording.gaps(), [""; 0]);
        recording.devices[0].trace = trace(360.0, 990.0, 1010.0);
        insta::assert_snapshot!(
            recording.gaps().join("\n"),
            @"the host's meter lost GPU before the run's end: what it says of the GPU energy is without that, and too little"
        );
        let meter = recording.over(&phases());
        assert_eq!(meter.devices.len(), 1);
        assert_eq!(meter.notes, ["GPU was not read to the end, and has no number"]);
    }

    #[test]
    fn a_servers_unused_gpus_do_not_count() {
        let mut recording = recording();
        recording.devices.push(device("package-0", DeviceKind::Cpu, Trace::default()));
        let names = |recording: &Recording| {
            let names = recording.devices.iter().map(|device| device.about.name.clone());
            names.collect::<Vec<_>>()
        };
        // Where no process is known at all, they may all be in use.
        assert_eq!(names(&recording.clone().without_unused_gpus()), ["GPU", "package-0"]);
        let mut server = device("server's", DeviceKind::Gpu, Trace::default());
        server.used = true;
        recording.devices.push(server);
        let left = recording.without_unused_gpus();
        assert_eq!(names(&left), ["package-0", "server's"]);
        assert_eq!(left.notes, ["1 GPU(s) with no process on them are left out"]);
    }

    proptest! {
        /// Wherever the phases of a run lie, no part of it has more energy than the whole, and
        /// neither sums nor power are made up.
        #[test]
        fn no_phase_has_more_than_the_run(phases in prop::collection::vec((0.0..1.0_f64, 0.0..1.0_f64), 1..5)) {
            let phase = |(a, b): (f64, f64)| {
                let (from, to) = (1000.0 + 20.0 * a.min(b), 1000.0 + 20.0 * a.max(b));
                Phase { name: "prompts".into(), from, to }
            };
            let phases: Vec<_> = phases.into_iter().map(phase).collect();
            let meter = recording().over(&phases);
            for device in &meter.devices {
                let counted = device.counted_wh.unwrap();
                prop_assert!((0.0..=device.energy_wh + 1e-9).contains(&counted), "{:?}", device);
                let mut before = 0.0;
                let power: f64 = device.power.iter().map(|(time, watts)| {
                    let joules = watts * (time - before);
                    before = *time;
                    joules
                }).sum();
                prop_assert!((power / 3600.0 - device.energy_wh).abs() < 1e-3 * device.energy_wh);
            }
            prop_assert!(meter.phases.iter().all(|phase| phase.from >= -1e-9 && phase.to <= 20.0 + 1e-9));
        }
    }
}
