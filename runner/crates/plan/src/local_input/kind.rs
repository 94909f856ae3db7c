//! The arguments that can name a path, and how a path differs from a Hub id.

use std::path::Path;

use contract::{
    Backend,
    argument::{DATASET, MODEL},
    path,
};

/// An input that can be named by a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `backend.model=`
    Model,
    /// `scenario.dataset_name=`
    Dataset,
}

impl Kind {
    /// The inputs that `backend` takes by a path. A server's model is a name.
    pub(super) const fn of(backend: Option<Backend>) -> &'static [Self] {
        match backend {
            Some(Backend::Vllm) => &[Self::Dataset],
            _ => &[Self::Model, Self::Dataset],
        }
    }

    /// Key of the argument.
    pub(crate) const fn key(self) -> &'static str {
        match self {
            Self::Model => MODEL,
            Self::Dataset => DATASET,
        }
    }

    /// Its name in messages.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Dataset => "dataset",
        }
    }

    /// The folder in a container that it is mounted below.
    pub(crate) const fn folder(self) -> &'static str {
        match self {
            Self::Model => path::MODELS,
            Self::Dataset => path::DATA,
        }
    }

    /// Extensions of its files, in lower case.
    const fn extensions(self) -> &'static [&'static str] {
        match self {
            Self::Model => &["gguf"],
            Self::Dataset => &["csv", "json", "jsonl", "parquet"],
        }
    }

    /// Whether `path` has one of these extensions.
    pub(super) fn is_file_name(self, path: &Path) -> bool {
        let extension = path.extension().and_then(|extension| extension.to_str());
        extension.is_some_and(|found| {
            self.extensions().iter().any(|known| known.eq_ignore_ascii_case(found))
        })
    }

    /// Whether `value` is a local path, and not a Hub id.
    pub fn is_path(self, value: &str) -> bool {
        let begins = ["/", "./", "../", "~/"].iter().any(|begin| value.starts_with(begin));
        let whole = [".", "..", "~"].contains(&value);
        let ends =
            self.is_file_name(Path::new(value)) && !(self == Self::Model && is_file_of_repo(value));
        // A Hub id has at most one slash, and none at the end, where tab completion puts it.
        let id = value.split(':').next().unwrap_or(value);
        let slashes = id.matches('/').count() > 1 || value.ends_with('/');
        begins || whole || ends || slashes
    }
}

/// Whether `value` has the form `ORG/REPO:FILE` of the `native` backend.
fn is_file_of_repo(value: &str) -> bool {
    let Some((id, file)) = value.split_once(':') else { return false };
    let is_name = |name: &str| {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
    };
    let is_id = id.split_once('/').is_some_and(|(org, repo)| is_name(org) && is_name(repo));
    is_id && !file.is_empty()
}
