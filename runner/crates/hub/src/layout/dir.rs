//! Opening files and folders of a cache that another process may be changing, and what its errors mean.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use rustix::io::Errno;
use untrusted::{Dir, Refused, Stamp};

/// Maximum depth of folders that are entered. No repo nests even twenty folders.
pub const DEEPEST: usize = 200;

/// A path below an open folder. No symlink on it is followed.
#[derive(Debug, Clone)]
pub struct RootedPath {
    /// The open folder.
    pub dir: Arc<Dir>,
    /// The path below it.
    pub below: PathBuf,
}

impl RootedPath {
    /// Opens the file.
    ///
    /// # Errors
    /// When it is not found, permission is denied, or it is not a regular file.
    pub(crate) fn open(&self) -> io::Result<File> {
        self.dir.file(&self.below)
    }

    /// Reads the file, at most `most` bytes.
    ///
    /// # Errors
    /// As [`RootedPath::open`], or when it is larger.
    pub fn read(&self, most: u64) -> io::Result<Vec<u8>> {
        self.dir.read(&self.below, most)
    }
}

/// A file or folder of a repo that could not be read, and why.
#[derive(Debug)]
pub struct ReadError {
    /// Its path below the repo's folder.
    pub path: PathBuf,
    /// The error of the system call.
    pub error: io::Error,
}

/// How long ago a file was changed. A time in the future counts as well: the clock of a file server may be
/// ahead.
pub fn age(stamp: &Stamp, now: SystemTime) -> Duration {
    let changed = SystemTime::UNIX_EPOCH + Duration::from_secs(stamp.modified.0.max(0) as u64);
    now.duration_since(changed).unwrap_or_else(|ahead| ahead.duration())
}

/// Whether the entry was not found: it was removed since its folder was listed.
pub fn is_not_found(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
}

/// Whether a walk skips the entry: it was not found, or permission was denied.
pub fn is_skippable(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::NotFound)
}

/// Whether a symlink is dangling or part of a loop.
pub fn is_dangling(error: &io::Error) -> bool {
    [Errno::NOENT, Errno::NOTDIR, Errno::LOOP, Errno::NAMETOOLONG]
        .iter()
        .any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

/// Whether the entry was refused: it is a symlink, not a regular file, or too large.
pub fn is_refused(error: &io::Error) -> bool {
    Refused::of(error).is_some()
}

/// The error of a folder that is nested deeper than [`DEEPEST`]. It has the kind of a path that is too long.
pub fn too_deep() -> io::Error {
    let text = format!("it lies more than {DEEPEST} folders deep");
    io::Error::new(io::ErrorKind::InvalidFilename, text)
}

/// Whether an error is [`too_deep`], or the system's for a path that is too long.
pub fn is_too_deep(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::InvalidFilename
}

/// Whether `error` means that `name` was removed since `dir` was listed. A dangling symlink was not.
pub fn was_removed(dir: &Dir, name: impl AsRef<Path>, error: &io::Error) -> bool {
    is_not_found(error) && dir.look(name).is_err_and(|error| is_not_found(&error))
}

/// Calls `read` for the folder `name` of `dir`. `None` when it was removed since `dir` was listed. A folder
/// that was replaced meanwhile is read again.
pub fn read_unless_removed<T>(
    dir: &Dir,
    name: impl AsRef<Path>,
    read: impl Fn() -> io::Result<T>,
) -> Option<io::Result<T>> {
    match read() {
        Err(error) if was_removed(dir, name, &error) => None,
        Err(error) if is_not_found(&error) => Some(read()),
        read => Some(read),
    }
}
