//! Digests that were found before, remembered in the user's cache folder: one file per repo.

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
use sha2::{Digest as _, Sha256};
use untrusted::{Dir, Kind, NEW};

use crate::layout::{
    dir::{Stamp, Time},
    names::{Digest, RepoName},
    store::STORE,
};

/// Bytes of the largest memory that is read: five million files.
const LARGEST: u64 = 1 << 30;

/// Nobody writes a memory for so long.
const YOUNG: Duration = Duration::from_secs(3600);

/// Longer than the kernel takes to move the clock that it stamps files with.
const TICK: Duration = Duration::from_millis(100);
/// The same for a disk that stamps whole seconds, or every other one.
const SLOW_TICK: Duration = Duration::from_millis(2100);

/// Where the memory of the repo in `folder` is: below `base`, which is the user's cache folder,
/// apart for every Hub cache. `hub` is that cache's path, links followed.
pub fn file(base: &Path, hub: &Path, folder: &str) -> PathBuf {
    self::folder(base, hub).join(folder)
}

/// Where the memories of all repos are.
fn folder(base: &Path, hub: &Path) -> PathBuf {
    let hub: [u8; 32] = Sha256::digest(hub.as_os_str().as_bytes()).into();
    let hub: String = hub[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    base.join("aienergyscore/verified").join(hub)
}

/// Removes the memories of repos that this Hub cache has no more: it has those in `folders`.
///
/// # Errors
/// When the folder of memories cannot be read, or one cannot be removed.
pub fn sweep(base: &Path, hub: &Path, folders: &HashSet<OsString>) -> io::Result<()> {
    let memories = match Dir::open_itself(folder(base, hub)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        memories => memories?,
    };
    for (name, kind) in memories.list()? {
        let is_memory = kind == Kind::File && name.to_str().is_some_and(is_name);
        if is_memory && !folders.contains(&name) {
            remove(&memories, &name)?;
        }
    }
    Ok(())
}

/// Whether a memory may be called so: after the folder that it is of.
fn is_name(name: &str) -> bool {
    name == STORE || RepoName::of_folder(name).is_some()
}

fn remove(memories: &Dir, name: &OsStr) -> io::Result<()> {
    match memories.remove(name) {
        // Another run was faster.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// Digests by what the kernel says of their files. Whoever writes a file changes its stamp.
#[derive(Debug, Default)]
pub struct Verified {
    entries: BTreeMap<Key, Entry>,
    /// Whether there is more to save than what is forgotten.
    is_changed: bool,
}

/// What a digest is remembered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Key {
    device: u64,
    inode: u64,
    size: u64,
    modified: Time,
    changed: Time,
    is_git: bool,
}

/// A digest.
#[derive(Debug, Clone, Copy)]
struct Entry {
    digest: Digest,
    /// Whether this run met the file. What it did not meet is gone.
    is_met: bool,
}

impl Key {
    fn of(stamp: &Stamp, like: Digest) -> Self {
        let Stamp { device, inode, size, modified, changed, .. } = *stamp;
        Self { device, inode, size, modified, changed, is_git: matches!(like, Digest::Git(_)) }
    }
}

impl Verified {
    /// Reads the memory in `file`. One that is missing, damaged or of another format is empty:
    /// everything is then hashed again, which is slow and right.
    pub fn load(file: &Path) -> Self {
        let read = || Dir::open_itself(file.parent()?).ok()?.read(file.file_name()?, LARGEST).ok();
        Self {
            entries: read().and_then(|bytes| parse(&bytes)).unwrap_or_default(),
            is_changed: false,
        }
    }

    /// The digest of the file with this stamp, of the kind of `like`. It is kept for the next run,
    /// whether it is used in this one or not.
    pub fn recall(&mut self, stamp: &Stamp, like: Digest) -> Option<Digest> {
        let entry = self.entries.get_mut(&Key::of(stamp, like))?;
        entry.is_met = true;
        Some(entry.digest)
    }

    /// Remembers the digest of the file with this stamp. `now` is a time before hashing began.
    ///
    /// A file that was changed just before is not remembered. The kernel stamps files with a clock
    /// that stands still between its ticks, so that another write in the same tick, while or after
    /// the file was read, could leave the same stamp to other bytes.
    pub fn remember(&mut self, stamp: &Stamp, digest: Digest, now: SystemTime) {
        if is_settled(stamp.changed, now) {
            self.is_changed = true;
            self.entries.insert(Key::of(stamp, digest), Entry { digest, is_met: true });
        }
    }

    /// Writes what was recalled or remembered in this run to `file`, if that differs from what is
    /// there. Of two runs at once the later one wins, whole.
    ///
    /// # Errors
    /// When the folder cannot be made or written.
    pub fn save(&self, file: &Path) -> io::Result<()> {
        if !self.is_changed && self.entries.values().all(|entry| entry.is_met) {
            return Ok(());
        }
        let folder = file.parent().unwrap_or(Path::new("."));
        // Others need not know what is there, and must not say what is right.
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let memories = Dir::open_itself(folder)?;
        remove_leftovers(&memories, SystemTime::now())?;
        memories.write(file.file_name().unwrap_or_default(), &self.render()?)
    }

    /// What is worth keeping: pairs of a key and a digest, as JSON.
    fn render(&self) -> io::Result<Vec<u8>> {
        let met = self.entries.iter().filter(|(_, entry)| entry.is_met);
        let pairs: Vec<_> = met.map(|(key, entry)| (key, entry.digest.to_string())).collect();
        Ok(serde_json::to_vec(&pairs)?)
    }
}

/// Removes what runs that were killed had begun to write; of young ones the run may still be there.
fn remove_leftovers(memories: &Dir, now: SystemTime) -> io::Result<()> {
    for (name, kind) in memories.list()? {
        if kind != Kind::File || !name.as_bytes().starts_with(NEW.as_bytes()) {
            continue;
        }
        let modified = memories.look(&name).map(|stamp| stamp.modified.0);
        let modified = modified.ok().and_then(|seconds| u64::try_from(seconds).ok());
        let age = modified.and_then(|seconds| {
            now.duration_since(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)).ok()
        });
        if age.is_some_and(|age| age > YOUNG) {
            remove(memories, &name)?;
        }
    }
    Ok(())
}

/// Whether a file's last change is so long ago that a write to come gets another stamp. Clocks may
/// be set back, and that of a server may differ: what is of the future is not settled.
fn is_settled((seconds, nanoseconds): Time, now: SystemTime) -> bool {
    let tick = if nanoseconds == 0 { SLOW_TICK } else { TICK };
    let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let changed = Duration::new(u64::try_from(seconds).unwrap_or(0), nanoseconds);
    now.checked_sub(changed).is_some_and(|age| age > tick)
}

/// Reads a whole memory.
fn parse(bytes: &[u8]) -> Option<BTreeMap<Key, Entry>> {
    let pairs: Vec<(Key, String)> = serde_json::from_slice(bytes).ok()?;
    let entry = |(key, digest): (Key, String)| {
        let digest = Digest::of_name(digest.as_bytes())?;
        let is_sound = key.is_git == matches!(digest, Digest::Git(_));
        is_sound.then_some((key, Entry { digest, is_met: false }))
    };
    pairs.into_iter().map(entry).collect()
}

#[cfg(test)]
mod tests;
