//! The plan of a run, in steps: request, settings, resolved run, plan, command. Building the plan and
//! rendering the command are pure.

#![warn(clippy::print_stderr, clippy::print_stdout)]

mod addresses;
mod endpoint;
pub mod local_input;
pub mod options;
pub mod render;
pub mod run_plan;
pub mod server;
#[cfg(any(test, feature = "testing"))]
#[path = "../testing.rs"]
pub mod testing;
