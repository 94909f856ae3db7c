//! A file or folder of the build context.

use std::{fs, path::Path};

use anyhow::Context as _;

/// Mode of a folder or a program of the image.
pub(super) const PLAIN: u32 = 0o755;

/// A file or folder of the context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// Its path in the context.
    pub(super) path: String,
    /// Its mode, in the context and in the image.
    pub(super) mode: u32,
    /// What it is.
    pub(super) content: Content,
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Content {
    /// A folder.
    Folder,
    /// A file.
    File(Vec<u8>),
}

impl Entry {
    pub(super) fn folder(path: &str, mode: u32) -> Self {
        Self { path: path.to_owned(), mode, content: Content::Folder }
    }

    pub(super) fn file(path: &str, mode: u32, bytes: Vec<u8>) -> Self {
        Self { path: path.to_owned(), mode, content: Content::File(bytes) }
    }
}

/// Reads a file.
///
/// # Errors
/// When it cannot be read.
pub(super) fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("reading `{}`", path.display()))
}
