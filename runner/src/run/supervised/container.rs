//! The container of a run, asked for and removed by its name.

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

use crate::run::{
    outcome::{self, ContainerState},
    supervised::survivors::{self, Marks},
};

/// How long after its client's end a container may still appear, or appear again: Podman 4.3's service
/// takes the files from a container that it is making, and writes down the container all the same;
/// until somebody removes it again, that service lists no container any more.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long an engine may refuse to remove a container. Podman 4.3's service does for a moment, where
/// the container's own end is still being written down.
const REFUSALS: Duration = Duration::from_secs(3);

/// How long a benchmark may take to end by itself that its engine does not end: its entrypoint kills
/// it after five seconds.
const SURVIVORS: Duration = Duration::from_secs(6);

/// How long to wait before looking again.
const PAUSE: Duration = Duration::from_millis(100);

/// The container of a run, or the processes in its place on the host engine.
#[derive(Debug, Clone)]
pub(crate) struct Container {
    pub(crate) engine: Engine,
    pub(crate) name: String,
    /// The file that the engine's client writes its id to.
    pub(crate) cidfile: PathBuf,
}

impl Container {
    /// The container of this plan.
    ///
    /// # Errors
    /// When it is the plan of a command by hand.
    pub(crate) fn of(engine: &Engine, plan: &RunPlan) -> anyhow::Result<Self> {
        let supervision = plan.supervision.as_ref().context("a run has a name")?;
        Ok(Self {
            engine: engine.clone(),
            name: supervision.container.clone(),
            cidfile: supervision.cidfile.as_path().to_owned(),
        })
    }

    /// Its id, once the engine's client has told it.
    pub(crate) fn id(&self) -> Option<String> {
        container_id::read(&self.cidfile)
    }

    /// What its processes are known by; `id` is what its id was.
    pub(crate) fn marks(&self, id: Option<String>) -> Marks {
        Marks::of(&self.name, self.id().or(id))
    }

    /// Shows to other commands of the user that the file of its id is of a run that lives.
    ///
    /// # Errors
    /// When the file that shows it cannot be made.
    pub(crate) fn mark_alive(&self) -> anyhow::Result<Option<RunFile>> {
        if !self.engine.has_containers() {
            return Ok(None);
        }
        let file = container_id::alive(&self.cidfile);
        let made = RunFile::new(&file).with_context(|| format!("making `{}`", file.display()))?;
        Ok(Some(made))
    }

    /// What the engine says of it.
    pub(crate) fn state(&self) -> ContainerState {
        match self.engine.ask(Query::State(&self.name)) {
            None => ContainerState::NoContainers,
            Some(Ok(answer)) => outcome::parse_state(&answer),
            Some(Err(error)) => ContainerState::Unknown(format!("{error:#}")),
        }
    }

    /// Removes it, which was seen to have `id`, and the file with that. One that was asked for and not
    /// made yet when its client was stopped, which is `late`, may still appear, and is waited for.
    ///
    /// # Errors
    /// When the file stays. That the engine refuses or does not answer is a warning.
    pub(crate) fn remove(&self, late: bool, id: Option<String>) -> anyhow::Result<()> {
        // Podman 5.8 deletes the file with the id together with the container.
        let marks = self.marks(id);
        let request = Query::Remove(&self.name);
        if let Some(command) = request.command(&self.engine) {
            let patience = if late { PATIENCE } else { Duration::ZERO };
            let remove = || self.engine.ask(request).context("there are containers")?;
            let complaint = match keep_removing(patience, remove) {
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
        end_survivors(&marks, &self.engine);
        match fs::remove_file(&self.cidfile) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("removing `{}`", self.cidfile.display()))
            }
            _ => Ok(()),
        }
    }
}

/// Has `remove` remove the container again and again: for `patience`, whether it was there or not, and
/// for [`REFUSALS`] while the engine refuses to remove it. The last answer.
///
/// # Errors
/// When the engine cannot be asked.
pub(crate) fn keep_removing(
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

/// Whether there is a container that the engine did not remove.
fn is_refused(answer: &Captured) -> bool {
    answer.code != 0 && !answer.stderr.to_lowercase().contains("no such container")
}

/// Ends the processes that are left of a container that should be gone.
fn end_survivors(marks: &Marks, engine: &Engine) {
    let benchmark = survivors::end_benchmark(marks, SURVIVORS);
    if !benchmark.pids.is_empty() {
        let pids: Vec<_> = benchmark.pids.iter().map(u32::to_string).collect();
        warn(Some(format!(
            "{} left the benchmark running; ended it (pid {})",
            engine.mode.engine(),
            pids.join(", ")
        )));
    }
    warn(benchmark.warning());
    warn(survivors::end_makers(marks).warning());
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, time::Duration};

    use super::keep_removing;
    use host::process::Captured;

    const REFUSED: &str = "Error response from daemon: it is busy";
    const NONE: &str = "Error: No such container: run-1";

    /// How often the engine was asked, which gives these answers, and the last one forever; an empty
    /// one is success.
    fn asked(patience: u64, answers: &[&str]) -> usize {
        let asked = Cell::new(0);
        let remove = || {
            let answer = answers.get(asked.get()).or(answers.last()).unwrap();
            asked.set(asked.get() + 1);
            let code = i32::from(!answer.is_empty());
            Ok(Captured { code, stdout: String::new(), stderr: (*answer).to_owned() })
        };
        let last = keep_removing(Duration::from_millis(patience), remove).unwrap();
        assert!(!last.stderr.contains("busy"), "{answers:?}");
        asked.get()
    }

    #[test]
    fn a_container_that_was_made_is_removed_once() {
        assert_eq!([&[""][..], &[NONE]].map(|answers| asked(0, answers)), [1, 1]);
    }

    #[test]
    fn an_engine_that_refuses_is_asked_again() {
        assert_eq!(asked(0, &[REFUSED, REFUSED, ""]), 3);
    }

    #[test]
    fn a_container_that_was_being_made_is_looked_for_until_the_end() {
        for answers in [&[NONE, ""][..], &["", NONE, "", NONE], &[NONE]] {
            let times = asked(350, answers);
            assert!((2..=5).contains(&times), "{answers:?}: {times}");
        }
    }
}
