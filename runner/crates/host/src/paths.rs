//! Paths that the user names.

pub mod expand;
pub mod host_path;
pub mod results_folder;
