//! Temporary files of a run: its secrets, the container's id, and the lock that shows that the run is alive.

pub mod container_id;
pub mod run_file;
pub mod run_id;
