//! Leftovers of earlier runs that were killed together with their reaper.

use std::time::Duration;

use engine::{
    Engine, Query,
    leftovers::{self, Runner},
};
use host::{
    output::terminal::warn,
    run_files::run_id::{PREFIX, runner_of},
};

use super::supervised::orphans;

/// Timeout of listing containers, so that a run does not wait for an engine that hangs.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Kills half-created containers of Podman, and warns about other containers that are left.
pub(super) fn clean_up(engine: &Engine, uid: u32) {
    if engine.mode.is_podman() {
        kill_half_created();
    }
    warn(match engine.ask_within(Query::Runs, TIMEOUT) {
        None => None,
        Some(answer) => match answer.and_then(|answer| leftovers::summary(engine, uid, &answer)) {
            Ok(told) => told.map(|(count, text)| format!("{count} container(s) {text}")),
            Err(error) => {
                Some(format!("containers that earlier runs left are not known: {error:#}"))
            }
        },
    });
}

/// Kills the processes of containers that Podman was creating for dead runs and does not list.
fn kill_half_created() {
    let is_dead = |container: &str| {
        let runner = container.strip_prefix(PREFIX).and_then(runner_of);
        runner.is_some_and(|pid| Runner::of(pid) == Runner::Gone)
    };
    for container in orphans::conmon_containers().into_iter().filter(|name| is_dead(name)) {
        let processes = orphans::conmon_processes(&container);
        // Podman lists a container in which a benchmark runs.
        if !processes.iter().any(orphans::is_benchmark) {
            warn(orphans::kill(&processes).warning());
        }
    }
}
