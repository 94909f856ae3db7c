//! Whether a loader can load a model or a dataset, told from names, sizes and headers alone.
//!
//! The rules are those of what runs in the images: transformers 4.57 with huggingface_hub 0.36,
//! datasets 4.0, and the `native` backend. Only what must fail is a [`Fault`]. What cannot be known
//! is started.

mod code;
mod config;
mod content;
pub(crate) mod dataset;
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

pub(crate) use self::{
    files::{Files, Look},
    keywords::Keywords,
    local::Local,
    native::{model as native, one_file as native_file},
    transformers::model as transformers,
};

/// What a loader must stumble over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// What it is, in words.
    pub(crate) what: String,
    /// What helps.
    pub(crate) remedy: Remedy,
}

/// What helps against a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Remedy {
    /// Files are missing: to download the rest.
    Download,
    /// Bytes are damaged: a client does not download over them.
    Replace,
    /// The fault says it.
    Said,
    /// It is closed to this user, or its disk fails, so nobody knows.
    OutOfSight,
}

impl Fault {
    fn absent(what: impl Into<String>) -> Self {
        Self { what: what.into(), remedy: Remedy::Download }
    }

    fn damaged(what: impl Into<String>) -> Self {
        Self { what: what.into(), remedy: Remedy::Replace }
    }

    fn closed(name: &str, error: &std::io::Error) -> Self {
        Self { what: format!("`{name}` cannot be read: {error}"), remedy: Remedy::OutOfSight }
    }

    fn said(what: impl Into<String>) -> Self {
        Self { what: what.into(), remedy: Remedy::Said }
    }
}

/// Doubts about what loads as far as can be known, or why it cannot load.
pub(crate) type Judged = Result<Vec<String>, Fault>;

/// How many names a message lists.
const SHOWN: usize = 5;

/// The first of `names`, and how many more there are.
fn shown<'a>(names: impl IntoIterator<Item = &'a String>) -> String {
    let names: Vec<_> = names.into_iter().map(|name| format!("`{name}`")).collect();
    let more = names.len().saturating_sub(SHOWN);
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{rest}", names[..names.len() - more].join(", "))
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
