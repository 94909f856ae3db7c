//! The target of a symlink.

use std::io;

use untrusted::{Dir, Kind, Stamp};

use crate::layout::dir::is_dangling;

/// The target of a symlink.
#[derive(Debug, Clone, Copy)]
pub enum LinkTarget {
    /// An existing entry.
    Found(Stamp),
    /// Not found: the symlink is dangling, or part of a loop.
    Missing,
    /// Unknown: permission denied, or the disk failed.
    Unknown(io::ErrorKind),
}

impl LinkTarget {
    /// Follows the symlink `name` of `dir` without opening anything.
    pub fn of(dir: &Dir, name: impl AsRef<std::path::Path>) -> Self {
        match dir.look_through(name) {
            Ok(stamp) => Self::Found(stamp),
            Err(error) if is_dangling(&error) => Self::Missing,
            Err(error) => Self::Unknown(error.kind()),
        }
    }

    /// The target, if it is a regular file.
    pub fn file(&self) -> Option<&Stamp> {
        match self {
            Self::Found(stamp) if stamp.kind == Kind::File => Some(stamp),
            _ => None,
        }
    }

    /// Whether the target is a folder, or may be one.
    pub fn may_be_folder(&self) -> bool {
        match self {
            Self::Found(stamp) => stamp.kind == Kind::Folder,
            Self::Missing => false,
            Self::Unknown(_) => true,
        }
    }
}
