//! The plan of a run: from a request over settings to a run held against the disk, from that to
//! engine-neutral data, and from that to the command of an engine. Building and rendering are pure.

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
