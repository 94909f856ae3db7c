//! The time between start and end: streams, signals, and the dead-man's switch.

use std::{
    io::{self, PipeWriter},
    process::Child,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Receiver, RecvTimeoutError, Sender},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use host::{
    output::terminal,
    process::{self, exit_code, signals, starting},
    shell::CommandLine,
};
use plan::run_plan::RunPlan;
use rustix::{
    io::Errno,
    process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid},
};
use signal_hook::{flag, iterator::Signals, low_level::signal_name};
use streams::Stream;

use crate::run::supervised::{
    client_watch::ClientWatch, container::Container, pump::Pump, survivors,
};

/// How long a stopped benchmark has for its end: the entrypoint kills it after half of that.
const GRACE: Duration = Duration::from_secs(10);

/// How long our readers have once we were asked to end.
const READERS: Duration = Duration::from_secs(3);

/// How often an end is enforced before nobody waits for it any more.
const KILLS: u32 = 3;

/// How the client, or the host engine's child, ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ended {
    /// Its exit code, 128+n for signal n.
    pub code: i32,
    /// The first signal that asked us to stop.
    pub signal: Option<i32>,
    /// Whether it was killed.
    pub killed: bool,
    /// Its last words on standard error.
    pub said: String,
    /// The id that its container was seen to have.
    pub id: Option<String>,
}

enum Event {
    Exited,
    Signal(i32),
    /// The client will not return by itself, for this reason.
    Hangs(String),
}

/// A benchmark under way.
pub(crate) struct Running {
    child: Child,
    switch: PipeWriter,
    events: Receiver<Event>,
    /// Whether a signal ends this process, as it does when nobody listens for it.
    mortal: Arc<AtomicBool>,
    /// Of standard output and of standard error.
    pumps: [Pump; 2],
    /// The container's id, once it has been seen.
    id: Arc<OnceLock<String>>,
    /// Ends the watch over the client when it is dropped.
    _over: Sender<()>,
}

impl Running {
    /// Starts the command. Its output goes where ours goes, all of it to standard error when
    /// standard output is for JSON.
    ///
    /// # Errors
    /// When it cannot be started, or the machine has no more threads. Nothing is left running.
    pub(crate) fn start(
        command: &CommandLine,
        container: &Container,
        plan: &RunPlan,
        to_stderr: bool,
    ) -> anyhow::Result<Self> {
        let (send, events) = mpsc::channel();
        let mortal = listen(send.clone()).context("preparing for signals")?;
        let context = "connecting the benchmark's streams";
        let (stdin, switch) = io::pipe().context(context)?;
        let out = if to_stderr { Stream::Err } else { Stream::Out };
        let (out, out_pump) = Pump::to(out).context(context)?;
        let (err, err_pump) = Pump::to(Stream::Err).context(context)?;
        let context = "starting the threads that watch over the benchmark";
        let started = wait_for_end(send.clone()).context(context)?;
        let (over, is_over) = mpsc::channel();
        let has_containers = container.engine.has_containers();
        let id = Arc::<OnceLock<String>>::default();
        if has_containers {
            let watch = ClientWatch::over(container, plan, Arc::clone(&id));
            // The receiver is gone once the run is over.
            let tell = move |why| _ = send.send(Event::Hangs(why));
            watch.start(is_over, tell).context(context)?;
        }
        let argv = command.argv();
        // Without a container, the benchmark finds its secrets in our environment.
        let mut child =
            if has_containers { process::command(&argv)? } else { process::program(&argv)? };
        child.envs(command.env.iter().map(|(name, value)| (name, value.value())));
        child.stdin(stdin).stdout(out).stderr(err);
        let child = child.spawn().with_context(|| starting(&argv))?;
        // The thread waits for it.
        let _ = started.send(Pid::from_child(&child));
        let pumps = [out_pump, err_pump];
        Ok(Self { child, switch, events, mortal, pumps, id, _over: over })
    }

    /// The process that was started.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for the end. A signal to us stops the benchmark, a second one kills it, and one more
    /// ends us: the reaper does the rest. `what` is under way, in a word.
    ///
    /// # Errors
    /// When there is no end.
    pub(crate) fn wait(self, container: &Container, what: &str) -> anyhow::Result<Ended> {
        let Self { mut child, switch, events, mortal, pumps, id, _over } = self;
        let mut stopping = Stopping { switch: Some(switch), signal: None, kill_at: None, kills: 0 };
        loop {
            match stopping.next(&events) {
                Next::Exited => break,
                Next::Stop(signal) => {
                    // Whatever our readers do, the benchmark comes to its end.
                    streams::hurry(Instant::now() + READERS);
                    stop(&child, container);
                    let name = signal_name(signal).unwrap_or("a signal");
                    terminal::say(format_args!(
                        "{name}: stopping the {what}; once more kills it at once"
                    ));
                }
                Next::Kill(why) => {
                    // A daemon that hangs would keep us here.
                    mortal.store(true, Ordering::SeqCst);
                    terminal::warn(why);
                    kill(&child, container);
                }
                Next::GiveUp => bail!(
                    "process {} does not end, though it was killed: the kernel holds it",
                    child.id()
                ),
            }
        }
        let status = child.wait().context("waiting for the benchmark's end")?;
        // Signals that came too late to stop it, and those that come from now on.
        for event in events.try_iter() {
            if matches!(event, Event::Signal(_)) {
                too_late(&mortal);
            }
        }
        if stopping.signal.is_some() {
            mortal.store(true, Ordering::SeqCst);
        }
        drop(events);
        let [_, said] = pumps.map(Pump::finish);
        Ok(Ended {
            code: exit_code(status),
            signal: stopping.signal,
            killed: stopping.kills > 0,
            said,
            id: id.get().cloned(),
        })
    }
}

/// Listens for the signals that end a run, until the returned flag says that they shall end us.
fn listen(send: Sender<Event>) -> io::Result<Arc<AtomicBool>> {
    let asked = signals::ending();
    let mortal = Arc::new(AtomicBool::new(false));
    // Before those who are told: what they make of a signal counts for the next one.
    for signal in &asked {
        flag::register_conditional_default(*signal, Arc::clone(&mortal))?;
    }
    let mut signals = Signals::new(&asked)?;
    let ours = Arc::clone(&mortal);
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        for signal in signals.forever() {
            if send.send(Event::Signal(signal)).is_err() {
                too_late(&ours);
            }
        }
    })?;
    Ok(mortal)
}

/// A signal after the benchmark's end leaves its results as they are. Only readers are not waited for
/// any more; the next signal ends us.
fn too_late(mortal: &AtomicBool) {
    streams::hurry(Instant::now() + READERS);
    mortal.store(true, Ordering::SeqCst);
}

/// Tells of the end of the process that is sent, without taking its exit code, which would free its
/// number for another.
fn wait_for_end(send: Sender<Event>) -> io::Result<Sender<Pid>> {
    let (started, process) = mpsc::channel();
    thread::Builder::new().name("waiter".to_owned()).spawn(move || {
        let Ok(process) = process.recv() else { return };
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        while matches!(waitid(WaitId::Pid(process), options), Err(Errno::INTR)) {}
        // The receiver is gone when nobody wants to know any more.
        let _ = send.send(Event::Exited);
    })?;
    Ok(started)
}

/// What is known while a run is being stopped.
struct Stopping {
    switch: Option<PipeWriter>,
    signal: Option<i32>,
    kill_at: Option<Instant>,
    kills: u32,
}

enum Next {
    Exited,
    Stop(i32),
    /// For this reason, if it is none of ours.
    Kill(Option<String>),
    GiveUp,
}

impl Stopping {
    fn next(&mut self, events: &Receiver<Event>) -> Next {
        let event = match self.kill_at {
            None => events.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(at) => events.recv_timeout(at.saturating_duration_since(Instant::now())),
        };
        let why = match event {
            // Only a thread that has told its last has gone.
            Ok(Event::Exited) | Err(RecvTimeoutError::Disconnected) => return Next::Exited,
            Ok(Event::Signal(signal)) if self.signal.is_none() => {
                self.signal = Some(signal);
                self.switch = None;
                self.kill_at.get_or_insert(Instant::now() + GRACE);
                return Next::Stop(signal);
            }
            Ok(Event::Hangs(why)) => Some(why),
            Ok(Event::Signal(_)) | Err(RecvTimeoutError::Timeout) => None,
        };
        self.switch = None;
        self.kills += 1;
        self.kill_at = Some(Instant::now() + GRACE);
        if self.kills > KILLS { Next::GiveUp } else { Next::Kill(why) }
    }
}

/// The closed switch ends a running benchmark. A client that has not made its container yet, say
/// because it pulls an image, does not see the switch and must be told.
fn stop(child: &Child, container: &Container) {
    if container.engine.has_containers() && container.id().is_none() {
        signal_group(child, Signal::TERM);
    }
}

/// Ends what did not end by itself: the benchmark, wherever it is on this machine, then the client.
/// The engine is not asked before they are gone: it may be what hangs.
fn kill(child: &Child, container: &Container) {
    survivors::end_benchmark(&container.marks(None), Duration::ZERO);
    signal_group(child, Signal::KILL);
}

fn signal_group(child: &Child, signal: Signal) {
    if let Err(error) = kill_process_group(Pid::from_child(child), signal)
        && error != Errno::SRCH
    {
        terminal::say(format_args!("warning: signalling the engine's client: {error}"));
    }
}
