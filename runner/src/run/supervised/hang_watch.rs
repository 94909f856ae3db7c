//! Detects a client that does not return because its daemon hangs or was stopped. While the benchmark
//! runs, only files of this machine are read, and the engine gets no requests.

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

use super::{container::Container, orphans::Process};

/// Interval between checks.
const PAUSE: Duration = Duration::from_secs(1);

/// Interval between checks until the container has an id.
const SHORT_PAUSE: Duration = Duration::from_millis(100);

/// Timeout of the client's return after its container ended.
const RETURNING: Duration = Duration::from_secs(15);

/// Time without a container after which the engine is asked whether it still answers. Pulling an image
/// takes longer.
const CREATING: Duration = Duration::from_secs(20);

/// Number of searches for the container's processes, which may be on another machine.
const SEARCHES: u32 = 10;

/// Size limit of the completion marker.
const MAX_BYTES: u64 = 64 * 1024;

/// A watch for the end of a run whose client does not return.
#[derive(Debug)]
pub(crate) struct HangWatch {
    container: Container,
    run_id: String,
    /// Results folder, if the run has one: its completion marker proves the end.
    results: Option<PathBuf>,
    /// Id of the container. Podman 5.8 deletes the file with the id together with the container.
    id: Arc<OnceLock<String>>,
}

impl HangWatch {
    /// A watch over the run of `plan`, which sets `id` once the container has one.
    pub(crate) fn new(container: &Container, plan: &RunPlan, id: Arc<OnceLock<String>>) -> Self {
        let results = plan.mounts.iter().find(|mount| mount.target == path::RESULTS);
        Self {
            container: container.clone(),
            run_id: plan.run_id.clone(),
            results: results.map(|mount| mount.source.as_path().to_owned()),
            id,
        }
    }

    /// Watches until `ended` is disconnected, or until it has called `report` with the reason.
    ///
    /// # Errors
    /// When no thread can be started.
    pub(crate) fn start(
        self,
        ended: Receiver<()>,
        report: impl FnOnce(String) + Send + 'static,
    ) -> io::Result<()> {
        thread::Builder::new().name("hang-watch".to_owned()).spawn(move || {
            if let Some(why) = self.watch(&ended) {
                report(why);
            }
        })?;
        Ok(())
    }

    /// Why the client does not return.
    fn watch(&self, client_ended: &Receiver<()>) -> Option<String> {
        let Container { engine, name, .. } = &self.container;
        let mut asked = Instant::now();
        let mut ended: Option<Instant> = None;
        let (mut process, mut searches) = (None, 0);
        let pause = || if self.id.get().is_some() { PAUSE } else { SHORT_PAUSE };
        while client_ended.recv_timeout(pause()) == Err(RecvTimeoutError::Timeout) {
            if !self.is_created() {
                if asked.elapsed() > CREATING {
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
                    engine.program,
                    RETURNING.as_secs()
                ));
            }
        }
        None
    }

    /// Whether the container has an id. Only this thread sets it.
    fn is_created(&self) -> bool {
        self.id.get().is_some() || self.container.id().is_some_and(|id| self.id.set(id).is_ok())
    }

    fn processes(&self) -> Vec<Process> {
        self.container.identity(self.id.get().cloned()).benchmark_processes()
    }

    /// Whether the results folder has the completion marker of this run.
    fn is_complete(&self) -> bool {
        let Some(results) = &self.results else { return false };
        let marker = Dir::open(results).and_then(|dir| dir.read(output::COMPLETION, MAX_BYTES));
        let marker = marker.ok().and_then(|text| serde_json::from_slice(&text).ok());
        marker.is_some_and(|marker: output::Completion| marker.run_id == self.run_id)
    }
}
