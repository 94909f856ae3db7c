//! Containers that earlier runs left, looked for while this run's own starts.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Receiver, RecvTimeoutError},
    },
    thread,
    time::Duration,
};

use crate::{
    engine::Engine,
    leftovers,
    process::{Captured, end, start},
    terminal::warn,
};

/// How long a finished run waits for the answer. The engine has answered other questions since.
const PATIENCE: Duration = Duration::from_secs(1);

/// A question under way. What is found is said as soon as it is known.
pub(super) struct Search {
    client: Arc<duct::Handle>,
    program: String,
    /// Whether nobody wants the answer any more.
    given_up: Arc<AtomicBool>,
    ended: Receiver<()>,
}

impl Search {
    /// Asks the engine, if it has containers, for those of the user `uid`. The run goes on without
    /// an answer.
    pub(super) fn start(engine: &Engine, uid: u32) -> Option<Self> {
        let command = leftovers::command(engine)?;
        let client = match start(&command) {
            Ok(client) => Arc::new(client),
            Err(error) => {
                say_unknown(&error);
                return None;
            }
        };
        let (done, ended) = mpsc::channel();
        let given_up = Arc::new(AtomicBool::new(false));
        let program = engine.program.clone();
        thread::spawn({
            let (client, given_up, engine) =
                (Arc::clone(&client), Arc::clone(&given_up), engine.clone());
            move || {
                let answer = client.wait().map(Captured::of).map_err(anyhow::Error::from);
                if given_up.load(Ordering::SeqCst) {
                    return;
                }
                match answer.and_then(|answer| leftovers::told(&engine, uid, &answer)) {
                    Ok(told) => {
                        warn(told.map(|(count, text)| format!("{count} container(s) {text}")));
                    }
                    Err(error) => say_unknown(&error),
                }
                // The receiver is gone when nobody waits for the end.
                let _ = done.send(());
            }
        });
        Some(Self { client, program, given_up, ended })
    }

    /// Ends the question: an engine that lists no containers shall not keep the user.
    pub(super) fn finish(self) {
        // Otherwise all is said, or the thread panicked and nothing more will come.
        if self.ended.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
            warn(Some(format!(
                "{} has not listed its containers yet, so those that earlier runs left are not \
                 known; `aienergyscore verify` looks for them, too",
                self.program
            )));
        }
    }
}

fn say_unknown(error: &anyhow::Error) {
    warn(Some(format!("containers that earlier runs left are not known: {error:#}")));
}

impl Drop for Search {
    fn drop(&mut self) {
        self.given_up.store(true, Ordering::SeqCst);
        // A client that has ended is known to have: its number may be another process's by now.
        if matches!(self.client.try_wait(), Ok(None)) {
            end(&self.client);
        }
    }
}
