//! A plan as the command that an engine executes. Pure: what is shown is what runs.

mod docker;
mod host;

pub(crate) use docker::bind_part;

use crate::{
    engine::{Engine, Mode},
    plan::RunPlan,
    shell::CommandLine,
};

/// The command by which `engine` starts the plan.
pub fn command_line(engine: &Engine, plan: &RunPlan) -> CommandLine {
    match engine.mode {
        Mode::DockerRootful | Mode::DockerUsernsRemap | Mode::DockerRootless => {
            docker::command_line(engine, plan)
        }
        Mode::Host => host::command_line(engine, plan),
    }
}

/// Why the benchmark's arguments are what they are.
fn args_reason(plan: &RunPlan) -> &'static str {
    if plan.inputs.is_empty() {
        return "for the benchmark, untouched";
    }
    "for the benchmark, with your paths as it sees them and all else untouched"
}
