//! The host's meter: energy of GPUs, processors and memory during a run, with any backend.
//!
//! A thread samples every device ten times a second, from before the benchmark until its container is
//! gone. Energy counters need only their first and last value. The samples between locate the counted
//! phases, follow a counter over its wrap-around and give power over time. The meter never fails a run:
//! a device that it cannot read becomes a note.

#![warn(clippy::print_stderr, clippy::print_stdout)]

mod benchmark;
mod comparison;
mod gauge;
mod model_location;
mod recording;
mod request;
mod sampler;
mod watts;

use std::{
    sync::{
        Arc, OnceLock,
        mpsc::{self, Receiver, RecvTimeoutError, Sender},
    },
    thread,
    time::{Duration, Instant},
};

use contract::clock::now;
use host::{
    output::terminal,
    process::{ask, processes::Processes},
};
use rustix::time::{ClockId, clock_gettime};

pub use self::{
    benchmark::Benchmark,
    comparison::compare,
    model_location::ModelLocation,
    recording::Recording,
    request::{Availability, CounterPaths, Options, Request},
    watts::Watts,
};
use self::{benchmark::BenchmarkProcesses, request::counts_processors, sampler::Sampler};

/// Time between two samples.
const PERIOD: Duration = Duration::from_millis(100);

/// Timeout for a driver to find its GPUs, and for the meter to stop.
const TIMEOUT: Duration = Duration::from_secs(20);

/// A running meter. It stops when dropped.
#[derive(Debug)]
pub struct Meter {
    stop: Sender<()>,
    done: Receiver<Recording>,
    child: Arc<OnceLock<u32>>,
}

impl Meter {
    /// Starts the meter. Blocks while it measures the idle machine, if the request asks for that.
    pub fn start(request: Request) -> Self {
        let (stop, stopped) = mpsc::channel();
        let (finish, done) = mpsc::channel();
        let (begin, begun) = mpsc::channel();
        let child = match &request.benchmark {
            Benchmark::Child(child) => Arc::clone(child),
            Benchmark::Container { .. } => Arc::default(),
        };
        let idle = request.idle.unwrap_or_default();
        let meter = Self { stop, done, child };
        // The thread is never joined: a driver that hangs must not delay the run.
        let thread = thread::Builder::new().name("meter".to_owned());
        let finisher = finish.clone();
        let spawned = thread.spawn(move || {
            let recording = record(&request, &begin, &stopped);
            // `finish` may have timed out.
            let _ = finisher.send(recording);
        });
        match spawned {
            // On a timeout the run begins without a meter.
            Ok(_) => _ = begun.recv_timeout(idle + TIMEOUT),
            Err(error) => {
                let why = format!("nothing is metered: no thread could be started: {error}");
                // Cannot fail: `meter` owns the receiver.
                let _ = finish.send(Recording::none(why));
            }
        }
        meter
    }

    /// Sets the benchmark's process id, for a benchmark without a container.
    pub fn watch(&self, pid: u32) {
        // A second call changes nothing.
        let _ = self.child.set(pid);
    }

    /// Stops the meter and returns what it recorded.
    pub fn finish(self) -> Recording {
        let Self { stop, done, .. } = self;
        drop(stop);
        done.recv_timeout(TIMEOUT).unwrap_or_else(|_| {
            Recording::none("nothing was metered: the meter does not answer".to_owned())
        })
    }
}

/// Samples all devices until `stop` is closed.
fn record(request: &Request, begin: &Sender<()>, stop: &Receiver<()>) -> Recording {
    let library = request.load();
    let (mut gauges, mut notes) = (vec![], vec![]);
    for found in request.find(library.as_ref()) {
        gauges.extend(found.gauges);
        notes.extend(found.refused);
    }
    let has_cpu_counter = counts_processors(&gauges);
    match (request.watts_per_cpu, has_cpu_counter) {
        (Some(_), true) => {
            notes.push("processors are measured, so there is no estimate of them".to_owned());
        }
        (None, false) => notes.push(
            "processors are not metered; `--watts-per-cpu W` gives an estimate from their time"
                .to_owned(),
        ),
        (Some(_), false) | (None, true) => {}
    }
    if request.idle.is_some() && gauges.is_empty() {
        notes.push("no idle baseline was taken: nothing here is measured".to_owned());
    }
    let root = &request.counters.root;
    let benchmark = BenchmarkProcesses::new(request.benchmark.clone(), root);
    let watts_per_cpu = request.watts_per_cpu.filter(|_| !has_cpu_counter);
    let mut sampler = Sampler::new(gauges, benchmark, Processes::below(root), watts_per_cpu, notes);
    let cpu_seconds = thread_cpu_seconds();
    let mut ask = |command: &[String]| {
        let answer = ask(command).ok()?;
        (answer.code == 0).then_some(answer.stdout)
    };
    if let Some(idle) = request.idle.filter(|_| sampler.measures()) {
        terminal::say(format_args!("meter: the idle machine, for {} s", idle.as_secs_f64()));
        sampler.begin_idle(now());
        let end = Instant::now() + idle;
        repeat(stop, Some(end), || sampler.sample(now(), &mut ask));
    }
    sampler.begin(now());
    // `start` may have timed out.
    let _ = begin.send(());
    repeat(stop, None, || sampler.sample(now(), &mut ask));
    let recording = sampler.finish(now(), thread_cpu_seconds() - cpu_seconds);
    if request.only_used { recording.without_unused_gpus() } else { recording }
}

/// Calls `work` once per period until `end`, or until `stop` is closed.
fn repeat(stop: &Receiver<()>, end: Option<Instant>, mut work: impl FnMut()) {
    let mut next = Instant::now() + PERIOD;
    while end.is_none_or(|end| Instant::now() < end) {
        let pause = end.map_or(next, |end| next.min(end)).saturating_duration_since(Instant::now());
        match stop.recv_timeout(pause) {
            Err(RecvTimeoutError::Timeout) => work(),
            Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
        }
        // Missed samples are not repeated.
        next = Instant::now().max(next + PERIOD);
    }
}

/// CPU seconds of the calling thread.
fn thread_cpu_seconds() -> f64 {
    let used = clock_gettime(ClockId::ThreadCPUTime);
    used.tv_sec as f64 + used.tv_nsec as f64 / 1e9
}

#[cfg(test)]
mod tests;
