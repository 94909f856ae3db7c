//! Whether a loader can load a model or a dataset, told from names, sizes and headers alone.
//!
//! The rules are those of what runs in the images: transformers 4.57 with huggingface_hub 0.36,
//! datasets 4.0, and the `native` backend. Only what must fail is a [`Fault`]. What cannot be known
//! is started.

mod code;
mod config;
mod content;
pub mod dataset;
mod fault;
mod files;
mod gguf;
mod json;
mod keywords;
mod local;
mod native;
mod safetensors;
mod tokenizer;
mod torch_file;
mod transformers;
mod weights;

pub use self::{
    fault::{Fault, Remedy, Verdict},
    files::{Files, Look},
    keywords::Keywords,
    local::Local,
    native::{model as native, one_file as native_file},
    transformers::model as transformers,
};

#[cfg(test)]
#[path = "../testing/loading.rs"]
pub mod testing;
#[cfg(test)]
mod tests;
