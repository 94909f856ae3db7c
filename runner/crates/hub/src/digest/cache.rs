//! Digests of earlier runs, kept in the user's cache folder in one file per repo.

use std::{
    collections::{BTreeMap, HashSet},
    ffi::{OsStr, OsString},
    fs::DirBuilder,
    io,
    os::unix::{ffi::OsStrExt as _, fs::DirBuilderExt as _},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize};
use untrusted::{Dir, Kind, NEW};

use crate::layout::{Digest, RepoName, STORE, Stamp, Time, age, is_not_found, short_id};

/// Size limit of a file that is read: five million digests.
const MAX_BYTES: u64 = 1 << 30;

/// A temporary file older than this belongs to a run that was killed.
const ABANDONED: Duration = Duration::from_secs(3600);

/// Longer than a tick of the kernel's clock for file times.
const TICK: Duration = Duration::from_millis(100);
/// The same for file systems with a resolution of one or two seconds.
const SLOW_TICK: Duration = Duration::from_millis(2100);

/// Digests by the device, inode, size and times of their files. Writing a file changes its times.
#[derive(Debug, Default)]
pub struct DigestCache {
    entries: BTreeMap<Key, Entry>,
    /// Whether an entry was added.
    is_changed: bool,
}

/// The identity of a file's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Key {
    device: u64,
    inode: u64,
    size: u64,
    modified: Time,
    changed: Time,
    is_git: bool,
}

/// A cached digest.
#[derive(Debug, Clone, Copy)]
struct Entry {
    digest: Digest,
    /// Whether this run used the entry. Unused entries belong to files that no longer exist.
    is_used: bool,
}

impl Key {
    fn of(stamp: &Stamp, like: Digest) -> Self {
        let Stamp { device, inode, size, modified, changed, .. } = *stamp;
        Self { device, inode, size, modified, changed, is_git: matches!(like, Digest::Git(_)) }
    }
}

impl DigestCache {
    /// The file for the repo in `folder` of the Hub cache at `hub`. `base` is the user's cache folder, `hub`
    /// a canonical path.
    pub fn path(base: &Path, hub: &Path, folder: &str) -> PathBuf {
        files_of(base, hub).join(folder)
    }

    /// Removes the files of repos that are no longer in the Hub cache. `folders` are the repo folders in it.
    ///
    /// # Errors
    /// When the files cannot be listed, or one cannot be removed.
    pub fn remove_stale(base: &Path, hub: &Path, folders: &HashSet<OsString>) -> io::Result<()> {
        let dir = match Dir::open_itself(files_of(base, hub)) {
            Err(error) if is_not_found(&error) => return Ok(()),
            dir => dir?,
        };
        for (name, kind) in dir.list()? {
            let is_of_repo = name
                .to_str()
                .is_some_and(|name| name == STORE || RepoName::of_folder(name).is_some());
            if kind == Kind::File && is_of_repo && !folders.contains(&name) {
                remove(&dir, &name)?;
            }
        }
        Ok(())
    }

    /// Reads `file`. It is empty when the file is missing, corrupt or of another format: then everything is
    /// hashed again.
    pub fn load(file: &Path) -> Self {
        let read =
            || Dir::open_itself(file.parent()?).ok()?.read(file.file_name()?, MAX_BYTES).ok();
        let entries = read().and_then(|bytes| parse(&bytes)).unwrap_or_default();
        Self { entries, is_changed: false }
    }

    /// The digest of the file with this stamp, by the algorithm of `like`. The entry counts as used, so that
    /// [`Self::save`] keeps it.
    pub fn get(&mut self, stamp: &Stamp, like: Digest) -> Option<Digest> {
        let entry = self.entries.get_mut(&Key::of(stamp, like))?;
        entry.is_used = true;
        Some(entry.digest)
    }

    /// Adds the digest of the file with this stamp. `now` is a time before hashing began.
    ///
    /// A file that changed just before is not added: the kernel's clock for file times stands still between
    /// ticks, so another write in the same tick could leave the same stamp.
    pub fn insert(&mut self, stamp: &Stamp, digest: Digest, now: SystemTime) {
        if is_older_than_a_tick(stamp.changed, now) {
            self.is_changed = true;
            self.entries.insert(Key::of(stamp, digest), Entry { digest, is_used: true });
        }
    }

    /// Writes the entries that this run used or added to `file`, if they changed. Of two runs at once the
    /// later one wins.
    ///
    /// # Errors
    /// When the folder cannot be created or written.
    pub fn save(&self, file: &Path) -> io::Result<()> {
        if !self.is_changed && self.entries.values().all(|entry| entry.is_used) {
            return Ok(());
        }
        let folder = file.parent().unwrap_or(Path::new("."));
        // Private: other users must not add digests.
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let dir = Dir::open_itself(folder)?;
        remove_abandoned(&dir, SystemTime::now())?;
        let used = self.entries.iter().filter(|(_, entry)| entry.is_used);
        let pairs: Vec<_> = used.map(|(key, entry)| (key, entry.digest.to_string())).collect();
        dir.write(file.file_name().unwrap_or_default(), &serde_json::to_vec(&pairs)?)
    }
}

/// The folder with the files of the Hub cache at `hub`.
fn files_of(base: &Path, hub: &Path) -> PathBuf {
    base.join("aienergyscore/verified").join(short_id(hub))
}

fn remove(dir: &Dir, name: &OsStr) -> io::Result<()> {
    match dir.remove(name) {
        // Another run removed it first.
        Err(error) if is_not_found(&error) => Ok(()),
        removed => removed,
    }
}

/// Removes temporary files of runs that were killed while they wrote.
fn remove_abandoned(dir: &Dir, now: SystemTime) -> io::Result<()> {
    for (name, kind) in dir.list()? {
        if kind != Kind::File || !name.as_bytes().starts_with(NEW.as_bytes()) {
            continue;
        }
        if dir.look(&name).is_ok_and(|stamp| age(&stamp, now) > ABANDONED) {
            remove(dir, &name)?;
        }
    }
    Ok(())
}

/// Whether a file changed so long ago that another write gets other times. A time in the future does not
/// count, because clocks may be set back or differ from the file server's.
fn is_older_than_a_tick((seconds, nanoseconds): Time, now: SystemTime) -> bool {
    let tick = if nanoseconds == 0 { SLOW_TICK } else { TICK };
    let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let changed = Duration::new(u64::try_from(seconds).unwrap_or(0), nanoseconds);
    now.checked_sub(changed).is_some_and(|age| age > tick)
}

/// Parses the pairs of a key and a digest.
fn parse(bytes: &[u8]) -> Option<BTreeMap<Key, Entry>> {
    let pairs: Vec<(Key, String)> = serde_json::from_slice(bytes).ok()?;
    let entry = |(key, digest): (Key, String)| {
        let digest = Digest::of_name(digest.as_bytes())?;
        let is_valid = key.is_git == matches!(digest, Digest::Git(_));
        is_valid.then_some((key, Entry { digest, is_used: false }))
    };
    pairs.into_iter().map(entry).collect()
}

#[cfg(test)]
mod tests;
