//! Files of a run that are no results: its secrets, its container's id, and what tells that it lives.

pub mod container_id;
pub mod run_file;
pub mod run_id;
