//! A plan as the command that an engine executes. Pure: what is shown is what runs.

mod container;
mod gpus;
mod host_engine;

use engine::{Client, Engine};

use crate::run_plan::RunPlan;
pub use container::bind_part;
use host::shell::CommandLine;

/// The command by which `engine` starts the plan.
pub fn command_line(engine: &Engine, plan: &RunPlan) -> CommandLine {
    match engine.client {
        Client::Docker | Client::Podman => container::command_line(engine, plan),
        Client::None => host_engine::command_line(engine, plan),
    }
}

/// Why the benchmark's arguments are what they are.
fn args_reason(plan: &RunPlan) -> &'static str {
    if plan.inputs.is_empty() {
        return "for the benchmark, untouched";
    }
    "for the benchmark, with your paths as it sees them and all else untouched"
}
