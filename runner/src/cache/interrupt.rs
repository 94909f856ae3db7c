//! Ctrl-C while a cache is verified or repaired.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::Context as _;
use contract::exit::of_signal;
use host::{exit::Exit, process::signals};
use signal_hook::flag;

/// Timeout of the readers of the output once the work is interrupted.
const READERS: Duration = Duration::from_secs(3);

/// Stops the work on the first signal, such as Ctrl-C. The second signal ends the program.
pub(super) struct Interrupt {
    pub(super) stop: Arc<AtomicBool>,
    signal: Arc<AtomicUsize>,
}

impl Interrupt {
    /// Listens for signals from now on.
    pub(super) fn listen() -> anyhow::Result<Self> {
        let interrupt = Self { stop: Arc::default(), signal: Arc::default() };
        streams::hurry_when(Arc::clone(&interrupt.stop), READERS);
        for signal in signals::ending() {
            flag::register_conditional_default(signal, Arc::clone(&interrupt.stop))
                .and_then(|_| {
                    flag::register_usize(signal, Arc::clone(&interrupt.signal), signal as usize)
                })
                .and_then(|_| flag::register(signal, Arc::clone(&interrupt.stop)))
                .context("watching for signals")?;
        }
        Ok(interrupt)
    }

    /// Exit of interrupted work.
    pub(super) fn exit(&self) -> Option<Exit> {
        let signal = i32::try_from(self.signal.load(Ordering::Relaxed)).ok()?;
        (signal != 0).then_some(Exit::Benchmark(of_signal(signal)))
    }
}
