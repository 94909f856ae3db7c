//! What runs left that were killed with everything that looked after them.

use std::time::Duration;

use engine::{
    Engine, Query,
    leftovers::{self, Runner},
};
use host::{
    output::terminal::warn,
    run_files::run_id::{PREFIX, runner_of},
};

use crate::run::supervised::survivors;

/// How long an engine has to list its containers: a run does not wait for one that hangs.
const PATIENCE: Duration = Duration::from_secs(10);

/// Ends what Podman began to make and did not finish, and tells of the containers that are left.
pub(super) fn look_after(engine: &Engine, uid: u32) {
    if engine.mode.is_podman() {
        end_half_made();
    }
    warn(match engine.ask_within(Query::Runs, PATIENCE) {
        None => None,
        Some(answer) => match answer.and_then(|answer| leftovers::summary(engine, uid, &answer)) {
            Ok(told) => told.map(|(count, text)| format!("{count} container(s) {text}")),
            Err(error) => {
                Some(format!("containers that earlier runs left are not known: {error:#}"))
            }
        },
    });
}

/// Ends what Podman began to make for a run that is gone, and does not know of.
fn end_half_made() {
    let is_dead = |container: &str| {
        let runner = container.strip_prefix(PREFIX).and_then(runner_of);
        runner.is_some_and(|pid| Runner::of(pid) == Runner::Gone)
    };
    for container in survivors::containers().into_iter().filter(|name| is_dead(name)) {
        let makers = survivors::makers(&container);
        // One in which a benchmark works is known to Podman, and is listed.
        if !makers.iter().any(survivors::works) {
            warn(survivors::end(&makers).warning());
        }
    }
}
