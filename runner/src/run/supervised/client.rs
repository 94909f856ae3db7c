//! The engine's client while it runs: its streams, signals, and the pipe that stops the benchmark.

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
use contract::exit::of_status;
use host::{
    output::terminal,
    process::{self, signals, starting},
    shell::CommandLine,
};
use plan::run_plan::RunPlan;
use rustix::{
    io::Errno,
    process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid},
};
use signal_hook::{flag, iterator::Signals, low_level::signal_name};
use streams::Stream;

use super::{container::Container, hang_watch::HangWatch, orphans, pump::Pump};

/// Timeout of a benchmark that was asked to stop. The entrypoint kills it after half of that.
const GRACE: Duration = Duration::from_secs(10);

/// Timeout of the readers of this process's output once it was asked to stop.
const READERS: Duration = Duration::from_secs(3);

/// Number of kills before the process counts as stuck in the kernel.
const KILLS: u32 = 3;

/// How the client ended, or the child of the host engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClientExit {
    /// Exit code, 128+n for signal n.
    pub code: i32,
    /// First signal that asked this process to stop.
    pub signal: Option<i32>,
    /// Whether it was killed.
    pub killed: bool,
    /// Last bytes of its standard error.
    pub stderr: String,
    /// Id of its container, if it was seen.
    pub container_id: Option<String>,
}

enum Event {
    Exited,
    Signal(i32),
    /// The client does not return, for this reason.
    Hangs(String),
}

/// A running client.
pub(crate) struct Client {
    child: Child,
    /// Its standard input. The entrypoint stops the benchmark when this pipe is closed.
    stop_pipe: PipeWriter,
    events: Receiver<Event>,
    /// Whether the next signal ends this process.
    fatal: Arc<AtomicBool>,
    /// Copiers of standard output and standard error.
    pumps: [Pump; 2],
    /// Id of the container, once it was seen.
    id: Arc<OnceLock<String>>,
    /// Ends the hang watch when it is dropped.
    _watch: Sender<()>,
}

impl Client {
    /// Starts the command. Its output is copied to this process's output, or all of it to standard error.
    ///
    /// # Errors
    /// When the command or a thread cannot be started. Nothing is left running.
    pub(crate) fn start(
        command: &CommandLine,
        container: &Container,
        plan: &RunPlan,
        to_stderr: bool,
    ) -> anyhow::Result<Self> {
        let (send, events) = mpsc::channel();
        let fatal = listen(send.clone()).context("preparing for signals")?;
        let context = "connecting the benchmark's streams";
        let (stdin, stop_pipe) = io::pipe().context(context)?;
        let out = if to_stderr { Stream::Err } else { Stream::Out };
        let (out, out_pump) = Pump::to(out).context(context)?;
        let (err, err_pump) = Pump::to(Stream::Err).context(context)?;
        let context = "starting the threads that watch over the benchmark";
        let started = wait_for_end(send.clone()).context(context)?;
        let (watch, client_ended) = mpsc::channel();
        let has_containers = container.engine.has_containers();
        let id = Arc::<OnceLock<String>>::default();
        if has_containers {
            let hang_watch = HangWatch::new(container, plan, Arc::clone(&id));
            // The receiver is gone once the client has ended.
            let report = move |why| _ = send.send(Event::Hangs(why));
            hang_watch.start(client_ended, report).context(context)?;
        }
        let argv = command.argv();
        // Without a container, the benchmark reads its secrets from this process's environment.
        let mut child =
            if has_containers { process::command(&argv)? } else { process::program(&argv)? };
        child.envs(command.env.iter().map(|(name, value)| (name, value.value())));
        child.stdin(stdin).stdout(out).stderr(err);
        let child = child.spawn().with_context(|| starting(&argv))?;
        // The thread waits for this id.
        let _ = started.send(Pid::from_child(&child));
        let pumps = [out_pump, err_pump];
        Ok(Self { child, stop_pipe, events, fatal, pumps, id, _watch: watch })
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for the end. The first signal to this process stops the benchmark, the second one kills
    /// it, and the third one ends this process: the reaper does the rest. Messages call it `task`.
    ///
    /// # Errors
    /// When the client does not end though it was killed.
    pub(crate) fn wait(self, container: &Container, task: &str) -> anyhow::Result<ClientExit> {
        let Self { mut child, stop_pipe, events, fatal, pumps, id, _watch } = self;
        let mut shutdown =
            Shutdown { stop_pipe: Some(stop_pipe), signal: None, kill_at: None, kills: 0 };
        loop {
            match shutdown.next(&events) {
                Next::Exited => break,
                Next::Stop(signal) => {
                    // A reader that blocks must not keep the benchmark running.
                    streams::hurry(Instant::now() + READERS);
                    stop(&child, container);
                    let name = signal_name(signal).unwrap_or("a signal");
                    terminal::say(format_args!(
                        "{name}: stopping the {task}; once more kills it at once"
                    ));
                }
                Next::Kill(why) => {
                    // A daemon that hangs would block this process.
                    fatal.store(true, Ordering::SeqCst);
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
        // Signals that arrived too late to stop the client.
        for event in events.try_iter() {
            if matches!(event, Event::Signal(_)) {
                too_late(&fatal);
            }
        }
        if shutdown.signal.is_some() {
            fatal.store(true, Ordering::SeqCst);
        }
        drop(events);
        let [_, stderr] = pumps.map(Pump::finish);
        Ok(ClientExit {
            code: of_status(status).into(),
            signal: shutdown.signal,
            killed: shutdown.kills > 0,
            stderr,
            container_id: id.get().cloned(),
        })
    }
}

/// Listens for the signals that end a run. Once the returned flag is set, they end this process.
fn listen(send: Sender<Event>) -> io::Result<Arc<AtomicBool>> {
    let ending = signals::ending();
    let fatal = Arc::new(AtomicBool::new(false));
    // Registered before the listener, so that its reaction to a signal applies to the next one.
    for signal in &ending {
        flag::register_conditional_default(*signal, Arc::clone(&fatal))?;
    }
    let mut signals = Signals::new(&ending)?;
    let late = Arc::clone(&fatal);
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        for signal in signals.forever() {
            if send.send(Event::Signal(signal)).is_err() {
                too_late(&late);
            }
        }
    })?;
    Ok(fatal)
}

/// A signal after the end of the benchmark does not change its results. It limits the wait for readers
/// of our output, and the next signal ends this process.
fn too_late(fatal: &AtomicBool) {
    streams::hurry(Instant::now() + READERS);
    fatal.store(true, Ordering::SeqCst);
}

/// Sends an event when the process ends whose id is sent to the returned channel. Its exit code is not
/// read: that would free its id for another process.
fn wait_for_end(send: Sender<Event>) -> io::Result<Sender<Pid>> {
    let (started, process) = mpsc::channel();
    thread::Builder::new().name("waiter".to_owned()).spawn(move || {
        let Ok(process) = process.recv() else { return };
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        while matches!(waitid(WaitId::Pid(process), options), Err(Errno::INTR)) {}
        // The receiver is gone when starting failed.
        let _ = send.send(Event::Exited);
    })?;
    Ok(started)
}

/// Progress of stopping the client.
struct Shutdown {
    stop_pipe: Option<PipeWriter>,
    signal: Option<i32>,
    kill_at: Option<Instant>,
    kills: u32,
}

enum Next {
    Exited,
    Stop(i32),
    /// The reason, unless a signal or a timeout is the cause.
    Kill(Option<String>),
    GiveUp,
}

impl Shutdown {
    /// Waits for the next event, or for the timeout of the last stop or kill.
    fn next(&mut self, events: &Receiver<Event>) -> Next {
        let event = match self.kill_at {
            None => events.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(at) => events.recv_timeout(at.saturating_duration_since(Instant::now())),
        };
        let why = match event {
            // The waiting thread drops its sender only after the exit.
            Ok(Event::Exited) | Err(RecvTimeoutError::Disconnected) => return Next::Exited,
            Ok(Event::Signal(signal)) if self.signal.is_none() => {
                self.signal = Some(signal);
                self.stop_pipe = None;
                self.kill_at.get_or_insert(Instant::now() + GRACE);
                return Next::Stop(signal);
            }
            Ok(Event::Hangs(why)) => Some(why),
            Ok(Event::Signal(_)) | Err(RecvTimeoutError::Timeout) => None,
        };
        self.stop_pipe = None;
        self.kills += 1;
        self.kill_at = Some(Instant::now() + GRACE);
        if self.kills > KILLS { Next::GiveUp } else { Next::Kill(why) }
    }
}

/// Asks the client to stop. The closed pipe stops a running benchmark, but a client that has not created
/// its container yet, such as one that pulls an image, does not read it.
fn stop(child: &Child, container: &Container) {
    if container.engine.has_containers() && container.id().is_none() {
        signal_group(child, Signal::TERM);
    }
}

/// Kills the processes of the benchmark on this machine, then the client. The engine may hang, so it is
/// not asked.
fn kill(child: &Child, container: &Container) {
    orphans::kill_benchmark(&container.identity(None), Duration::ZERO);
    signal_group(child, Signal::KILL);
}

fn signal_group(child: &Child, signal: Signal) {
    if let Err(error) = kill_process_group(Pid::from_child(child), signal)
        && error != Errno::SRCH
    {
        terminal::say(format_args!("warning: signalling the engine's client: {error}"));
    }
}
