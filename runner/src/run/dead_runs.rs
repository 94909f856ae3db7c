//! What runs left that were killed with everything that looked after them: containers that Podman had
//! begun to make and does not know of.

use super::survivors;
use crate::{
    engine::Engine,
    leftovers::Process,
    run_id::{PREFIX, runner_of},
    terminal::warn,
};

/// Ends what Podman began to make for a run that is gone, and did not finish.
pub(super) fn end_half_made(engine: &Engine) {
    if !engine.mode.is_podman() {
        return;
    }
    let is_dead = |container: &str| {
        let runner = container.strip_prefix(PREFIX).and_then(runner_of);
        runner.is_some_and(|pid| Process::of(pid) == Process::None)
    };
    for container in survivors::containers().into_iter().filter(|name| is_dead(name)) {
        let makers = survivors::makers(&container);
        // One in which a benchmark works is known to Podman, and is listed.
        if !makers.iter().any(survivors::works) {
            warn(survivors::end(&makers).warning());
        }
    }
}
