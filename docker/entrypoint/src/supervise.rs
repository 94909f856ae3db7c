//! Runs a program as a child process: copies its output, passes signals on, and kills what it
//! leaves running.

mod events;

use std::{
    fs::File,
    io::{self, PipeWriter, Read as _, Write},
    os::unix::process::CommandExt as _,
    process::{Command, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{self, Receiver, Sender},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use contract::env::RUN_ID;
use rustix::{
    io::Errno,
    process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid},
};
use streams::Stream;

pub(crate) use self::events::Event;
use crate::{
    environment::Environment,
    exit::{exit_code, say},
};

/// Exit code when the supervisor is gone: that of a program ended by SIGTERM.
const SUPERVISOR_GONE: u8 = 143;

/// Time between SIGTERM and SIGKILL.
const GRACE: Duration = Duration::from_secs(5);

/// How long readers have after a signal, and how long a stream may stay open after the program
/// exited: its children may hold the stream, or nobody may read what it wrote.
const STREAM_GRACE: Duration = Duration::from_secs(1);

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Its exit code, 128+n for a signal.
    pub(crate) code: u8,
    /// Why it was terminated, if it was.
    pub(crate) cause: Option<Event>,
}

/// Targets of a program's output.
struct Sinks<O, E> {
    out: O,
    err: E,
    /// Gets both streams.
    log: Option<File>,
}

/// Runs `command` until it exits, a signal comes, or the supervisor is gone. `what` names the
/// command in messages.
pub(crate) fn run(
    command: Command,
    what: &str,
    log: Option<File>,
    environment: &Environment,
) -> anyhow::Result<Outcome> {
    const STARTING: &str = "starting the threads that watch over it";
    let (sender, events) = mpsc::channel();
    events::report_signals(sender.clone()).context(STARTING)?;
    if environment.is_set(RUN_ID) {
        events::report_end_of_input(io::stdin(), sender.clone()).context(STARTING)?;
    }
    let sinks = Sinks { out: Stream::Out, err: Stream::Err, log };
    let mut outcome = supervise(command, sinks, &sender, &events, GRACE)?;
    if outcome.cause == Some(Event::SupervisorGone) {
        say(&format!(
            "standard input was closed: ended the {what}, as its supervisor wants or is gone"
        ));
        outcome.code = SUPERVISOR_GONE;
    }
    Ok(outcome)
}

/// Runs `command` until it exits. `events` is the receiver of `sender`.
fn supervise<O, E>(
    mut command: Command,
    sinks: Sinks<O, E>,
    sender: &Sender<Event>,
    events: &Receiver<Event>,
    grace: Duration,
) -> io::Result<Outcome>
where
    O: Write + Send + 'static,
    E: Write + Send + 'static,
{
    let log = Arc::new(Mutex::new(sinks.log));
    // The threads start first: if the process limit is reached, no child is left running.
    let stdout = copy(sinks.out, Arc::clone(&log), sender.clone())?;
    let stderr = copy(sinks.err, log, sender.clone())?;
    let (started, child) = mpsc::channel();
    report_exit(child, sender.clone())?;
    let mut child =
        command.stdin(Stdio::null()).stdout(stdout).stderr(stderr).process_group(0).spawn()?;
    // The command holds the write ends of the pipes, so the streams would stay open.
    drop(command);
    let id = Pid::from_child(&child);
    // The thread waits for the PID, so it still receives.
    let _ = started.send(id);

    let mut group = Group { id, grace, cause: None, kill_at: None, open_streams: 2 };
    group.wait_for_exit(events);
    // The child is not reaped yet, so its id still names this group.
    group.wait_for_streams(events);
    group.kill(Signal::KILL);
    group.wait_for_streams(events);
    let code = exit_code(child.wait()?);
    Ok(Outcome { code, cause: group.cause })
}

/// The running child and its process group.
struct Group {
    id: Pid,
    grace: Duration,
    cause: Option<Event>,
    kill_at: Option<Instant>,
    open_streams: u8,
}

impl Group {
    fn wait_for_exit(&mut self, events: &Receiver<Event>) {
        loop {
            match next(events, self.kill_at) {
                Some(Event::Exited) => break,
                Some(Event::StreamClosed) => self.open_streams -= 1,
                Some(cause @ (Event::Signal | Event::SupervisorGone)) => {
                    self.cause.get_or_insert(cause);
                    streams::hurry(Instant::now() + STREAM_GRACE);
                    self.kill_at.get_or_insert_with(|| Instant::now() + self.grace);
                    self.kill(Signal::TERM);
                }
                None => {
                    self.kill(Signal::KILL);
                    self.kill_at = None;
                }
            }
        }
    }

    fn wait_for_streams(&mut self, events: &Receiver<Event>) {
        let deadline = Instant::now() + STREAM_GRACE;
        streams::hurry(deadline);
        while self.open_streams > 0 {
            match next(events, Some(deadline)) {
                Some(Event::StreamClosed) => self.open_streams -= 1,
                Some(_) => {}
                None => break,
            }
        }
    }

    fn kill(&self, signal: Signal) {
        // The group may be gone already.
        let _ = kill_process_group(self.id, signal);
    }
}

/// The next event, or none if `deadline` comes first.
fn next(events: &Receiver<Event>, deadline: Option<Instant>) -> Option<Event> {
    match deadline {
        None => events.recv().ok(),
        Some(deadline) => {
            events.recv_timeout(deadline.saturating_duration_since(Instant::now())).ok()
        }
    }
}

/// Reports the exit of the child whose PID is sent, without reaping it: that would free the PID.
fn report_exit(child: Receiver<Pid>, events: Sender<Event>) -> io::Result<()> {
    thread::Builder::new().spawn(move || {
        let Ok(child) = child.recv() else { return };
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        while matches!(waitid(WaitId::Pid(child), options), Err(Errno::INTR)) {}
        let _ = events.send(Event::Exited);
    })?;
    Ok(())
}

/// Copies everything written to the returned pipe to `log` and `to`. A target that fails is
/// dropped, so that the program does not stall because nobody reads its output.
fn copy(
    to: impl Write + Send + 'static,
    log: Arc<Mutex<Option<File>>>,
    events: Sender<Event>,
) -> io::Result<PipeWriter> {
    let (mut from, writer) = io::pipe()?;
    thread::Builder::new().spawn(move || {
        let mut to = Some(to);
        let mut buffer = [0; 8192];
        loop {
            let read = match from.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => &buffer[..read],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => break,
            };
            // The log comes first, because `to` may block.
            let failed =
                write_or_drop(&mut *log.lock().unwrap_or_else(PoisonError::into_inner), read);
            if let Some(error) = failed {
                say(&format!("warning: the log is cut off here: {error}"));
            }
            write_or_drop(&mut to, read);
        }
        let _ = events.send(Event::StreamClosed);
    })?;
    Ok(writer)
}

fn write_or_drop(to: &mut Option<impl Write>, bytes: &[u8]) -> Option<io::Error> {
    let target = to.as_mut()?;
    let error = target.write_all(bytes).and_then(|()| target.flush()).err()?;
    *to = None;
    Some(error)
}

#[cfg(test)]
mod tests;
