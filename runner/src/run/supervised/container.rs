//! The container of a run, queried and removed by its name.

use std::{
    fs, io,
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use engine::{Engine, Query};
use host::{
    output::terminal::{self, warn},
    process::Captured,
    run_files::{container_id, run_file::RunFile},
};
use plan::run_plan::RunPlan;

use super::orphans::{self, RunIdentity};
use crate::run::outcome::{self, ContainerState};

/// Time after the client's end in which a container may still appear, or appear again. The service of
/// Podman 4.3 deletes the files of a container that it is creating, but records the container. It lists
/// no container any more until that one is removed again.
const LATE_CREATION: Duration = Duration::from_secs(2);

/// Time in which an engine may refuse to remove a container. The service of Podman 4.3 does so while it
/// records the container's end.
const REFUSALS: Duration = Duration::from_secs(3);

/// Timeout of a benchmark that its engine did not end. Its entrypoint kills it after five seconds.
const ORPHANS: Duration = Duration::from_secs(6);

/// Interval between attempts to remove a container.
const PAUSE: Duration = Duration::from_millis(100);

/// The container of a run, or the process that takes its place on the host engine.
#[derive(Debug, Clone)]
pub(crate) struct Container {
    pub(crate) engine: Engine,
    pub(crate) name: String,
    /// File that the engine's client writes the container's id to.
    pub(crate) cidfile: PathBuf,
}

impl Container {
    /// The container of this plan.
    ///
    /// # Errors
    /// When the plan is one to run by hand, which has no supervision.
    pub(crate) fn of(engine: &Engine, plan: &RunPlan) -> anyhow::Result<Self> {
        let supervision = plan.supervision.as_ref().context("a run has a name")?;
        Ok(Self {
            engine: engine.clone(),
            name: supervision.container.clone(),
            cidfile: supervision.cidfile.as_path().to_owned(),
        })
    }

    /// Its id, once the engine's client has written it.
    pub(crate) fn id(&self) -> Option<String> {
        container_id::read(&self.cidfile)
    }

    /// How its processes are recognized. `id` is its id if the file with the id is deleted.
    pub(crate) fn identity(&self, id: Option<String>) -> RunIdentity {
        RunIdentity::new(&self.name, self.id().or(id))
    }

    /// Creates the lock by which other commands of the user recognize that this run is alive.
    ///
    /// # Errors
    /// When the file cannot be created.
    pub(crate) fn mark_alive(&self) -> anyhow::Result<Option<RunFile>> {
        if !self.engine.has_containers() {
            return Ok(None);
        }
        let file = container_id::alive(&self.cidfile);
        let made = RunFile::new(&file).with_context(|| format!("making `{}`", file.display()))?;
        Ok(Some(made))
    }

    /// Its state, as the engine reports it.
    pub(crate) fn state(&self) -> ContainerState {
        match self.engine.ask(Query::State(&self.name)) {
            None => ContainerState::NoContainers,
            Some(Ok(answer)) => outcome::parse_state(&answer),
            Some(Err(error)) => ContainerState::Unknown(format!("{error:#}")),
        }
    }

    /// Removes the container and the file with its id, and kills its orphaned processes. `late` means
    /// that its client was stopped before it was created, so it may still appear.
    ///
    /// # Errors
    /// When the file cannot be removed. An engine that refuses or does not answer is a warning.
    pub(crate) fn remove(&self, late: bool, id: Option<String>) -> anyhow::Result<()> {
        // Read first: Podman 5.8 deletes the file with the id together with the container.
        let identity = self.identity(id);
        let request = Query::Remove(&self.name);
        if let Some(command) = request.command(&self.engine) {
            let patience = if late { LATE_CREATION } else { Duration::ZERO };
            let remove = || self.engine.ask(request).context("there are containers")?;
            let complaint = match remove_repeatedly(patience, remove) {
                Ok(answer) => is_refused(&answer).then(|| answer.complaint()),
                Err(error) => Some(format!("{error:#}")),
            };
            if let Some(complaint) = complaint {
                terminal::say(format_args!(
                    "warning: `{}` failed: {complaint}; remove the container yourself once {} \
                     serves, and the next run says if it is still there",
                    command.join(" "),
                    self.engine.mode.engine()
                ));
            }
        }
        kill_orphans(&identity, &self.engine);
        match fs::remove_file(&self.cidfile) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("removing `{}`", self.cidfile.display()))
            }
            _ => Ok(()),
        }
    }
}

/// Calls `remove` for the time of `patience`, whether there is a container or not, and for [`REFUSALS`]
/// while the engine refuses. Returns the last answer.
///
/// # Errors
/// Those of `remove`.
pub(crate) fn remove_repeatedly(
    patience: Duration,
    remove: impl Fn() -> anyhow::Result<Captured>,
) -> anyhow::Result<Captured> {
    let begun = Instant::now();
    loop {
        let answer = remove()?;
        let patience = if is_refused(&answer) { patience.max(REFUSALS) } else { patience };
        if begun.elapsed() >= patience {
            return Ok(answer);
        }
        thread::sleep(PAUSE);
    }
}

/// Whether the container exists and the engine did not remove it.
fn is_refused(answer: &Captured) -> bool {
    answer.code != 0 && !answer.stderr.to_lowercase().contains("no such container")
}

/// Kills the processes of a removed container.
fn kill_orphans(identity: &RunIdentity, engine: &Engine) {
    let benchmark = orphans::kill_benchmark(identity, ORPHANS);
    if !benchmark.pids.is_empty() {
        let pids: Vec<_> = benchmark.pids.iter().map(u32::to_string).collect();
        warn(Some(format!(
            "{} left the benchmark running; ended it (pid {})",
            engine.mode.engine(),
            pids.join(", ")
        )));
    }
    warn(benchmark.warning());
    warn(orphans::kill_conmon(identity).warning());
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, time::Duration};

    use host::process::Captured;

    use super::remove_repeatedly;

    const REFUSED: &str = "Error response from daemon: it is busy";
    const NONE: &str = "Error: No such container: run-1";

    /// Number of requests to an engine that gives these answers in turn, and repeats the last one. An
    /// empty answer is success.
    fn requests(patience: u64, answers: &[&str]) -> usize {
        let asked = Cell::new(0);
        let remove = || {
            let answer = answers.get(asked.get()).or(answers.last()).unwrap();
            asked.set(asked.get() + 1);
            let code = i32::from(!answer.is_empty());
            Ok(Captured { code, stdout: String::new(), stderr: (*answer).to_owned() })
        };
        let last = remove_repeatedly(Duration::from_millis(patience), remove).unwrap();
        assert!(!last.stderr.contains("busy"), "{answers:?}");
        asked.get()
    }

    #[test]
    fn created_container_is_removed_once() {
        assert_eq!([&[""][..], &[NONE]].map(|answers| requests(0, answers)), [1, 1]);
    }

    #[test]
    fn refusing_engine_is_asked_again() {
        assert_eq!(requests(0, &[REFUSED, REFUSED, ""]), 3);
    }

    #[test]
    fn late_container_is_removed_until_the_timeout() {
        for answers in [&[NONE, ""][..], &["", NONE, "", NONE], &[NONE]] {
            let times = requests(350, answers);
            assert!((2..=5).contains(&times), "{answers:?}: {times}");
        }
    }
}
