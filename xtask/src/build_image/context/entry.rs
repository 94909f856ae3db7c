//! A file or folder of the build context.

use std::{fs, path::Path};

use anyhow::Context as _;

/// Mode of folders and of executable files.
pub(crate) const EXECUTABLE: u32 = 0o755;
/// Mode of other files.
pub(crate) const READABLE: u32 = 0o644;
/// Mode of folders that any uid may write to.
pub(crate) const WORLD_WRITABLE: u32 = 0o1777;

/// A file or folder of the build context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Path in the context.
    pub(crate) path: String,
    /// Mode in the context and in the image.
    pub(crate) mode: u32,
    pub(crate) content: Content,
}

/// What an entry contains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Content {
    /// Nothing: the entry is a folder.
    Folder,
    /// The bytes of a file.
    File(Vec<u8>),
}

impl Entry {
    pub(crate) fn folder(path: &str, mode: u32) -> Self {
        Self { path: path.to_owned(), mode, content: Content::Folder }
    }

    pub(crate) fn file(path: &str, mode: u32, bytes: Vec<u8>) -> Self {
        Self { path: path.to_owned(), mode, content: Content::File(bytes) }
    }

    /// Reads the file `source` as the entry `path`.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(crate) fn read(path: &str, mode: u32, source: &Path) -> anyhow::Result<Self> {
        let bytes = fs::read(source).with_context(|| format!("reading `{}`", source.display()))?;
        Ok(Self::file(path, mode, bytes))
    }
}

#[cfg(test)]
impl std::fmt::Display for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { path, mode, content } = self;
        let end = if *content == Content::Folder { "/" } else { "" };
        writeln!(f, "{mode:04o} {path}{end}")
    }
}
