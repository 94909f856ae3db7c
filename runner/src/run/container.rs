//! The container of a run, asked for and removed by its name.

use std::{
    fs, io, thread,
    time::{Duration, Instant},
};

use anyhow::Context as _;

use super::outcome::{self, ContainerState};
use crate::{
    engine::{Engine, Question},
    plan::RunPlan,
    process::Captured,
    terminal,
};

/// How long after its client's end a container may still appear.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long an engine may refuse to remove a container. Podman 4.3's service does for a moment, where
/// the container's own end is still being written down.
const REFUSALS: Duration = Duration::from_secs(3);

/// How long to wait before looking again.
const PAUSE: Duration = Duration::from_millis(100);

/// Whether the engine has given the container an id.
pub(super) fn was_made(plan: &RunPlan) -> bool {
    plan.supervision.as_ref().is_some_and(|supervision| {
        fs::metadata(supervision.cidfile.as_path()).is_ok_and(|cid| cid.len() > 0)
    })
}

/// Has `remove` remove the container `name` again and again: for `patience` until there is one, and
/// for [`REFUSALS`] while the engine refuses to remove it. The last answer.
///
/// # Errors
/// When the engine cannot be asked.
pub(super) fn remove_when_there(
    name: &str,
    patience: Duration,
    remove: impl Fn() -> anyhow::Result<Captured>,
) -> anyhow::Result<Captured> {
    let begun = Instant::now();
    loop {
        let answer = remove()?;
        // The engine prints the names of what it removed.
        let is_removed = answer.stdout.lines().any(|line| line == name);
        let patience = if is_refused(&answer) { patience.max(REFUSALS) } else { patience };
        if is_removed || begun.elapsed() >= patience {
            return Ok(answer);
        }
        thread::sleep(PAUSE);
    }
}

/// Whether there is a container that the engine did not remove.
fn is_refused(answer: &Captured) -> bool {
    answer.code != 0 && !answer.stderr.to_lowercase().contains("no such container")
}

/// What the engine says of the container.
pub(super) fn state(engine: &Engine, plan: &RunPlan) -> ContainerState {
    let name = plan.supervision.as_ref().map_or("", |supervision| &supervision.container);
    match engine.ask(Question::State(name)) {
        None => ContainerState::NoContainers,
        Some(Ok(answer)) => outcome::parse_state(&answer),
        Some(Err(error)) => ContainerState::Unknown(format!("{error:#}")),
    }
}

/// Removes the container and the file with its id. One that was asked for and not made yet when its
/// client was stopped, which is `late`, may still appear, and is waited for.
///
/// # Errors
/// When the engine cannot be asked or the file stays. That the engine refuses is a warning.
pub(super) fn remove(engine: &Engine, plan: &RunPlan, late: bool) -> anyhow::Result<()> {
    let Some(supervision) = &plan.supervision else { return Ok(()) };
    let request = Question::Remove(&supervision.container);
    if let Some(command) = request.command(engine) {
        let patience = if late { PATIENCE } else { Duration::ZERO };
        let remove = || engine.ask(request).context("there are containers")?;
        let answer = remove_when_there(&supervision.container, patience, remove)?;
        if is_refused(&answer) {
            terminal::say(format_args!(
                "warning: `{}` failed: {}; remove the container yourself once {} serves, and the next \
                 run says if it is still there",
                command.join(" "),
                answer.complaint(),
                engine.mode.engine()
            ));
        }
    }
    match fs::remove_file(supervision.cidfile.as_path()) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing `{}`", supervision.cidfile))
        }
        _ => Ok(()),
    }
}
