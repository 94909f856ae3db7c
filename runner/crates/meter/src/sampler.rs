//! Samples every device, from before the benchmark until after it.

use std::collections::BTreeSet;

use contract::host_meter::OtherProcess;
use host::process::processes::Processes;

use crate::{
    benchmark::BenchmarkProcesses,
    gauge::Gauge,
    recording::{Estimate, Recording, trace::Trace},
    watts::Watts,
};

/// Samples between two lists of the processes on GPUs. A list costs more than a counter.
const LIST_PROCESSES_EVERY: u64 = 10;

/// The devices and what was sampled so far.
pub(super) struct Sampler<'a> {
    gauges: Vec<Gauge<'a>>,
    benchmark: BenchmarkProcesses,
    processes: Processes,
    /// Power of a busy CPU, if processors are estimated.
    watts_per_cpu: Option<Watts>,
    cpu_seconds: Trace,
    samples: u64,
    begun: Option<f64>,
    idle_from: Option<f64>,
    notes: Vec<String>,
    /// Notes on GPUs whose processes are unknown, each once.
    unlisted: BTreeSet<String>,
}

impl<'a> Sampler<'a> {
    pub(super) fn new(
        gauges: Vec<Gauge<'a>>,
        benchmark: BenchmarkProcesses,
        processes: Processes,
        watts_per_cpu: Option<Watts>,
        notes: Vec<String>,
    ) -> Self {
        Self {
            gauges,
            benchmark,
            processes,
            watts_per_cpu,
            cpu_seconds: Trace::default(),
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

    /// Marks the begin of the idle measurement.
    pub(super) fn begin_idle(&mut self, now: f64) {
        self.idle_from = Some(now);
        self.read(now);
    }

    /// Marks the moment from which the benchmark may run.
    pub(super) fn begin(&mut self, now: f64) {
        self.begun = Some(now);
        self.cpu_seconds.push(now, 0.0);
        self.read(now);
        self.list_processes();
    }

    /// Takes a sample. `ask` runs a command and returns its output.
    pub(super) fn sample(&mut self, now: f64, ask: &mut dyn FnMut(&[String]) -> Option<String>) {
        self.read(now);
        if self.begun.is_none() {
            return;
        }
        self.benchmark.find(now, ask);
        if self.watts_per_cpu.is_some()
            && let Some(seconds) = self.benchmark.cpu_seconds()
        {
            self.cpu_seconds.push(now, seconds);
        }
        self.samples += 1;
        if self.samples.is_multiple_of(LIST_PROCESSES_EVERY) {
            self.list_processes();
        }
    }

    /// Ends the recording. `own_seconds` is the CPU time of the meter itself.
    pub(super) fn finish(mut self, now: f64, own_seconds: f64) -> Recording {
        self.read(now);
        let begun = self.begun.unwrap_or(now);
        let idle = self.idle_from.map(|from| (from, begun));
        let since = self.idle_from.unwrap_or(begun);
        let mut notes = self.notes;
        notes.extend(self.unlisted);
        notes.extend(self.gauges.iter().flat_map(Gauge::notes));
        let has_metered = !self.gauges.is_empty() || self.watts_per_cpu.is_some();
        let own_percent = (now > since && has_metered).then(|| 100.0 * own_seconds / (now - since));
        let estimate = self.watts_per_cpu.map(|watts| Estimate {
            watts,
            cpu_time_source: self.benchmark.cpu_time_source(),
            seconds: self.cpu_seconds,
        });
        Recording {
            begun,
            ended: now,
            idle,
            devices: self.gauges.into_iter().map(|gauge| gauge.record).collect(),
            estimate,
            is_found: self.benchmark.is_found(),
            is_clock_shared: self.benchmark.is_clock_shared,
            own_percent,
            notes,
        }
    }

    fn read(&mut self, now: f64) {
        self.gauges.iter_mut().for_each(|gauge| gauge.sample(now));
    }

    /// Lists the processes on the GPUs. Before the benchmark runs, none is its own.
    fn list_processes(&mut self) {
        for gauge in &mut self.gauges {
            let pids = match gauge.sensor.processes() {
                Ok(pids) => pids,
                Err(why) => {
                    let name = &gauge.record.info.name;
                    self.unlisted.insert(format!("the processes on {name} are not known: {why}"));
                    continue;
                }
            };
            gauge.record.used |= !pids.is_empty();
            for pid in pids {
                if gauge.known.contains(&pid) {
                    continue;
                }
                let is_own = if self.samples == 0 { Some(false) } else { self.benchmark.owns(pid) };
                // An unknown owner is asked for again next time.
                let Some(is_own) = is_own else { continue };
                gauge.known.insert(pid);
                if !is_own {
                    gauge.record.others.push(OtherProcess { pid, name: self.processes.name(pid) });
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

    use super::{BenchmarkProcesses, Gauge, Processes, Sampler};
    use crate::{
        benchmark::Benchmark,
        gauge::{Reading, Sensor},
        recording::DeviceInfo,
    };

    /// A GPU with constant power and processes that the test sets.
    struct FakeGpu {
        watts: f64,
        pids: Arc<Mutex<Result<Vec<u32>, String>>>,
    }

    impl Sensor for FakeGpu {
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
    fn processes_on_a_gpu_outside_the_benchmark_are_recorded() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        process(root, 5, 1, "Xorg", 0);
        process(root, 70, 1, "entrypoint", 100);
        process(root, 71, 70, "python", 100);
        process(root, 90, 1, "miner", 900);
        let pids = Arc::new(Mutex::new(Ok(vec![5])));
        let info = DeviceInfo {
            name: "gpu".into(),
            id: None,
            kind: DeviceKind::Gpu,
            source: "counter".into(),
        };
        let gauge = Gauge::new(info, FakeGpu { watts: 100.0, pids: Arc::clone(&pids) });
        let child = Arc::default();
        let benchmark = BenchmarkProcesses::new(Benchmark::Child(Arc::clone(&child)), root);
        let watts = Some("10".parse().unwrap());
        let processes = Processes::below(root);
        let mut sampler = Sampler::new(vec![gauge], benchmark, processes, watts, vec!["a".into()]);
        let mut no_answer = |_: &[String]| None;
        sampler.begin_idle(100.0);
        sampler.sample(101.0, &mut no_answer);
        sampler.begin(102.0);
        child.set(70).unwrap();
        // Process 6 has no files: it ended before it could be identified.
        *pids.lock().unwrap() = Ok(vec![5, 6, 71, 90]);
        for tenth in 1..=20 {
            sampler.sample(102.0 + f64::from(tenth) / 10.0, &mut no_answer);
        }
        *pids.lock().unwrap() = Err("no rights".into());
        for tenth in 21..=40 {
            sampler.sample(102.0 + f64::from(tenth) / 10.0, &mut no_answer);
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
