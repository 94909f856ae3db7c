//! What a scan of a cache needs beyond an open folder: what is gone meanwhile, and what lies too
//! deep.

use std::{
    io,
    path::Path,
    time::{Duration, SystemTime},
};

use untrusted::Refused;
pub(crate) use untrusted::{Dir, Kind, Stamp, Time};

use super::reached::is_gone;

/// How many folders are entered below one another. Programs open files by paths of 4,096 bytes at
/// most, and no repo nests even twenty folders; who made more meant harm.
pub(crate) const DEEPEST: usize = 200;

/// How long ago the bytes of an entry were changed. The clock of a server that is ahead of ours
/// gives a fresh file a time to come.
pub(crate) fn age(stamp: &Stamp, now: SystemTime) -> Duration {
    let changed = SystemTime::UNIX_EPOCH + Duration::from_secs(stamp.modified.0.max(0) as u64);
    now.duration_since(changed).unwrap_or_else(|ahead| ahead.duration())
}

/// Whether `error` came of `name` having gone since the folder `dir` was listed. A link that leads
/// nowhere is still there.
pub(crate) fn has_lost(dir: &Dir, name: impl AsRef<Path>, error: &io::Error) -> bool {
    is_gone(error) && dir.look(name).is_err_and(|error| is_gone(&error))
}

/// What `read` makes of the folder `name` of `dir`; none when it has gone since `dir` was listed.
/// One that was made anew meanwhile is read again.
pub(crate) fn within<T>(
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

/// Whether something is no text for us, whoever may read it: it is a symlink, no regular file, or
/// too large.
pub(crate) fn is_no_text(error: &io::Error) -> bool {
    Refused::of(error).is_some()
}

/// The error of a folder below [`DEEPEST`] others, which is not entered. The kernel has the same
/// kind for a path that is too long.
pub(crate) fn too_deep() -> io::Error {
    let text = format!("it lies more than {DEEPEST} folders deep");
    io::Error::new(io::ErrorKind::InvalidFilename, text)
}

/// Whether an error is [`too_deep`], or the kernel's for such a path.
pub(crate) fn is_too_deep(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::InvalidFilename
}
