//! The files of a model or dataset, as a loader sees them.

use std::{fs::File, io};

/// What a loader finds under a file name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileState {
    /// A file of this many bytes.
    Present(u64),
    /// Not found, or a folder.
    Missing,
    /// A dangling symlink.
    Dangling,
    /// A symlink to a path that is not mounted into the container.
    OutsideMount,
    /// A file that the Hub client treats as missing, because of the marker at this path.
    Hidden(String),
    /// Unknown: permission denied, or the disk failed.
    Unreachable,
}

impl FileState {
    /// Whether a loader can open the file. It runs as the same user, so it cannot open an unreachable one
    /// either.
    pub(crate) const fn is_present(&self) -> bool {
        matches!(self, Self::Present(_))
    }
}

/// Files by name, with `/` between folders.
pub trait Files {
    /// What the loader finds under this name.
    fn state(&self, name: &str) -> FileState;

    /// Opens a file. `None` when its content cannot be checked.
    ///
    /// # Errors
    /// When it cannot be opened.
    fn open(&self, name: &str) -> io::Result<Option<File>>;

    /// The UTF-8 names of all files and symlinks, sorted.
    fn names(&self) -> Vec<String>;
}

/// The last component of a name.
pub(super) fn file_name(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

/// The total in the name of a shard: 2 for `model-00001-of-00002.safetensors`.
pub(super) fn shard_total(name: &str) -> Option<u32> {
    let stem = file_name(name).rsplit_once('.')?.0;
    let (before, total) = stem.rsplit_once("-of-")?;
    let number = before.rsplit_once('-')?.1;
    let digits = |text: &str| text.len() == 5 && text.bytes().all(|byte| byte.is_ascii_digit());
    (digits(number) && digits(total)).then(|| total.parse().ok())?
}
