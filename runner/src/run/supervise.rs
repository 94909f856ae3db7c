//! The time between start and end: streams, signals, and the dead-man's switch.

use std::{
    io::{self, PipeReader, PipeWriter},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use rustix::process::{Pid, Signal, kill_process_group};
use signal_hook::{flag, iterator::Signals, low_level::signal_name};

use super::{container, pump::Pump};
use crate::{
    engine::{Engine, Question},
    plan::RunPlan,
    process::{self, capture, exit_code},
    shell::CommandLine,
    signals, terminal,
};

/// How long a stopped benchmark has for its end: the entrypoint kills it after half of that.
const GRACE: Duration = Duration::from_secs(10);

/// How the client, or the host engine's child, ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ended {
    /// Its exit code, 128+n for signal n.
    pub code: i32,
    /// The first signal that asked us to stop.
    pub signal: Option<i32>,
}

enum Event {
    Exited(io::Result<i32>),
    Signal(i32),
}

/// A benchmark under way.
pub(super) struct Running {
    child: Arc<duct::Handle>,
    switch: PipeWriter,
    signals: Signals,
    /// Whether a signal ends this process, as it does when nobody listens for it.
    mortal: Arc<AtomicBool>,
    pumps: [Pump; 2],
}

impl Running {
    /// Starts the command. Its output goes where ours goes, all of it to standard error when
    /// standard output is for JSON.
    pub(super) fn start(command: &CommandLine, to_stderr: bool) -> anyhow::Result<Self> {
        let (signals, mortal) = listen().context("preparing for signals")?;
        let context = "connecting the benchmark's streams";
        let (stdin, switch) = io::pipe().context(context)?;
        let out = if to_stderr { Pump::start(io::stderr()) } else { Pump::start(io::stdout()) };
        let (out, out_pump) = out.context(context)?;
        let (err, err_pump) = Pump::start(io::stderr()).context(context)?;
        let child = Arc::new(start(command, stdin, out, err)?);
        Ok(Self { child, switch, signals, mortal, pumps: [out_pump, err_pump] })
    }

    /// The processes that were started.
    pub(super) fn pids(&self) -> Vec<u32> {
        self.child.pids()
    }

    /// Waits for the end. A signal to us stops the benchmark, a second one kills it, and one more
    /// ends us: the reaper does the rest.
    pub(super) fn wait(self, engine: &Engine, plan: &RunPlan) -> anyhow::Result<Ended> {
        let Self { child, switch, mut signals, mortal, pumps } = self;
        let (send, events) = mpsc::channel();
        let closer = signals.handle();
        let listener = thread::spawn({
            let send = send.clone();
            move || signals.forever().all(|signal| send.send(Event::Signal(signal)).is_ok())
        });
        let waiter = thread::spawn({
            let child = Arc::clone(&child);
            move || {
                let code = child.wait().map(|output| exit_code(output.status));
                // The receiver is only gone when nobody wants to know any more.
                send.send(Event::Exited(code)).is_ok()
            }
        });
        let mut stopping = Stopping { switch: Some(switch), signal: None, kill_at: None };
        let code = loop {
            match stopping.next(&events) {
                Next::Exited(code) => break code.context("waiting for the benchmark's end")?,
                Next::Stop(signal) => {
                    let name = signal_name(signal).unwrap_or("a signal");
                    terminal::say(format_args!(
                        "{name}: stopping the benchmark; once more kills it at once"
                    ));
                    stop(&child, engine, plan);
                }
                Next::Kill => {
                    // A daemon that hangs would keep us here.
                    mortal.store(true, Ordering::SeqCst);
                    kill(&child, engine, plan)?;
                }
                Next::Lost => anyhow::bail!("the threads that watch the benchmark are gone"),
            }
        };
        // All that is left to wait for is a reader and the engine.
        mortal.store(true, Ordering::SeqCst);
        pumps.into_iter().for_each(Pump::finish);
        closer.close();
        for thread in [listener.join().map(|_| ()), waiter.join().map(|_| ())] {
            thread.map_err(|_| anyhow::anyhow!("a thread that watched the benchmark panicked"))?;
        }
        Ok(Ended { code, signal: stopping.signal })
    }
}

/// Listens for the signals that end a run, until the flag says that they shall end us.
fn listen() -> io::Result<(Signals, Arc<AtomicBool>)> {
    let asked = signals::ending();
    let mortal = Arc::new(AtomicBool::new(false));
    let signals = Signals::new(&asked)?;
    for signal in asked {
        flag::register_conditional_default(signal, Arc::clone(&mortal))?;
    }
    Ok((signals, mortal))
}

fn start(
    command: &CommandLine,
    stdin: PipeReader,
    stdout: PipeWriter,
    stderr: PipeWriter,
) -> anyhow::Result<duct::Handle> {
    let argv = command.argv();
    let streams =
        process::command(&argv)?.stdin_file(stdin).stdout_file(stdout).stderr_file(stderr);
    let mut child = streams.unchecked();
    for (name, value) in &command.env {
        child = child.env(name, value.value());
    }
    child.start().with_context(|| format!("starting `{}`", argv[0]))
}

/// What is known while a run is being stopped.
struct Stopping {
    switch: Option<PipeWriter>,
    signal: Option<i32>,
    kill_at: Option<Instant>,
}

enum Next {
    Exited(io::Result<i32>),
    Stop(i32),
    Kill,
    Lost,
}

impl Stopping {
    fn next(&mut self, events: &mpsc::Receiver<Event>) -> Next {
        let event = match self.kill_at {
            None => events.recv().map_err(|_| mpsc::RecvTimeoutError::Disconnected),
            Some(at) => events.recv_timeout(at.saturating_duration_since(Instant::now())),
        };
        match event {
            Ok(Event::Exited(code)) => Next::Exited(code),
            Ok(Event::Signal(signal)) if self.signal.is_none() => {
                self.signal = Some(signal);
                self.switch = None;
                self.kill_at = Some(Instant::now() + GRACE);
                Next::Stop(signal)
            }
            Ok(Event::Signal(_)) | Err(mpsc::RecvTimeoutError::Timeout) => {
                self.kill_at = Some(Instant::now() + GRACE);
                Next::Kill
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => Next::Lost,
        }
    }
}

/// The closed switch ends a running benchmark. A client that has not made its container yet, say
/// because it pulls an image, does not see the switch and must be told.
fn stop(child: &duct::Handle, engine: &Engine, plan: &RunPlan) {
    if engine.has_containers() && !container::was_made(plan) {
        signal_group(child, Signal::TERM);
    }
}

/// Ends what did not end by itself: first the container, then the client.
fn kill(child: &duct::Handle, engine: &Engine, plan: &RunPlan) -> anyhow::Result<()> {
    let name = plan.supervision.as_ref().map_or("", |supervision| &supervision.container);
    if let Some(remove) = Question::Remove(name).command(engine) {
        capture(&remove)?;
    }
    signal_group(child, Signal::KILL);
    Ok(())
}

fn signal_group(child: &duct::Handle, signal: Signal) {
    for pid in child.pids() {
        let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
        if let Some(Err(error)) = pid.map(|pid| kill_process_group(pid, signal))
            && error != rustix::io::Errno::SRCH
        {
            terminal::say(format_args!("warning: signalling the engine's client: {error}"));
        }
    }
}
