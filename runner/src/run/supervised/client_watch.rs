//! Notices a client that does not return: its daemon hangs, or was stopped. While the benchmark runs,
//! only files of this machine are looked at; the engine is left alone.

use std::{
    io,
    path::PathBuf,
    sync::{
        Arc, OnceLock,
        mpsc::{Receiver, RecvTimeoutError},
    },
    thread,
    time::{Duration, Instant},
};

use contract::{output, path};
use engine::Query;
use plan::run_plan::RunPlan;
use untrusted::Dir;

use crate::run::supervised::{container::Container, survivors::Process};

/// From one look to the next.
const PAUSE: Duration = Duration::from_secs(1);

/// From one look to the next while the container is being made.
const SHORT_PAUSE: Duration = Duration::from_millis(100);

/// How long a client may take to return when its container has ended.
const RETURNING: Duration = Duration::from_secs(15);

/// How long a client may take to make its container before the engine is asked whether it still
/// answers. Images are downloaded meanwhile.
const MAKING: Duration = Duration::from_secs(20);

/// How often the container's processes are looked for: they may be on another machine.
const SEARCHES: u32 = 10;

/// More than a proof of completion has.
const MOST_BYTES: u64 = 64 * 1024;

/// The client of a run, and what is known of its end without it.
#[derive(Debug)]
pub(crate) struct ClientWatch {
    container: Container,
    run_id: String,
    /// None where nothing proves the end.
    results: Option<PathBuf>,
    /// The container's id, kept: Podman 5.8 deletes the file together with the container.
    id: Arc<OnceLock<String>>,
}

impl ClientWatch {
    /// Over the client of a run, whose container's `id` is told as soon as it has been seen.
    pub(crate) fn over(container: &Container, plan: &RunPlan, id: Arc<OnceLock<String>>) -> Self {
        let results = plan.mounts.iter().find(|mount| mount.target == path::RESULTS);
        Self {
            container: container.clone(),
            run_id: plan.run_id.clone(),
            results: results.map(|mount| mount.source.as_path().to_owned()),
            id,
        }
    }

    /// Watches until `over` has no sender any more, or `tell` was told what is wrong.
    ///
    /// # Errors
    /// When no thread can be started.
    pub(crate) fn start(
        self,
        over: Receiver<()>,
        tell: impl FnOnce(String) + Send + 'static,
    ) -> io::Result<()> {
        thread::Builder::new().name("client-watch".to_owned()).spawn(move || {
            if let Some(why) = self.watch(&over) {
                tell(why);
            }
        })?;
        Ok(())
    }

    fn watch(&self, over: &Receiver<()>) -> Option<String> {
        let mut asked = Instant::now();
        let mut ended: Option<Instant> = None;
        let (mut process, mut searches) = (None, 0);
        let pause = || if self.id.get().is_some() { PAUSE } else { SHORT_PAUSE };
        while over.recv_timeout(pause()) == Err(RecvTimeoutError::Timeout) {
            if self.id.get().is_none()
                && let Some(id) = self.container.id()
            {
                // Nobody else sets it.
                let _ = self.id.set(id);
            }
            if self.id.get().is_none() {
                if asked.elapsed() > MAKING {
                    let Container { engine, name, .. } = &self.container;
                    if let Some(Err(error)) = engine.ask(Query::State(name)) {
                        return Some(format!(
                            "{} makes no container and does not answer: {error:#}",
                            engine.mode.engine()
                        ));
                    }
                    asked = Instant::now();
                }
                continue;
            }
            if process.is_none() && searches < SEARCHES {
                searches += 1;
                process = self.processes().into_iter().min_by_key(|process| process.start);
            }
            let is_gone = process.as_ref().is_some_and(|process| !process.is_alive())
                && self.processes().is_empty();
            let why = match (self.is_complete(), is_gone) {
                (true, _) => "the benchmark has ended",
                (false, true) => "the benchmark's processes are gone",
                (false, false) => {
                    ended = None;
                    continue;
                }
            };
            if ended.get_or_insert_with(Instant::now).elapsed() > RETURNING {
                return Some(format!(
                    "{why}, but `{} run` has not returned for {} seconds: its daemon hangs",
                    self.container.engine.program,
                    RETURNING.as_secs()
                ));
            }
        }
        None
    }

    fn processes(&self) -> Vec<Process> {
        self.container.marks(self.id.get().cloned()).benchmark()
    }

    /// Whether the entrypoint has left the proof of this run's end.
    fn is_complete(&self) -> bool {
        let Some(results) = &self.results else { return false };
        let proof = Dir::open(results).and_then(|dir| dir.read(output::COMPLETION, MOST_BYTES));
        let proof = proof.ok().and_then(|text| serde_json::from_slice(&text).ok());
        proof.is_some_and(|proof: output::Completion| proof.run_id == self.run_id)
    }
}
