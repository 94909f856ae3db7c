//! Reads every device at moment after moment, from before the benchmark until after it.

use std::collections::BTreeSet;

use contract::host_meter::OtherProcess;
use host::process::processes::Processes;

use super::{
    gauge::Gauge,
    recording::{Estimate, Recorded, Recording},
    target::Target,
    watts::Watts,
};
use crate::recording::trace::Trace;

/// Samples from one look at the processes on GPUs to the next: it costs more than a counter does.
const LOOK_AT_PROCESSES: u64 = 10;

/// What is being read.
pub(super) struct Sampler<'a> {
    gauges: Vec<Gauge<'a>>,
    target: Target,
    processes: Processes,
    /// The estimate of processors that cannot be measured, if there is to be one.
    watts_per_cpu: Option<Watts>,
    cpu: Trace,
    samples: u64,
    begun: Option<f64>,
    idle_from: Option<f64>,
    notes: Vec<String>,
    unlisted: BTreeSet<String>,
}

impl<'a> Sampler<'a> {
    pub(super) fn new(
        gauges: Vec<Gauge<'a>>,
        target: Target,
        processes: Processes,
        watts_per_cpu: Option<Watts>,
        notes: Vec<String>,
    ) -> Self {
        Self {
            gauges,
            target,
            processes,
            watts_per_cpu,
            cpu: Trace::default(),
            samples: 0,
            begun: None,
            idle_from: None,
            notes,
            unlisted: BTreeSet::new(),
        }
    }

    /// Whether anything is measured, and not only estimated.
    pub(super) fn measures(&self) -> bool {
        !self.gauges.is_empty()
    }

    /// From now on the machine is idle.
    pub(super) fn idle(&mut self, now: f64) {
        self.idle_from = Some(now);
        self.read(now);
    }

    /// From now on the benchmark may run.
    pub(super) fn begin(&mut self, now: f64) {
        self.begun = Some(now);
        self.cpu.push(now, 0.0);
        self.read(now);
        self.list_processes();
    }

    /// One more moment. `ask` runs a command and gives what it prints.
    pub(super) fn sample(&mut self, now: f64, ask: &mut dyn FnMut(&[String]) -> Option<String>) {
        self.read(now);
        if self.begun.is_none() {
            return;
        }
        self.target.look(now, ask);
        if self.watts_per_cpu.is_some()
            && let Some(seconds) = self.target.cpu_seconds()
        {
            self.cpu.push(now, seconds);
        }
        self.samples += 1;
        if self.samples.is_multiple_of(LOOK_AT_PROCESSES) {
            self.list_processes();
        }
    }

    /// What was seen. `busy` is the processor time that the meter took itself, in seconds.
    pub(super) fn finish(mut self, now: f64, busy: f64) -> Recording {
        self.read(now);
        let begun = self.begun.unwrap_or(now);
        let idle = self.idle_from.map(|from| (from, begun));
        let since = idle.map_or(begun, |(from, _)| from);
        let mut notes = self.notes;
        notes.extend(self.unlisted);
        notes.extend(self.gauges.iter().flat_map(Gauge::notes));
        let has_metered = !self.gauges.is_empty() || self.watts_per_cpu.is_some();
        let own_percent = (now > since && has_metered).then(|| 100.0 * busy / (now - since));
        let estimate = self.watts_per_cpu.map(|watts| Estimate {
            watts,
            seconds: self.cpu,
            clockwork: self.target.clockwork(),
        });
        let devices = self.gauges.into_iter().map(|gauge| {
            let Gauge { about, trace, others, used, .. } = gauge;
            Recorded { about, trace, others, used }
        });
        Recording {
            begun,
            ended: now,
            idle,
            devices: devices.collect(),
            estimate,
            is_found: self.target.is_found(),
            is_clock_shared: self.target.is_clock_shared(),
            own_percent,
            notes,
        }
    }

    fn read(&mut self, now: f64) {
        self.gauges.iter_mut().for_each(|gauge| gauge.sample(now));
    }

    /// Looks who is on the GPUs. Before the benchmark runs, nobody there is the benchmark's.
    fn list_processes(&mut self) {
        for gauge in &mut self.gauges {
            let pids = match gauge.source.processes() {
                Ok(pids) => pids,
                Err(why) => {
                    let name = &gauge.about.name;
                    self.unlisted.insert(format!("the processes on {name} are not known: {why}"));
                    continue;
                }
            };
            gauge.used |= !pids.is_empty();
            for pid in pids {
                if gauge.known.contains(&pid) {
                    continue;
                }
                let owns = if self.samples == 0 { Some(false) } else { self.target.owns(pid) };
                // One that cannot be told yet is looked at again.
                let Some(owns) = owns else { continue };
                gauge.known.insert(pid);
                if !owns {
                    gauge.others.push(OtherProcess { pid, name: self.processes.name(pid) });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        path::Path,
        sync::{Arc, Mutex},
    };

    use contract::summary::DeviceKind;

    use super::Sampler;
    use crate::{
        gauge::{About, Gauge, Reading, Source},
        target::{Subject, Target},
    };
    use host::process::processes::Processes;

    /// A GPU at a power, with processes on it that a test changes.
    struct Busy {
        watts: f64,
        pids: Arc<Mutex<Result<Vec<u32>, String>>>,
    }

    impl Source for Busy {
        fn read(&mut self) -> Result<Reading, String> {
            Ok(Reading::Watts(self.watts))
        }

        fn processes(&mut self) -> Result<Vec<u32>, String> {
            self.pids.lock().unwrap().clone()
        }
    }

    fn process(root: &Path, pid: u32, parent: u32, name: &str, ticks: u64) {
        let folder = root.join(format!("proc/{pid}"));
        fs::create_dir_all(&folder).unwrap();
        let stat = format!("{pid} ({name}) S {parent} 1 1 0 -1 4 0 0 0 0 {ticks} 0 0 0 20 0 1 0 9");
        fs::write(folder.join("stat"), stat).unwrap();
        fs::write(folder.join("comm"), format!("{name}\n")).unwrap();
    }

    #[test]
    fn others_on_a_gpu_are_told_apart_from_the_benchmarks_own() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        process(root, 5, 1, "Xorg", 0);
        process(root, 70, 1, "entrypoint", 100);
        process(root, 71, 70, "python", 100);
        process(root, 90, 1, "miner", 900);
        let pids = Arc::new(Mutex::new(Ok(vec![5])));
        let about =
            About { name: "gpu".into(), id: None, kind: DeviceKind::Gpu, source: "told".into() };
        let gauge = Gauge::new(about, Busy { watts: 100.0, pids: Arc::clone(&pids) });
        let child = Arc::default();
        let target = Target::new(Subject::Child(Arc::clone(&child)), root);
        let watts = Some("10".parse().unwrap());
        let processes = Processes::below(root);
        let mut sampler = Sampler::new(vec![gauge], target, processes, watts, vec!["a".into()]);
        let mut nobody = |_: &[String]| None;
        sampler.idle(100.0);
        sampler.sample(101.0, &mut nobody);
        sampler.begin(102.0);
        child.set(70).unwrap();
        // 6 has ended before anybody could look who it was.
        *pids.lock().unwrap() = Ok(vec![5, 6, 71, 90]);
        for tenth in 1..=20 {
            sampler.sample(102.0 + f64::from(tenth) / 10.0, &mut nobody);
        }
        *pids.lock().unwrap() = Err("no rights".into());
        for tenth in 21..=40 {
            sampler.sample(102.0 + f64::from(tenth) / 10.0, &mut nobody);
        }
        let recording = sampler.finish(106.0, 0.03);
        assert_eq!((recording.begun, recording.ended), (102.0, 106.0));
        assert_eq!(recording.idle, Some((100.0, 102.0)));
        let device = &recording.devices[0];
        assert!((device.trace.total() - 600.0).abs() < 1e-6, "{}", device.trace.total());
        let others = device.others.iter().map(|other| (other.pid, other.name.as_deref()));
        assert_eq!(others.collect::<Vec<_>>(), [(5, Some("Xorg")), (90, Some("miner"))]);
        assert!(device.used);
        let ticks = rustix::param::clock_ticks_per_second() as f64;
        assert_eq!(recording.estimate.unwrap().seconds.total(), 200.0 / ticks);
        assert!(recording.is_found);
        insta::assert_snapshot!(recording.notes.join("\n"), @r"
        a
        the processes on gpu are not known: no rights
        ");
        assert_eq!(recording.own_percent, Some(0.5));
    }
}
