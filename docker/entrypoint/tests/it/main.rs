//! Tests of the built program: exit codes, messages, and output files.

mod exit;
#[cfg(feature = "native")]
mod model;
mod probe;
mod program;
mod reclaim;
mod runs;
