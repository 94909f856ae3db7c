//! Check for containers of dead runs.

use engine::{Engine, Query, leftovers};
use host::machine::Host;

use super::Finding;

/// Warns about containers of the user's dead runs.
pub(super) fn check(engine: &Engine, host: &Host) -> Option<Finding> {
    let answer = engine.ask(Query::Runs)?;
    match answer.and_then(|answer| leftovers::summary(engine, host.uid, &answer)) {
        Ok(told) => told
            .map(|(count, text)| Finding::warning("engine", format!("{count} container(s)"), text)),
        Err(error) => Some(Finding::error("engine", "containers", format!("{error:#}"))),
    }
}
