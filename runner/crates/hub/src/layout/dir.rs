//! Files and folders of a cache that another process may be changing: where they are, and what an
//! error of opening one means.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use rustix::io::Errno;
use untrusted::Refused;
pub use untrusted::{Dir, Kind, Stamp, Time};

/// How many folders are entered below one another. Programs open files by paths of 4,096 bytes at
/// most, and no repo nests even twenty folders.
pub const DEEPEST: usize = 200;

/// Where a file is: a path below an open folder, on which no symlink is followed.
#[derive(Debug, Clone)]
pub struct At {
    /// The folder.
    pub dir: Arc<Dir>,
    /// The path below it.
    pub below: PathBuf,
}

impl At {
    /// Opens the file.
    ///
    /// # Errors
    /// When it is missing, not readable, or not a regular file.
    pub fn open(&self) -> io::Result<File> {
        self.dir.file(&self.below)
    }

    /// Its content, at most `most` bytes.
    ///
    /// # Errors
    /// As [`At::open`], and when it is larger.
    pub fn read(&self, most: u64) -> io::Result<Vec<u8>> {
        self.dir.read(&self.below, most)
    }
}

/// Something in a repo that could not be read.
#[derive(Debug)]
pub struct Trouble {
    /// Its path below the repo's folder.
    pub path: PathBuf,
    /// The kernel's error.
    pub error: io::Error,
}

/// How long ago an entry was changed. A file server whose clock is ahead gives a fresh file a time in
/// the future.
pub fn age(stamp: &Stamp, now: SystemTime) -> Duration {
    let changed = SystemTime::UNIX_EPOCH + Duration::from_secs(stamp.modified.0.max(0) as u64);
    now.duration_since(changed).unwrap_or_else(|ahead| ahead.duration())
}

/// Whether the entry was not found: it was removed since its folder was listed.
pub fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
}

/// Whether the entry was not found, or permission was denied: what a walk skips.
pub fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::NotFound)
}

/// Whether a symlink is dangling or leads to itself.
pub fn leads_nowhere(error: &io::Error) -> bool {
    [Errno::NOENT, Errno::NOTDIR, Errno::LOOP, Errno::NAMETOOLONG]
        .iter()
        .any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

/// Whether the entry is a symlink, no regular file, or too large: no user could read it.
pub fn is_refused(error: &io::Error) -> bool {
    Refused::of(error).is_some()
}

/// The error of a folder below [`DEEPEST`] others, which is not entered. The kernel has the same
/// kind for a path that is too long.
pub fn too_deep() -> io::Error {
    let text = format!("it lies more than {DEEPEST} folders deep");
    io::Error::new(io::ErrorKind::InvalidFilename, text)
}

/// Whether an error is [`too_deep`], or the kernel's for such a path.
pub fn is_too_deep(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::InvalidFilename
}

/// Whether `error` came of `name` having been removed since `dir` was listed. A dangling symlink is
/// still there.
pub fn has_lost(dir: &Dir, name: impl AsRef<Path>, error: &io::Error) -> bool {
    is_gone(error) && dir.look(name).is_err_and(|error| is_gone(&error))
}

/// What `read` makes of the folder `name` of `dir`; none when it was removed since `dir` was listed.
/// One that was replaced meanwhile is read again.
pub fn within<T>(
    dir: &Dir,
    name: impl AsRef<Path>,
    read: impl Fn() -> io::Result<T>,
) -> Option<io::Result<T>> {
    match read() {
        Err(error) if has_lost(dir, name, &error) => None,
        Err(error) if is_gone(&error) => Some(read()),
        read => Some(read),
    }
}
