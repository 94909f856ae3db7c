//! This machine and this process: paths, users, GPUs, child processes and printed output.

#![warn(clippy::print_stderr, clippy::print_stdout)]

pub mod environment;
pub mod exit;
pub mod gpus;
pub mod machine;
pub mod output;
pub mod paths;
pub mod process;
pub mod run_files;
pub mod shell;
#[cfg(any(test, feature = "testing"))]
#[path = "../testing.rs"]
pub mod testing;
pub mod users;
