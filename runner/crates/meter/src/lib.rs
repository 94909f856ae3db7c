//! The host's meter: the energy of GPUs, processors and memory beside a run, whatever the backend.
//!
//! A thread reads every device ten times a second, from before the benchmark until its container is
//! gone. Its counters need no more than their first and last value; the samples between place the
//! counted phases, follow a counter over its wrap and make power over time. It never fails a run: what
//! it cannot read is a note.

#![warn(clippy::print_stderr, clippy::print_stdout)]

mod clock;
mod comparison;
mod gauge;
mod recording;
mod request;
mod sampler;
mod served;
mod target;
mod watts;

use std::{
    sync::{
        Arc, OnceLock,
        mpsc::{self, Receiver, RecvTimeoutError, Sender},
    },
    thread,
    time::{Duration, Instant},
};

use host::{
    output::terminal,
    process::{ask, processes::Processes},
};

pub use self::{
    comparison::notes,
    recording::Recording,
    request::{Look, Machine, Request},
    served::Served,
    target::Subject,
};
pub use self::{request::Options, watts::Watts};
use self::{request::counts_processors, sampler::Sampler, target::Target};

/// From one sample to the next.
const PERIOD: Duration = Duration::from_millis(100);

/// How long a driver may take to find its GPUs, and the meter to stop.
const PATIENCE: Duration = Duration::from_secs(20);

/// A meter under way. One that is dropped stops.
#[derive(Debug)]
pub struct Meter {
    stop: Sender<()>,
    done: Receiver<Recording>,
    child: Arc<OnceLock<u32>>,
    only_used: bool,
}

impl Meter {
    /// Begins to meter: first the idle machine, if that was asked for, which takes its time.
    pub fn start(request: Request) -> Self {
        let (stop, stopped) = mpsc::channel();
        let (finish, done) = mpsc::channel();
        let (begin, begun) = mpsc::channel();
        let child = match &request.subject {
            Subject::Child(child) => Arc::clone(child),
            Subject::Container { .. } => Arc::default(),
        };
        let (only_used, idle) = (request.only_used, request.idle.unwrap_or_default());
        let meter = Self { stop, done, child, only_used };
        // Nobody joins it: a driver that hangs must not keep the run.
        let thread = thread::Builder::new().name("meter".to_owned());
        let finisher = finish.clone();
        let spawned = thread.spawn(move || {
            let recording = run(&request, &begin, &stopped);
            // Whoever asked may have lost patience.
            let _ = finisher.send(recording);
        });
        match spawned {
            // Without an answer the run begins without it.
            Ok(_) => _ = begun.recv_timeout(idle + PATIENCE),
            Err(error) => {
                let why = format!("nothing is metered: no thread could be started: {error}");
                // The receiver is right here.
                let _ = finish.send(Recording::none(why));
            }
        }
        meter
    }

    /// Tells it which process the benchmark is, where there is no container.
    pub fn watch(&self, pid: u32) {
        // It is told once.
        let _ = self.child.set(pid);
    }

    /// Stops it.
    pub fn finish(self) -> Recording {
        let Self { stop, done, only_used, .. } = self;
        drop(stop);
        let recording = done.recv_timeout(PATIENCE).unwrap_or_else(|_| {
            Recording::none("nothing was metered: the meter does not answer".to_owned())
        });
        if only_used { recording.without_unused_gpus() } else { recording }
    }
}

/// Meters until it is stopped.
fn run(request: &Request, begin: &Sender<()>, stop: &Receiver<()>) -> Recording {
    let library = request.load();
    let (mut gauges, mut notes) = (vec![], vec![]);
    for found in request.find(library.as_ref()) {
        gauges.extend(found.gauges);
        notes.extend(found.refused);
    }
    let is_blind = !counts_processors(&gauges);
    let watts_per_cpu = request.watts_per_cpu.filter(|_| is_blind);
    match (request.watts_per_cpu, is_blind) {
        (Some(_), false) => {
            notes.push("processors are measured, so there is no estimate of them".to_owned());
        }
        (None, true) => notes.push(
            "processors are not metered; `--watts-per-cpu W` gives an estimate from their time"
                .to_owned(),
        ),
        (Some(_), true) | (None, false) => {}
    }
    let target = Target::new(request.subject.clone(), &request.machine.root);
    let processes = Processes::below(&request.machine.root);
    if request.idle.is_some() && gauges.is_empty() {
        notes.push("no idle baseline was taken: nothing here is measured".to_owned());
    }
    let mut sampler = Sampler::new(gauges, target, processes, watts_per_cpu, notes);
    let busy = clock::of_thread();
    let mut ask = |command: &[String]| {
        let answer = ask(command).ok()?;
        (answer.code == 0).then_some(answer.stdout)
    };
    if let Some(idle) = request.idle.filter(|_| sampler.measures()) {
        terminal::say(format_args!("meter: the idle machine, for {} s", idle.as_secs_f64()));
        sampler.idle(clock::now());
        let end = Instant::now() + idle;
        until(stop, Some(end), || sampler.sample(clock::now(), &mut ask));
    }
    sampler.begin(clock::now());
    // Whoever waited may have lost patience.
    let _ = begin.send(());
    until(stop, None, || sampler.sample(clock::now(), &mut ask));
    sampler.finish(clock::now(), clock::of_thread() - busy)
}

/// Does something again and again, until the end or until it is stopped.
fn until(stop: &Receiver<()>, end: Option<Instant>, mut work: impl FnMut()) {
    let mut next = Instant::now() + PERIOD;
    while end.is_none_or(|end| Instant::now() < end) {
        let pause = end.map_or(next, |end| next.min(end)).saturating_duration_since(Instant::now());
        match stop.recv_timeout(pause) {
            Err(RecvTimeoutError::Timeout) => work(),
            Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
        }
        // What was missed is not made up for.
        next = Instant::now().max(next + PERIOD);
    }
}

#[cfg(test)]
mod tests;
