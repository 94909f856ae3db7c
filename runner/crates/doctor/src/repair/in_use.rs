//! Whether an entry is in use: by its lock, an open file, a recent change, or a blob downloaded since.

use std::{
    ffi::OsStr,
    fs::{self, TryLockError},
    io,
    os::unix::{ffi::OsStrExt as _, fs::MetadataExt as _},
    path::Path,
    time::{Duration, SystemTime},
};

use hub::layout::{
    BLOBS, SNAPSHOTS, age,
    link::{self, Pointer},
};
use untrusted::Dir;

use super::entry::Entry;

/// A lock, held until dropped. Empty if there is no lock file.
#[derive(Debug)]
pub(super) struct HeldLock(
    #[expect(dead_code, reason = "dropping it releases the lock")] Option<fs::File>,
);

/// Locks the file at `path`, so that no download can begin.
///
/// # Errors
/// The reason, as text for the user, when it cannot be locked.
pub(super) fn lock(root: &Path, path: &Path) -> Result<HeldLock, String> {
    let entry = match Entry::find(root, path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(HeldLock(None)),
        entry => entry.map_err(|error| format!("its lock cannot be looked at: {error}"))?,
    };
    let file = match entry.open_to_lock() {
        // Clients since 0.19 create the lock before the file, so without a lock no download is running.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(HeldLock(None)),
        file => file.map_err(|error| format!("its lock cannot be opened: {error}"))?,
    };
    match file.try_lock() {
        Ok(()) => Ok(HeldLock(Some(file))),
        Err(TryLockError::WouldBlock) => Err("its lock is held: a download is at work".to_owned()),
        Err(TryLockError::Error(error)) => Err(format!("its lock cannot be asked: {error}")),
    }
}

/// The reason if the file may be in use: it is open, or was changed less than `idle` ago.
///
/// # Errors
/// When its metadata cannot be read.
pub(super) fn in_use(entry: &Entry, idle: Duration, now: SystemTime) -> io::Result<Option<String>> {
    let stamp = entry.look()?;
    if age(&stamp, now) < idle {
        let hours = idle.as_secs() / 3600;
        return Ok(Some(format!("it was changed less than {hours} hour(s) ago")));
    }
    Ok(opener(stamp.device, stamp.inode).map(|process| format!("process {process} has it open")))
}

/// Whether `text` at `path` in a snapshot points to an existing blob of its repo.
///
/// # Errors
/// When the blob's metadata cannot be read.
pub(super) fn points_to_blob(root: &Path, path: &Path, text: &OsStr) -> io::Result<bool> {
    let names: Vec<_> = path.iter().collect();
    let [repo, snapshots, _commit, folders @ .., _file] = names.as_slice() else {
        return Ok(false);
    };
    if *snapshots != SNAPSHOTS {
        return Ok(false);
    }
    let pointer = link::pointer(text.as_bytes(), folders.len(), &root.join(repo));
    let Pointer::Blob(blob) = pointer else { return Ok(false) };
    match Dir::open(root)?.look(Path::new(repo).join(BLOBS).join(blob)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        looked => looked.map(|_| true),
    }
}

/// A process that has the file open, among those this user may inspect.
fn opener(device: u64, inode: u64) -> Option<String> {
    let processes = fs::read_dir("/proc").ok()?.flatten();
    processes.map(|process| process.path()).find_map(|process| {
        let name = process.file_name()?.to_str()?.to_owned();
        // This process may have it open to hold its lock.
        let is_other = name.parse().is_ok_and(|process: u32| process != std::process::id());
        is_other.then_some(())?;
        let mut files = fs::read_dir(process.join("fd")).ok()?.flatten();
        let has_it = files.any(|file| {
            fs::metadata(file.path()).is_ok_and(|data| data.dev() == device && data.ino() == inode)
        });
        has_it.then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use std::{
        fs::{self, File},
        path::Path,
        process::Command,
        time::{Duration, SystemTime},
    };

    use super::{Entry, in_use, lock};
    use crate::finding::{DAY, HOUR};

    #[test]
    fn locked_open_or_recently_changed_file_is_in_use() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::write(root.join("x.lock"), "").unwrap();
        let held = File::open(root.join("x.lock")).unwrap();
        held.lock().unwrap();
        assert!(lock(root, Path::new("x.lock")).unwrap_err().contains("is held"));
        drop(held);
        assert!(lock(root, Path::new("x.lock")).is_ok());
        assert!(lock(root, Path::new("none.lock")).is_ok());
        assert!(lock(root, Path::new("none/x.lock")).is_ok());

        fs::write(root.join("f"), "").unwrap();
        let entry = Entry::find(root, Path::new("f")).unwrap();
        let now = SystemTime::now();
        let used = |idle, now| in_use(&entry, idle, now).unwrap();
        assert!(used(HOUR, now).unwrap().contains("less than 1 hour(s) ago"));
        assert_eq!(used(HOUR, now + Duration::from_secs(3601)), None);
        assert!(used(DAY, now + Duration::from_secs(3601)).unwrap().contains("24 hour"));
        assert!(used(HOUR, now - Duration::from_secs(60)).is_some(), "a clock is behind");
        assert_eq!(used(HOUR, now - Duration::from_secs(4000)), None);
        assert_eq!(used(Duration::ZERO, now), None);
        let open = File::open(root.join("f")).unwrap();
        let mut reader = Command::new("sleep").arg("60").stdin(open).spawn().unwrap();
        let answer = used(Duration::ZERO, now);
        reader.kill().unwrap();
        reader.wait().unwrap();
        assert_eq!(answer.unwrap(), format!("process {} has it open", reader.id()));
    }
}
