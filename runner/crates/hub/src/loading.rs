//! Predicts whether a loader can load a model or a dataset, from file names, sizes and headers alone.
//!
//! The rules are those of the loaders in the images: transformers 4.57 with huggingface_hub 0.36,
//! datasets 4.0, and the `native` backend. A [`Fault`] means that loading must fail. If the outcome is
//! unknown, the run is started.

mod cached;
mod content;
pub mod dataset;
mod fault;
mod files;
mod json;
mod keywords;
mod local;
pub mod native;
pub mod transformers;

pub use self::{
    cached::{Loader, SnapshotFiles},
    fault::{Fault, Remedy, Verdict},
    files::{FileState, Files},
    keywords::Keywords,
    local::LocalFolder,
};

#[cfg(test)]
#[path = "../testing/loading.rs"]
pub mod testing;
#[cfg(test)]
mod tests;
