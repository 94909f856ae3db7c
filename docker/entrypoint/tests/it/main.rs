//! The built program, from outside: exit codes, messages, and the files that it leaves.

mod ends;
#[cfg(feature = "native")]
mod model;
mod probe;
mod program;
mod reclaim;
mod runs;
