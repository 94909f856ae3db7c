//! What can happen during a run, and the threads that report signals and a closed standard input.

use std::{
    io::{self, Read},
    sync::mpsc::Sender,
    thread,
};

use anyhow::Context as _;
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};

/// What happened during a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    /// This process got a signal to terminate.
    Signal,
    /// Standard input was closed: the supervisor ended, or wants the run to end.
    SupervisorGone,
    /// The program exited.
    Exited,
    /// One of the program's two output streams was closed.
    StreamClosed,
}

/// Reports signals to terminate from now on, instead of dying of them.
pub(super) fn report_signals(events: Sender<Event>) -> anyhow::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).context("catching signals")?;
    thread::Builder::new().spawn(move || {
        for _ in signals.forever() {
            if events.send(Event::Signal).is_err() {
                break;
            }
        }
    })?;
    Ok(())
}

/// Reports the end of `input`, which the supervisor keeps open while it lives.
pub(super) fn report_end_of_input(
    mut input: impl Read + Send + 'static,
    events: Sender<Event>,
) -> anyhow::Result<()> {
    thread::Builder::new().spawn(move || {
        let _ = io::copy(&mut input, &mut io::sink());
        // The receiver is gone once the run is over.
        let _ = events.send(Event::SupervisorGone);
    })?;
    Ok(())
}
