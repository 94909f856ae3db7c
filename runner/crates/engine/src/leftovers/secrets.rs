//! Files with secrets and container ids that killed runs left behind.

use std::{ffi::OsStr, fs::TryLockError, io, path::Path};

use host::{
    environment::Environment,
    machine::isolation::Isolation,
    run_files::{
        container_id::{ALIVE, CONTAINER_ID},
        run_file,
        run_id::{PREFIX, runner_of},
    },
};
use rustix::process::getuid;
use untrusted::{Dir, Kind, Stamp};

use super::Runner;

/// Suffixes of the files with a run's secrets.
const SUFFIXES: [&str; 6] =
    ["token", "api-key", "https-proxy", "http-proxy", "all-proxy", "hf-endpoint"];

/// Removes the files that this user's killed runs left in the folders for secrets.
pub fn remove() {
    let uid = getuid().as_raw();
    let isolation = Isolation::read(dirs::home_dir().as_deref());
    let env = Environment::of_process();
    let mut folders = run_file::folders(run_file::named(|name| env.get(name).cloned()), &isolation);
    folders.sort();
    folders.dedup();
    for folder in folders.iter().filter(|folder| folder.is_absolute()) {
        // A folder that cannot be listed now is tried again by the next command.
        let _ = remove_from(folder, uid);
    }
}

fn remove_from(folder: &Path, uid: u32) -> io::Result<()> {
    let dir = Dir::open(folder)?;
    let mut found = vec![];
    dir.visit(|name, kind| {
        if kind == Kind::File && runner(name).is_some() {
            found.push(name.to_owned());
        }
    })?;
    for name in found {
        if is_left(&dir, &name, uid).is_ok_and(|is_left| is_left) {
            // Another command may have removed it just now.
            let _ = dir.remove(&name);
        }
    }
    Ok(())
}

/// The process id of the runner that a file is named after.
fn runner(name: &OsStr) -> Option<u32> {
    let rest = name.to_str()?.strip_prefix(PREFIX)?;
    SUFFIXES
        .iter()
        .chain([&CONTAINER_ID, &ALIVE])
        .find_map(|suffix| runner_of(rest.strip_suffix(suffix)?.strip_suffix('-')?))
}

/// Whether the user owns the file and its run is gone. A live run holds a lock on it.
fn is_left(dir: &Dir, name: &OsStr, uid: u32) -> io::Result<bool> {
    let file = dir.file(name)?;
    if Stamp::of_file(&file)?.uid != uid {
        return Ok(false);
    }
    // The engine's client creates the file with the container id, so the run locks another beside it.
    let alive = name.to_str().and_then(|name| name.strip_suffix(CONTAINER_ID));
    let locked = match alive.map(|stem| dir.file(format!("{stem}{ALIVE}"))) {
        None => file,
        Some(Ok(alive)) => alive,
        Some(Err(_)) => return Ok(is_gone(name)),
    };
    Ok(match locked.try_lock() {
        Ok(()) => true,
        Err(TryLockError::WouldBlock) => false,
        // The file system has no locks.
        Err(TryLockError::Error(_)) => is_gone(name),
    })
}

/// Whether the runner that the file is named after is gone.
fn is_gone(name: &OsStr) -> bool {
    runner(name).is_some_and(|pid| Runner::of(pid) == Runner::Gone)
}

#[cfg(test)]
mod tests {
    use std::{
        fs::{self, File},
        os::unix::fs::symlink,
    };

    use super::{getuid, remove_from};

    #[test]
    fn only_unlocked_files_of_runs_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let run = "aienergyscore-20260101T000000Z-4194305";
        for name in ["-token", "-api-key", "-other", "-token.bak"] {
            fs::write(at(&format!("{run}{name}")), "hf_x").unwrap();
        }
        fs::write(at("aienergyscore-notes-token"), "mine").unwrap();
        fs::write(at("token"), "mine").unwrap();
        symlink("token", at("aienergyscore-20260101T000000Z-1-token")).unwrap();
        fs::create_dir(at("aienergyscore-20260101T000000Z-2-token")).unwrap();
        let held = at("aienergyscore-20260101T000000Z-3-token");
        let held = File::create(held).unwrap();
        held.lock_shared().unwrap();

        let names = || {
            let entries = fs::read_dir(folder.path()).unwrap();
            let mut names: Vec<_> =
                entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names
        };
        let before = names();
        remove_from(folder.path(), getuid().as_raw() + 1).unwrap();
        assert_eq!(names(), before, "another user's");
        remove_from(folder.path(), getuid().as_raw()).unwrap();
        let removed: Vec<_> = before.iter().filter(|name| !names().contains(name)).collect();
        assert_eq!(removed, [&format!("{run}-api-key"), &format!("{run}-token")]);
        drop(held);
        remove_from(folder.path(), getuid().as_raw()).unwrap();
        assert_eq!(names().len(), before.len() - 3);
    }

    #[test]
    fn container_id_is_kept_while_its_run_holds_the_lock() {
        let folder = tempfile::tempdir().unwrap();
        let at = |kind: &str| {
            folder.path().join(format!("aienergyscore-20260101T000000Z-4194305-{kind}"))
        };
        fs::write(at("cid"), "").unwrap();
        let alive = File::create(at("alive")).unwrap();
        alive.lock_shared().unwrap();
        let uid = getuid().as_raw();
        remove_from(folder.path(), uid).unwrap();
        assert!(at("cid").exists() && at("alive").exists(), "no such process is in this namespace");
        drop(alive);
        remove_from(folder.path(), uid).unwrap();
        assert!(!at("cid").exists() && !at("alive").exists());
        fs::write(at("cid"), "").unwrap();
        remove_from(folder.path(), uid).unwrap();
        assert!(!at("cid").exists());
    }
}
