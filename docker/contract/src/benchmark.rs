//! Arguments, backends and tasks of a benchmark.

pub mod argument;
pub(crate) mod backend;
pub mod task;
