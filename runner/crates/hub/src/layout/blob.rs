//! A file in a repo's `blobs`: content, or a symlink to it.

use std::{
    collections::HashMap,
    ffi::{OsStr, OsString},
    io,
    path::PathBuf,
};

use contract::hub::in_store;

use crate::layout::{
    dir::{Dir, Kind, Stamp, leads_nowhere},
    link_target::LinkTarget,
    names::is_of_system,
};

/// An entry of a repo's `blobs`.
#[derive(Debug, Clone)]
pub struct Blob {
    /// Where it leads by its text, if it is a symlink.
    pub link: Option<BlobLink>,
    /// The entry itself, or what the symlink leads to.
    pub target: LinkTarget,
}

/// A symlink in a repo's `blobs`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BlobLink {
    /// To this payload of the shared store, below the cache.
    Store(PathBuf),
    /// Anywhere else, by this text.
    Elsewhere(Vec<u8>),
}

impl Blob {
    /// The blob `name` of the folder `blobs`; none when it was removed.
    pub fn read(blobs: &Dir, name: &OsStr) -> Option<Self> {
        let stamp = match blobs.look(name) {
            Ok(stamp) => stamp,
            Err(error) if leads_nowhere(&error) => return None,
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
            // A client has put a file in its place.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => Self::read(blobs, name),
            Err(error) if leads_nowhere(&error) => None,
            Err(error) => Some(Self::unknown(&error)),
        }
    }

    /// A blob that could not be looked at.
    pub fn unknown(error: &io::Error) -> Self {
        Self { link: None, target: LinkTarget::Unknown(error.kind()) }
    }

    /// Its content, if that is a regular file.
    pub fn file(&self) -> Option<&Stamp> {
        self.target.file()
    }

    /// Whether its content lies in the shared store.
    pub const fn is_shared(&self) -> bool {
        matches!(self.link, Some(BlobLink::Store(_)))
    }

    /// Whether it is a symlink to anywhere but the shared store.
    pub const fn leads_astray(&self) -> bool {
        matches!(self.link, Some(BlobLink::Elsewhere(_)))
    }
}

/// All entries of the folder `blobs`, by name.
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
