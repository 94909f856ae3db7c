//! What an argument can name by a path, and what a path of it looks like.

use std::path::Path;

use contract::{
    Backend,
    argument::{DATASET, MODEL},
    path,
};

/// What an argument can name by a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `backend.model=`
    Model,
    /// `scenario.dataset_name=`
    Dataset,
}

impl Kind {
    /// What `backend` takes by a path: to a server, the model is a name.
    pub(super) const fn of(backend: Option<Backend>) -> &'static [Self] {
        match backend {
            Some(Backend::Vllm) => &[Self::Dataset],
            _ => &[Self::Model, Self::Dataset],
        }
    }

    /// The argument's key.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Model => MODEL,
            Self::Dataset => DATASET,
        }
    }

    /// What it is, in a word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Dataset => "dataset",
        }
    }

    /// Where it appears in a container, below which folder.
    pub const fn folder(self) -> &'static str {
        match self {
            Self::Model => path::MODELS,
            Self::Dataset => path::DATA,
        }
    }

    /// How its files end, in lower case.
    const fn extensions(self) -> &'static [&'static str] {
        match self {
            Self::Model => &["gguf"],
            Self::Dataset => &["csv", "json", "jsonl", "parquet"],
        }
    }

    /// Whether `path` ends as one of its files does.
    pub fn is_file_name(self, path: &Path) -> bool {
        let extension = path.extension().and_then(|extension| extension.to_str());
        extension.is_some_and(|found| {
            self.extensions().iter().any(|known| known.eq_ignore_ascii_case(found))
        })
    }

    /// Whether `value` is a path of this machine; anything else is a Hub id.
    pub fn is_path(self, value: &str) -> bool {
        let begins = ["/", "./", "../", "~/"].iter().any(|begin| value.starts_with(begin));
        let whole = [".", "..", "~"].contains(&value);
        let ends =
            self.is_file_name(Path::new(value)) && !(self == Self::Model && is_file_of_repo(value));
        // No Hub id has two slashes, or one at its end, where a shell's completion leaves it.
        let id = value.split(':').next().unwrap_or(value);
        let slashes = id.matches('/').count() > 1 || value.ends_with('/');
        begins || whole || ends || slashes
    }
}

/// `ORG/REPO:FILE`, as the `native` backend takes it.
fn is_file_of_repo(value: &str) -> bool {
    let Some((id, file)) = value.split_once(':') else { return false };
    let is_name = |name: &str| {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
    };
    let is_id = id.split_once('/').is_some_and(|(org, repo)| is_name(org) && is_name(repo));
    is_id && !file.is_empty()
}
