//! The plan of a run. An option of the command line passes through five types:
//!
//! 1. [`options::Request`]: the options as parsed,
//! 2. [`options::Settings`]: environment and defaults filled in, validated,
//! 3. [`options::Resolved`]: paths and secrets checked on the disk,
//! 4. [`run_plan::RunPlan`]: engine-neutral decisions, each with its reason,
//! 5. [`host::shell::CommandLine`]: the arguments of `docker run` or `podman run`, by [`render`].
//!
//! Steps 4 and 5 are pure.

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
