//! The container of a run, asked for and removed by its name.

use std::{
    fs, io, thread,
    time::{Duration, Instant},
};

use anyhow::Context as _;

use super::outcome::{self, ContainerState};
use crate::{
    engine::Engine,
    plan::RunPlan,
    process::{Captured, capture},
    terminal,
};

/// How long after its client's end a container may still appear.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long to wait before looking again.
const PAUSE: Duration = Duration::from_millis(100);

/// Whether the engine has given the container an id.
pub(super) fn was_made(plan: &RunPlan) -> bool {
    plan.supervision.as_ref().is_some_and(|supervision| {
        fs::metadata(supervision.cidfile.as_path()).is_ok_and(|cid| cid.len() > 0)
    })
}

/// Runs the command `remove`, whose last word names a container, again and again until there was
/// one, for as long as `patience` lasts. The last answer.
///
/// # Errors
/// When the engine cannot be asked.
pub(super) fn remove_when_there(remove: &[String], patience: Duration) -> anyhow::Result<Captured> {
    let end = Instant::now() + patience;
    loop {
        let answer = capture(remove)?;
        // The engine prints the names of what it removed.
        let is_removed =
            answer.stdout.lines().any(|line| Some(line) == remove.last().map(|l| &**l));
        if is_removed || Instant::now() >= end {
            return Ok(answer);
        }
        thread::sleep(PAUSE);
    }
}

/// What the engine says of the container.
pub(super) fn state(engine: &Engine, plan: &RunPlan) -> ContainerState {
    let name = plan.supervision.as_ref().map_or("", |supervision| &supervision.container);
    match engine.state_command(name) {
        None => ContainerState::NoContainers,
        Some(command) => match capture(&command) {
            Ok(answer) => outcome::parse_state(&answer),
            Err(error) => ContainerState::Unknown(format!("{error:#}")),
        },
    }
}

/// Removes the container and the file with its id. One that was asked for and not made yet when its
/// client was stopped, which is `late`, may still appear, and is waited for.
///
/// # Errors
/// When the engine cannot be asked or the file stays. That the engine refuses is a warning.
pub(super) fn remove(engine: &Engine, plan: &RunPlan, late: bool) -> anyhow::Result<()> {
    let Some(supervision) = &plan.supervision else { return Ok(()) };
    if let Some(command) = engine.remove_command(&supervision.container) {
        let patience = if late { PATIENCE } else { Duration::ZERO };
        let answer = remove_when_there(&command, patience)?;
        if answer.code != 0 && !answer.stderr.to_lowercase().contains("no such container") {
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
