//! Files of a results folder, and what stands in them.

pub mod host_meter;
pub mod output;
pub mod previous;
pub mod summary;
