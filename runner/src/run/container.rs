//! The container of a run, asked for and removed by its name.

use std::{fs, io};

use anyhow::Context as _;

use super::outcome::{self, ContainerState};
use crate::{engine::Engine, plan::RunPlan, process::capture, terminal};

/// Whether the engine has given the container an id.
pub(super) fn was_made(plan: &RunPlan) -> bool {
    plan.supervision.as_ref().is_some_and(|supervision| {
        fs::metadata(supervision.cidfile.as_path()).is_ok_and(|cid| cid.len() > 0)
    })
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

/// Removes the container and the file with its id.
///
/// # Errors
/// When the engine cannot be asked or the file stays. That the engine refuses is a warning.
pub(super) fn remove(engine: &Engine, plan: &RunPlan) -> anyhow::Result<()> {
    let Some(supervision) = &plan.supervision else { return Ok(()) };
    if let Some(command) = engine.remove_command(&supervision.container) {
        let answer = capture(&command)?;
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
