//! Containers that a crash left behind.

use super::Finding;
use crate::{engine::Engine, host::Host, leftovers, process::capture};

/// Looks for containers of the user's runs that are gone.
pub(super) fn check(engine: &Engine, host: &Host) -> anyhow::Result<Option<Finding>> {
    let Some(command) = leftovers::command(engine) else { return Ok(None) };
    let answer = capture(&command)?;
    Ok(match leftovers::told(engine, host.uid, &answer) {
        Ok(told) => told
            .map(|(count, text)| Finding::warning("engine", format!("{count} container(s)"), text)),
        Err(error) => Some(Finding::error("engine", "containers", format!("{error:#}"))),
    })
}
