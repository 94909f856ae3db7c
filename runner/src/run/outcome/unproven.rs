//! The end of a container that leaves no proof of its own, such as that of a fetch.

use super::ContainerState;

/// The exit code of what ran in the container, or why there is none: `client_code` is that of the
/// engine's client, and `made` tells whether the engine ever gave the container an id.
pub(in crate::run) fn exit_code(
    engine: &str,
    client_code: i32,
    made: bool,
    state: &ContainerState,
) -> Result<i32, String> {
    match state {
        ContainerState::NoContainers => Ok(client_code),
        ContainerState::Missing if made => {
            Err("somebody else removed the container while it ran".to_owned())
        }
        ContainerState::Missing => {
            Err(format!("{engine} made no container and says why above (exit code {client_code})"))
        }
        ContainerState::Unknown(answer) => Err(format!(
            "{engine} does not tell how the container ended (its client's exit code was \
             {client_code}); asked for its state it answered: {answer}"
        )),
        ContainerState::Known(state) if state.started_at.starts_with("0001-") => {
            let why = if state.error.is_empty() { "see above" } else { &state.error };
            Err(format!("the container never started: {why}"))
        }
        ContainerState::Known(state) if state.running => Err(format!(
            "the client of {engine} ended (exit code {client_code}) before the container; the \
             container was removed"
        )),
        ContainerState::Known(state) if state.oom_killed && state.exit_code != 0 => {
            Err("the container ran out of memory and was killed".to_owned())
        }
        ContainerState::Known(state) => Ok(state.exit_code),
    }
}
