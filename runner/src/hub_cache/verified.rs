//! Digests that were found before, remembered in the user's cache folder: one file per repo.

use std::{
    collections::BTreeMap,
    fs::{self, DirBuilder},
    io::{self, Read as _, Write as _},
    os::unix::{ffi::OsStrExt as _, fs::DirBuilderExt as _},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use sha2::{Digest as _, Sha256};

use super::{
    dir::{Stamp, Time},
    hash::open,
    names::Digest,
};

/// What a memory begins with; the last byte is the version of its format.
const MAGIC: &[u8; 8] = b"AIESver\x01";
/// Bytes of the SHA-256 at its end.
const CHECK: usize = 32;
/// Bytes of a record: five numbers of eight bytes, two of four, the kind and the digest.
const RECORD: usize = 5 * 8 + 2 * 4 + 1 + 32;
/// Bytes of the largest memory that is read: ten million files.
const LARGEST: u64 = 1 << 30;

/// What begins the name of a memory that is being written.
const NEW: &str = ".new-";
/// Nobody writes a memory for so long.
const YOUNG: Duration = Duration::from_secs(3600);

/// Longer than the kernel takes to move the clock that it stamps files with.
const TICK: Duration = Duration::from_millis(100);
/// The same for a disk that stamps whole seconds, or every other one.
const SLOW_TICK: Duration = Duration::from_millis(2100);

/// Where the memory of the repo in `folder` is: below `base`, which is the user's cache folder,
/// apart for every Hub cache. `hub` is that cache's path, links followed.
pub(crate) fn file(base: &Path, hub: &Path, folder: &str) -> PathBuf {
    let hub: [u8; 32] = Sha256::digest(hub.as_os_str().as_bytes()).into();
    let hub: String = hub[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    base.join("aienergyscore/verified").join(hub).join(folder)
}

/// Digests by what the kernel says of their files. Whoever writes a file changes its stamp.
#[derive(Debug, Default)]
pub(crate) struct Verified {
    entries: BTreeMap<Key, Entry>,
    /// Whether there is more to save than what is forgotten.
    is_changed: bool,
}

/// What a digest is remembered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
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
    /// Reads the memory in `file`. One that is missing, damaged or of another version is empty:
    /// everything is then hashed again, which is slow and right.
    pub(crate) fn load(file: &Path) -> Self {
        let read = || -> io::Result<Vec<u8>> {
            let mut bytes = Vec::new();
            open(file)?.take(LARGEST).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        Self {
            entries: read().ok().and_then(|bytes| parse(&bytes)).unwrap_or_default(),
            is_changed: false,
        }
    }

    /// The digest of the file with this stamp, of the kind of `like`. It is kept for the next run,
    /// whether it is used in this one or not.
    pub(crate) fn recall(&mut self, stamp: &Stamp, like: Digest) -> Option<Digest> {
        let entry = self.entries.get_mut(&Key::of(stamp, like))?;
        entry.is_met = true;
        Some(entry.digest)
    }

    /// Remembers the digest of the file with this stamp. `now` is a time before hashing began.
    ///
    /// A file that was changed just before is not remembered. The kernel stamps files with a clock
    /// that stands still between its ticks, so that another write in the same tick, while or after
    /// the file was read, could leave the same stamp to other bytes.
    pub(crate) fn remember(&mut self, stamp: &Stamp, digest: Digest, now: SystemTime) {
        if is_settled(stamp.changed, now) {
            self.is_changed = true;
            self.entries.insert(Key::of(stamp, digest), Entry { digest, is_met: true });
        }
    }

    /// Writes what was recalled or remembered in this run to `file`, if that differs from what is
    /// there. Of two runs at once the later one wins, whole.
    ///
    /// Nothing waits for the disk: what a crash leaves of it fails its checksum and is ignored.
    ///
    /// # Errors
    /// When the folder cannot be made or written.
    pub(crate) fn save(&self, file: &Path) -> io::Result<()> {
        if !self.is_changed && self.entries.values().all(|entry| entry.is_met) {
            return Ok(());
        }
        let folder = file.parent().unwrap_or(Path::new("."));
        // Others need not know what is there, and must not say what is right.
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        remove_leftovers(folder, SystemTime::now())?;
        let mut new = tempfile::Builder::new().prefix(NEW).tempfile_in(folder)?;
        new.write_all(&self.render())?;
        new.persist(file)?;
        Ok(())
    }

    /// What is worth keeping, in bytes.
    fn render(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        for (key, entry) in self.entries.iter().filter(|(_, entry)| entry.is_met) {
            render_record(&mut bytes, key, entry.digest);
        }
        let check = Sha256::digest(&bytes);
        bytes.extend(check);
        bytes
    }
}

/// Removes what runs that were killed had begun to write; of young ones the run may still be there.
fn remove_leftovers(folder: &Path, now: SystemTime) -> io::Result<()> {
    for entry in folder.read_dir()? {
        let entry = entry?;
        if !entry.file_name().as_bytes().starts_with(NEW.as_bytes()) {
            continue;
        }
        let removed = entry.metadata().and_then(|data| {
            let age = now.duration_since(data.modified()?).unwrap_or_default();
            if age > YOUNG { fs::remove_file(entry.path()) } else { Ok(()) }
        });
        match removed {
            // Another run was faster.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            removed => removed?,
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

/// Appends a record.
fn render_record(bytes: &mut Vec<u8>, key: &Key, digest: Digest) {
    let Key { device, inode, size, modified, changed, is_git } = *key;
    for number in [device, inode, size] {
        bytes.extend(number.to_le_bytes());
    }
    for (seconds, nanoseconds) in [modified, changed] {
        bytes.extend(seconds.to_le_bytes());
        bytes.extend(nanoseconds.to_le_bytes());
    }
    bytes.push(is_git.into());
    let mut padded = [0; 32];
    match digest {
        Digest::Sha256(digest) => padded = digest,
        Digest::Git(digest) => padded[..20].copy_from_slice(&digest),
    }
    bytes.extend(padded);
}

/// Reads a whole memory.
fn parse(bytes: &[u8]) -> Option<BTreeMap<Key, Entry>> {
    let (content, check) = bytes.split_at_checked(bytes.len().checked_sub(CHECK)?)?;
    let records = content.strip_prefix(MAGIC)?;
    let is_sound = Sha256::digest(content)[..] == *check && records.len() % RECORD == 0;
    is_sound.then(|| records.chunks_exact(RECORD).map(parse_record).collect())?
}

/// Reads a record.
fn parse_record(mut rest: &[u8]) -> Option<(Key, Entry)> {
    let rest = &mut rest;
    let mut number = || Some(u64::from_le_bytes(take(rest)?));
    let (device, inode, size) = (number()?, number()?, number()?);
    let mut time = || Some((i64::from_le_bytes(take(rest)?), u32::from_le_bytes(take(rest)?)));
    let (modified, changed) = (time()?, time()?);
    let [kind] = take(rest)?;
    let digest = match kind {
        0 => Digest::Sha256(take(rest)?),
        1 => Digest::Git(take(rest)?),
        _ => return None,
    };
    let key = Key { device, inode, size, modified, changed, is_git: kind == 1 };
    Some((key, Entry { digest, is_met: false }))
}

/// The next `N` bytes.
fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (bytes, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(*bytes)
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::fs::{MetadataExt as _, PermissionsExt as _},
        path::{Path, PathBuf},
        time::{Duration, SystemTime},
    };

    use super::{RECORD, Verified, file, parse};
    use crate::hub_cache::{
        dir::{Kind, Stamp},
        names::Digest,
    };

    const SHA256: Digest = Digest::Sha256([7; 32]);
    const GIT: Digest = Digest::Git([9; 20]);

    fn stamp(inode: u64) -> Stamp {
        Stamp {
            kind: Kind::File,
            device: 1,
            inode,
            size: 3,
            accessed: (0, 0),
            modified: (-4, 5),
            changed: (1000, 5),
            mode: 0,
            uid: 0,
            gid: 0,
        }
    }

    /// That long after the last change of [`stamp`].
    fn after(ms: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::new(1000, 5) + Duration::from_millis(ms)
    }

    /// A memory of two files in a folder of its own.
    fn saved() -> (tempfile::TempDir, PathBuf) {
        let base = tempfile::tempdir().unwrap();
        let path = file(base.path(), Path::new("/hub"), "models--a--b");
        let mut memory = Verified::load(&path);
        memory.remember(&stamp(1), SHA256, after(5000));
        memory.remember(&stamp(2), GIT, after(5000));
        memory.save(&path).unwrap();
        (base, path)
    }

    #[test]
    fn what_is_remembered_is_recalled_by_the_next_run() {
        let (base, path) = saved();
        let hub = path.parent().unwrap();
        assert_eq!(
            path.strip_prefix(base.path()).unwrap().to_str().unwrap(),
            "aienergyscore/verified/2382ac746042bf1e/models--a--b"
        );
        assert_eq!(fs::metadata(hub).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(fs::read_dir(hub).unwrap().count(), 1);
        let mut memory = Verified::load(&path);
        assert_eq!(memory.recall(&stamp(1), Digest::Sha256([0; 32])), Some(SHA256));
        assert_eq!(memory.recall(&stamp(2), Digest::Git([0; 20])), Some(GIT));
        assert_eq!(memory.recall(&stamp(1), GIT), None);
        // Nothing new: the file stays as it is.
        let inode = || fs::metadata(&path).unwrap().ino();
        let before = inode();
        memory.save(&path).unwrap();
        assert_eq!(inode(), before);
    }

    #[test]
    fn another_stamp_is_another_file() {
        let (_base, path) = saved();
        let mut memory = Verified::load(&path);
        let one = stamp(1);
        for other in [
            Stamp { device: 2, ..one },
            Stamp { inode: 3, ..one },
            Stamp { size: 4, ..one },
            Stamp { modified: (-4, 6), ..one },
            Stamp { changed: (1001, 5), ..one },
        ] {
            assert_eq!(memory.recall(&other, SHA256), None, "{other:?}");
        }
        // Reading it, or giving it to somebody, does not change the bytes.
        assert_eq!(memory.recall(&Stamp { accessed: (9, 9), ..one }, SHA256), Some(SHA256));
    }

    #[test]
    fn what_was_not_met_is_forgotten() {
        let (_base, path) = saved();
        let mut memory = Verified::load(&path);
        memory.recall(&stamp(2), GIT).unwrap();
        memory.save(&path).unwrap();
        let mut memory = Verified::load(&path);
        assert_eq!(memory.recall(&stamp(1), SHA256), None);
        assert_eq!(memory.recall(&stamp(2), GIT), Some(GIT));
        assert_eq!(memory.entries.len(), 1);
    }

    #[test]
    fn what_a_killed_run_had_begun_is_removed_when_it_is_old() {
        let (_base, path) = saved();
        let folder = path.parent().unwrap();
        fs::write(folder.join(".new-abc"), "half").unwrap();
        let count = |now| {
            super::remove_leftovers(folder, now).unwrap();
            fs::read_dir(folder).unwrap().count()
        };
        let now = SystemTime::now();
        assert_eq!(count(now), 2);
        assert_eq!(count(now + Duration::from_secs(3700)), 1);
        assert!(path.exists());
    }

    #[test]
    fn a_file_that_was_just_changed_is_not_remembered() {
        let mut memory = Verified::default();
        let mut is_remembered = |stamp: Stamp, now| {
            memory.remember(&stamp, SHA256, now);
            memory.recall(&stamp, SHA256).is_some()
        };
        assert!(!is_remembered(stamp(1), after(0)));
        assert!(!is_remembered(stamp(1), after(100)));
        assert!(!is_remembered(stamp(1), SystemTime::UNIX_EPOCH));
        assert!(is_remembered(stamp(1), after(101)));
        let whole_seconds = Stamp { changed: (1000, 0), ..stamp(2) };
        assert!(!is_remembered(whole_seconds, after(2000)));
        assert!(is_remembered(whole_seconds, after(2200)));
    }

    #[test]
    fn a_damaged_memory_is_empty() {
        let (_base, path) = saved();
        let whole = fs::read(&path).unwrap();
        assert_eq!(parse(&whole).unwrap().len(), 2);
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            assert!(parse(&damaged).is_none(), "byte {at}");
            assert!(parse(&whole[..at]).is_none(), "cut at {at}");
        }
        let without_a_record = [&whole[..8], &whole[8 + RECORD..]].concat();
        assert!(parse(&without_a_record).is_none());
        fs::write(&path, b"").unwrap();
        assert!(Verified::load(&path).entries.is_empty());
        assert!(Verified::load(path.parent().unwrap()).entries.is_empty());
        assert!(Verified::load(&path.join("below")).entries.is_empty());
    }
}
