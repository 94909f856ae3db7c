//! Arguments, backends and tasks of a benchmark, and which published numbers a run compares with.

pub mod argument;
pub(crate) mod backend;
pub mod published;
pub mod task;
