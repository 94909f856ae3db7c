//! Files of a results folder, their JSON, and its values with their paths.

pub(crate) mod files;
pub(crate) mod folder;
pub mod json;
pub(crate) mod node;
