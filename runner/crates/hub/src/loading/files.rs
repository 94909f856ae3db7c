//! The files of a model or dataset, as a loader sees them.

use std::{fs::File, io};

/// What a loader finds under a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look {
    /// A file of so many bytes.
    There(u64),
    /// Nothing, or a folder.
    Missing,
    /// A symlink to nothing.
    Dangling,
    /// A symlink that a container cannot follow.
    LeadsOut,
    /// A file that the Hub client takes for missing, because of the marker at this place.
    Hidden(String),
    /// Nobody knows: a folder on the way is closed, or the disk fails.
    OutOfSight,
}

impl Look {
    /// Whether a loader opens it. What is out of sight here is no file to the loader, either: it
    /// runs as the same user.
    pub const fn is_there(&self) -> bool {
        matches!(self, Self::There(_))
    }
}

/// Files by their names, with `/` between folders.
pub trait Files {
    /// What is there.
    fn look(&self, name: &str) -> Look;

    /// Opens a file; none when its bytes are not looked at.
    ///
    /// # Errors
    /// When it cannot be opened.
    fn open(&self, name: &str) -> io::Result<Option<File>>;

    /// The names of all files and symlinks that are text, sorted.
    fn names(&self) -> Vec<String>;
}

/// The last part of a name.
pub(super) fn base(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}
