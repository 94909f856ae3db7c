//! Files with secrets and with containers' ids that runs left when all their processes were killed at
//! once.

use std::{
    ffi::OsStr,
    fs::TryLockError,
    io,
    path::{Path, PathBuf},
};

use rustix::process::getuid;
use untrusted::{Dir, Kind, Stamp};

use super::Process;
use crate::{
    container_id::CONTAINER_ID,
    run_id::{PREFIX, runner_of},
};

/// What follows a run's id in the names of its secrets' files.
const KINDS: [&str; 6] =
    ["token", "api-key", "https-proxy", "http-proxy", "all-proxy", "hf-endpoint"];

/// Removes what dead runs of this user left in the folders that runs put secrets into.
pub fn remove() {
    let named = ["XDG_RUNTIME_DIR", "TMPDIR"].into_iter().filter_map(std::env::var_os);
    let uid = getuid().as_raw();
    let usual = ["/tmp".into(), format!("/run/user/{uid}").into()];
    let mut folders: Vec<_> = named.map(PathBuf::from).chain(usual).collect();
    folders.sort();
    folders.dedup();
    for folder in folders.iter().filter(|folder| folder.is_absolute()) {
        // What cannot be listed now is listed by the next command.
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

/// The process id of the run that a file of this name is of.
fn runner(name: &OsStr) -> Option<u32> {
    let rest = name.to_str()?.strip_prefix(PREFIX)?;
    KINDS
        .iter()
        .chain([&CONTAINER_ID])
        .find_map(|kind| runner_of(rest.strip_suffix(kind)?.strip_suffix('-')?))
}

/// Whether the file is the user's and of a run that is gone: one that lives has it locked.
fn is_left(dir: &Dir, name: &OsStr, uid: u32) -> io::Result<bool> {
    let file = dir.file(name)?;
    if Stamp::of_file(&file)?.uid != uid {
        return Ok(false);
    }
    // The engine's client writes that of a container's id: nobody locks it.
    if name.as_encoded_bytes().ends_with(CONTAINER_ID.as_bytes()) {
        return Ok(is_gone(name));
    }
    Ok(match file.try_lock() {
        Ok(()) => true,
        Err(TryLockError::WouldBlock) => false,
        // A file system without locks.
        Err(TryLockError::Error(_)) => is_gone(name),
    })
}

fn is_gone(name: &OsStr) -> bool {
    runner(name).is_some_and(|pid| Process::of(pid) == Process::None)
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
}
