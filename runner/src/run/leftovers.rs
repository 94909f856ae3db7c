//! Containers that earlier runs left, looked for while this run's own starts.

use std::{
    path::PathBuf,
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
    process::{Captured, end, start},
    terminal::warn,
};

/// How long a finished run waits for the answer. The engine has answered other questions since.
const PATIENCE: Duration = Duration::from_secs(1);

/// Who asks.
#[derive(Clone)]
enum Asker {
    /// This process, at the daemon's socket.
    Socket(PathBuf),
    /// The engine's client.
    Client(Arc<duct::Handle>),
}

impl Asker {
    fn start(engine: &Engine) -> Option<anyhow::Result<Self>> {
        let command = Question::Runs.command(engine)?;
        Some(match &engine.socket {
            Some(socket) => Ok(Self::Socket(socket.clone())),
            None => start(&command).map(|client| Self::Client(Arc::new(client))),
        })
    }

    fn answer(&self) -> anyhow::Result<Captured> {
        match self {
            Self::Socket(socket) => Question::Runs.at(socket),
            Self::Client(client) => Ok(Captured::of(client.wait()?)),
        }
    }
}

/// A question under way. What is found is said as soon as it is known.
pub(super) struct Search {
    asker: Asker,
    program: String,
    /// Whether nobody wants the answer any more.
    given_up: Arc<AtomicBool>,
    ended: Receiver<()>,
}

impl Search {
    /// Asks the engine, if it has containers, for those of the user `uid`. The run goes on without
    /// an answer.
    pub(super) fn start(engine: &Engine, uid: u32) -> Option<Self> {
        let asker = match Asker::start(engine)? {
            Ok(asker) => asker,
            Err(error) => {
                say_unknown(&error);
                return None;
            }
        };
        let (done, ended) = mpsc::channel();
        let given_up = Arc::new(AtomicBool::new(false));
        thread::spawn({
            let (asker, given_up, engine) = (asker.clone(), Arc::clone(&given_up), engine.clone());
            move || {
                let answer = asker.answer();
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
        Some(Self { asker, program: engine.program.clone(), given_up, ended })
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
        if let Asker::Client(client) = &self.asker
            && matches!(client.try_wait(), Ok(None))
        {
            end(client);
        }
    }
}
