//! Where a symlink leads, as far as this user can see.

use std::io;

use crate::layout::dir::{Dir, Kind, Stamp, leads_nowhere};

/// Where a symlink leads.
#[derive(Debug, Clone, Copy)]
pub enum LinkTarget {
    /// To an entry.
    Found(Stamp),
    /// Nowhere: it is dangling, or leads to itself.
    Missing,
    /// Unknown: a folder on the way cannot be searched, or the disk fails.
    Unknown(io::ErrorKind),
}

impl LinkTarget {
    /// Follows the symlink `name` of `dir` without opening anything.
    pub fn of(dir: &Dir, name: impl AsRef<std::path::Path>) -> Self {
        dir.look_through(name).map_or_else(|error| Self::of_error(&error), Self::Found)
    }

    /// What this error of looking at an entry means.
    pub(crate) fn of_error(error: &io::Error) -> Self {
        if leads_nowhere(error) { Self::Missing } else { Self::Unknown(error.kind()) }
    }

    /// The regular file that is there.
    pub fn file(&self) -> Option<&Stamp> {
        match self {
            Self::Found(stamp) if stamp.kind == Kind::File => Some(stamp),
            _ => None,
        }
    }

    /// Whether a folder is there, as far as known: what is unknown may be one.
    pub fn may_be_folder(&self) -> bool {
        match self {
            Self::Found(stamp) => stamp.kind == Kind::Folder,
            Self::Missing => false,
            Self::Unknown(_) => true,
        }
    }
}
