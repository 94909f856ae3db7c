//! An entry of a repo's `blobs`: a file, or a symlink to one.

use std::{
    collections::HashMap,
    ffi::{OsStr, OsString},
    io,
    path::PathBuf,
};

use contract::hub::{in_store, is_of_system};
use untrusted::{Dir, Kind, Stamp};

use crate::layout::{dir::is_dangling, link_target::LinkTarget};

/// An entry of a repo's `blobs`.
#[derive(Debug, Clone)]
pub struct Blob {
    /// The symlink, if it is one.
    pub link: Option<BlobLink>,
    /// The entry itself, or the target of the symlink.
    pub target: LinkTarget,
}

/// A symlink in a repo's `blobs`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BlobLink {
    /// To a file of the shared store, by its path below the cache.
    Store(PathBuf),
    /// To any other path.
    Elsewhere(Vec<u8>),
}

impl Blob {
    /// Reads the blob `name` of the folder `blobs`. `None` when it was removed.
    pub(crate) fn read(blobs: &Dir, name: &OsStr) -> Option<Self> {
        let stamp = match blobs.look(name) {
            Ok(stamp) => stamp,
            Err(error) if is_dangling(&error) => return None,
            Err(error) => return Some(Self::unknown(&error)),
        };
        if stamp.kind != Kind::Link {
            return Some(Self { link: None, target: LinkTarget::Found(stamp) });
        }
        match blobs.link(name) {
            Ok(text) => {
                let target = LinkTarget::of(blobs, name);
                let link = in_store(&text).map_or(BlobLink::Elsewhere(text), BlobLink::Store);
                Some(Self { link: Some(link), target })
            }
            // A client has replaced the symlink by a file.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => Self::read(blobs, name),
            Err(error) if is_dangling(&error) => None,
            Err(error) => Some(Self::unknown(&error)),
        }
    }

    /// A blob that could not be read.
    pub(crate) fn unknown(error: &io::Error) -> Self {
        Self { link: None, target: LinkTarget::Unknown(error.kind()) }
    }

    /// Its regular file, if it has one.
    pub fn file(&self) -> Option<&Stamp> {
        self.target.file()
    }

    /// Whether it is a symlink to the shared store.
    pub(crate) const fn is_shared(&self) -> bool {
        matches!(self.link, Some(BlobLink::Store(_)))
    }

    /// Whether it is a symlink to any other path than the shared store.
    pub const fn is_foreign_link(&self) -> bool {
        matches!(self.link, Some(BlobLink::Elsewhere(_)))
    }
}

/// Reads all entries of the folder `blobs`, by name.
///
/// # Errors
/// When it cannot be listed.
pub(crate) fn read_blobs(blobs: &Dir) -> io::Result<HashMap<OsString, Blob>> {
    let mut found = HashMap::new();
    blobs.visit(|name, _| {
        if !is_of_system(name)
            && let Some(blob) = Blob::read(blobs, name)
        {
            found.insert(name.to_owned(), blob);
        }
    })?;
    Ok(found)
}
