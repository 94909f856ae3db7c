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
    engine::{Engine, Question},
    leftovers,
    terminal::warn,
};

/// How long a finished run waits for the answer. The engine has answered other questions since.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long a question may take to end when nobody wants its answer any more.
const ENDING: Duration = Duration::from_secs(1);

/// A question under way. What is found is said as soon as it is known.
pub(super) struct Search {
    program: String,
    /// Whether nobody wants the answer any more.
    given_up: Arc<AtomicBool>,
    ended: Receiver<()>,
}

impl Search {
    /// Asks the engine, if it has containers, for those of the user `uid`. The run goes on without
    /// an answer.
    pub(super) fn start(engine: &Engine, uid: u32) -> Option<Self> {
        let engine = engine.clone();
        let program = engine.program.clone();
        let (done, ended) = mpsc::channel();
        let given_up = Arc::new(AtomicBool::new(false));
        engine.has_containers().then_some(())?;
        let asked = thread::Builder::new().name("leftovers".to_owned()).spawn({
            let given_up = Arc::clone(&given_up);
            move || {
                let answer = engine.ask_until(Question::Runs, &given_up);
                if !given_up.load(Ordering::SeqCst) {
                    match answer.and_then(|answer| leftovers::told(&engine, uid, &answer)) {
                        Ok(told) => {
                            warn(told.map(|(count, text)| format!("{count} container(s) {text}")));
                        }
                        Err(error) => say_unknown(&error),
                    }
                }
                // The receiver is gone when nobody waits for the end.
                let _ = done.send(());
            }
        });
        match asked {
            Ok(_) => Some(Self { program, given_up, ended }),
            Err(error) => {
                say_unknown(&error.into());
                None
            }
        }
    }

    /// Ends the question: an engine that lists no containers shall not keep the user.
    pub(super) fn finish(self) {
        // Otherwise all is said.
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
        // It ends its client. Where it has ended already, there is nothing to wait for.
        let _ = self.ended.recv_timeout(ENDING);
    }
}
