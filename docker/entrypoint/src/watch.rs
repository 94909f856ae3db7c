//! Who may end a run: signals, a supervisor that goes away, a parent that dies.

use std::{
    io::{self, Read},
    sync::mpsc::Sender,
    thread,
};

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};

/// What happened to a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    /// We were asked to end.
    Asked,
    /// Whoever holds our standard input is no more.
    SupervisorGone,
    /// The backend's process ended.
    Ended,
    /// One of the backend's two streams was closed.
    StreamClosed,
}

/// Reports signals from now on, instead of dying of them.
pub(crate) fn signals(events: Sender<Event>) -> anyhow::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).context("catching signals")?;
    thread::Builder::new().spawn(move || {
        for _ in signals.forever() {
            if events.send(Event::Asked).is_err() {
                break;
            }
        }
    })?;
    Ok(())
}

/// Reports the end of `input`: the supervisor keeps it open as long as it lives.
pub(crate) fn supervisor(
    mut input: impl Read + Send + 'static,
    events: Sender<Event>,
) -> anyhow::Result<()> {
    thread::Builder::new().spawn(move || {
        let mut ignored = [0; 512];
        loop {
            match input.read(&mut ignored) {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        // Nobody listens once the run is over.
        let _ = events.send(Event::SupervisorGone);
    })?;
    Ok(())
}

/// Makes this process end with its parent `supervisor`, even if that is killed.
pub(crate) fn die_with(supervisor: i32) -> anyhow::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL)).context("binding to the supervisor")?;
    // It may have died before.
    if getppid().map(Pid::as_raw_nonzero).map(i32::from) != Some(supervisor) {
        bail!("the supervisor ended before the backend began");
    }
    Ok(())
}
