//! Renders a plan as the command that an engine executes. Pure: the command that is shown is the one that
//! runs.

mod container;
mod gpus;
mod host_engine;

use engine::{Client, Engine};
use host::shell::CommandLine;

use crate::run_plan::RunPlan;

pub use container::bind_mount;

/// The command that starts the plan on `engine`.
pub fn command_line(engine: &Engine, plan: &RunPlan) -> CommandLine {
    match engine.client {
        Client::Docker | Client::Podman => container::command_line(engine, plan),
        Client::None => host_engine::command_line(engine, plan),
    }
}

/// The reason of the benchmark's arguments.
fn args_reason(plan: &RunPlan) -> &'static str {
    if plan.inputs.is_empty() {
        return "for the benchmark, untouched";
    }
    "for the benchmark, with your paths as it sees them and all else untouched"
}
