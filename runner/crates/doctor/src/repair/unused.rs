//! Whether anybody uses a file: a lock that is held, a process that has it open, a fresh change, a
//! link whose blob has come since.

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

use super::place::Place;

/// A lock that is held as long as this value lives; none when there is no lock file.
#[derive(Debug)]
pub(super) struct Held(
    #[expect(dead_code, reason = "dropping it releases the lock")] Option<fs::File>,
);

/// Takes the lock file at `lock`, so that no download can begin meanwhile.
///
/// # Errors
/// Why it may be in use: somebody holds it, or it cannot be asked.
pub(super) fn take(root: &Path, lock: &Path) -> Result<Held, String> {
    let place = match Place::find(root, lock) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Held(None)),
        place => place.map_err(|error| format!("its lock cannot be looked at: {error}"))?,
    };
    let file = match place.open_to_lock() {
        // Every client since 0.19 makes the lock before the file.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Held(None)),
        file => file.map_err(|error| format!("its lock cannot be opened: {error}"))?,
    };
    match file.try_lock() {
        Ok(()) => Ok(Held(Some(file))),
        Err(TryLockError::WouldBlock) => Err("its lock is held: a download is at work".to_owned()),
        Err(TryLockError::Error(error)) => Err(format!("its lock cannot be asked: {error}")),
    }
}

/// Why the file at `place` may be in use, if so: it is open, or was changed less than `idle` ago.
///
/// # Errors
/// When it cannot be looked at.
pub(super) fn in_use(place: &Place, idle: Duration, now: SystemTime) -> io::Result<Option<String>> {
    let stamp = place.look()?;
    if age(&stamp, now) < idle {
        let hours = idle.as_secs() / 3600;
        return Ok(Some(format!("it was changed less than {hours} hour(s) ago")));
    }
    Ok(opener(stamp.device, stamp.inode).map(|process| format!("process {process} has it open")))
}

/// Whether the link at `path`, of a snapshot, leads to a blob of its repo that is there.
///
/// # Errors
/// When that cannot be looked at.
pub(super) fn has_its_blob(root: &Path, path: &Path, text: &OsStr) -> io::Result<bool> {
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

/// A process that has the file open, among those that this user may look at.
fn opener(device: u64, inode: u64) -> Option<String> {
    let processes = fs::read_dir("/proc").ok()?.flatten();
    processes.map(|process| process.path()).find_map(|process| {
        let name = process.file_name()?.to_str()?.to_owned();
        // We ourselves have it open, if at all, to hold its lock.
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

    use super::{Place, in_use, take};
    use crate::finding::{A_DAY, AN_HOUR};

    #[test]
    fn a_held_lock_an_open_file_and_a_fresh_one_speak_against_removal() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::write(root.join("x.lock"), "").unwrap();
        let held = File::open(root.join("x.lock")).unwrap();
        held.lock().unwrap();
        assert!(take(root, Path::new("x.lock")).unwrap_err().contains("is held"));
        drop(held);
        assert!(take(root, Path::new("x.lock")).is_ok());
        assert!(take(root, Path::new("none.lock")).is_ok());
        assert!(take(root, Path::new("none/x.lock")).is_ok());

        fs::write(root.join("f"), "").unwrap();
        let place = Place::find(root, Path::new("f")).unwrap();
        let now = SystemTime::now();
        let used = |idle, now| in_use(&place, idle, now).unwrap();
        assert!(used(AN_HOUR, now).unwrap().contains("less than 1 hour(s) ago"));
        assert_eq!(used(AN_HOUR, now + Duration::from_secs(3601)), None);
        assert!(used(A_DAY, now + Duration::from_secs(3601)).unwrap().contains("24 hour"));
        assert!(used(AN_HOUR, now - Duration::from_secs(60)).is_some(), "a clock is behind");
        assert_eq!(used(AN_HOUR, now - Duration::from_secs(4000)), None);
        assert_eq!(used(Duration::ZERO, now), None);
        let open = File::open(root.join("f")).unwrap();
        let mut reader = Command::new("sleep").arg("60").stdin(open).spawn().unwrap();
        let answer = used(Duration::ZERO, now);
        reader.kill().unwrap();
        reader.wait().unwrap();
        assert_eq!(answer.unwrap(), format!("process {} has it open", reader.id()));
    }
}
