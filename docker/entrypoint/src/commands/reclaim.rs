//! `reclaim`: changes the owner of a folder's entries to the user. It runs as root in a container
//! of its own, follows no symlink, and stays in the folder and on its file system.

use std::{
    ffi::OsStr,
    fs::File,
    io::{self, Read, Write as _},
    os::unix::ffi::OsStrExt as _,
    path::Path,
};

use anyhow::{Context as _, ensure};
use contract::reclaim::{Answer, Failed, Request, refusal};
use rustix::fs::{AtFlags, Gid, Mode, Uid, chmod, chownat};
use untrusted::{Dir, Found, Kind, Refused, Stamp, proc_path};

use crate::exit::FAILED;

/// Changes owners as requested, prints the answer as one JSON object and returns the exit code.
pub(super) fn run(request: &Request, list: impl Read) -> anyhow::Result<u8> {
    let answer = reclaim(request, list)?;
    let text = serde_json::to_string(&answer)?;
    writeln!(io::stdout(), "{text}").context("printing the answer")?;
    Ok(if answer.failed.is_empty() { 0 } else { FAILED })
}

/// Changes owners as requested. `list` is read to its end first, so a truncated one changes
/// nothing.
fn reclaim(request: &Request, mut list: impl Read) -> anyhow::Result<Answer> {
    let mut bytes = Vec::new();
    if request.listed {
        list.read_to_end(&mut bytes).context("reading the list on standard input")?;
        let is_whole = bytes.last().is_none_or(|last| *last == 0);
        ensure!(is_whole, "the list on standard input breaks off inside of an entry");
    }
    let folder = &request.folder;
    let dir = Dir::open_itself(folder).and_then(Dir::on_one_file_system);
    let dir = dir.with_context(|| format!("opening the folder `{folder}`"))?;
    let (found, expected) = (dir.look("").context("looking at the folder")?.inode, request.inode);
    ensure!(
        found == expected,
        "`{folder}` is another folder than the one that was meant (inode {found}, not {expected}), \
         so nothing was touched; does the engine run on another machine?"
    );
    let mut answer = Answer::default();
    let mut note = |path: &Path, taken: io::Result<bool>| match taken {
        Ok(taken) => answer.reclaimed += usize::from(taken),
        Err(error) => answer
            .failed
            .push(Failed { path: path.to_string_lossy().into_owned(), error: error.to_string() }),
    };
    if request.listed {
        for path in bytes.split_inclusive(|byte| *byte == 0) {
            let path = Path::new(OsStr::from_bytes(&path[..path.len() - 1]));
            note(path, take(request, &dir, path));
        }
        return Ok(answer);
    }
    note(Path::new(""), take(request, &dir, Path::new("")));
    dir.walk(usize::MAX, |found| {
        match found {
            Found::Entry { path, .. } => note(path, take(request, &dir, path)),
            Found::Closed { path, error } if !is_elsewhere(&error) => note(path, Err(error)),
            Found::Closed { .. } => {}
        }
        true
    });
    Ok(answer)
}

/// Whether an entry was deleted meanwhile, or lies on another file system.
fn is_elsewhere(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || Refused::of(error) == Some(Refused::OtherFileSystem)
}

/// Gives the entry to the user if it has one of the requested owners, and returns whether it had.
/// The entry is opened once, so that the checked entry is the changed one.
fn take(request: &Request, dir: &Dir, path: &Path) -> io::Result<bool> {
    let itself = File::from(dir.find(path)?);
    let entry = Stamp::of_file(&itself)?;
    if !request.owners.iter().any(|(first, last)| (*first..=*last).contains(&entry.uid)) {
        return Ok(false);
    }
    if let Some(why) = refusal(&entry) {
        return Err(io::Error::other(why));
    }
    // The folder itself has no parent here: that one belongs to the container.
    let parent = path.parent().map(|parent| dir.look(parent)).transpose()?;
    let gid = shared_group(&entry, parent.as_ref()).unwrap_or(request.gid);
    let (uid, gid) = (Uid::from_raw(request.uid), Gid::from_raw(gid));
    // The empty path means the open entry itself, also if it is a symlink.
    chownat(&itself, "", Some(uid), Some(gid), AtFlags::EMPTY_PATH)?;
    if let Some(mode) = missing_mode(&entry).filter(|_| !request.listed) {
        // An O_PATH file descriptor has no `fchmod`; its name below /proc does.
        chmod(proc_path(&itself), Mode::from_raw_mode(mode))?;
    }
    Ok(true)
}

/// Groups that no folder is shared by: root's, and the one that stands for unmapped groups in a
/// user namespace.
const UNSHARED: [u32; 2] = [0, 65_534];

/// The group to keep because a folder is shared by it: that of the entry or of its `parent`,
/// whichever has the set-group-ID bit. This gains nobody a group: only its members can set that
/// bit.
fn shared_group(entry: &Stamp, parent: Option<&Stamp>) -> Option<u32> {
    let is_shared = |folder: &&Stamp| {
        folder.kind == Kind::Folder && folder.mode & 0o2000 != 0 && !UNSHARED.contains(&folder.gid)
    };
    Some(entry).filter(is_shared).or(parent.filter(is_shared)).map(|folder| folder.gid)
}

/// The new mode of a file or folder whose owner cannot read or write it. Root could, so the bits
/// may be missing.
fn missing_mode(entry: &Stamp) -> Option<u32> {
    // The kernel clears set-user-ID and set-group-ID of a file at a change of owner.
    let (needed, kept) = match entry.kind {
        Kind::Folder => (0o700, entry.mode),
        Kind::File => (0o600, entry.mode & 0o1777),
        Kind::Link | Kind::Fifo | Kind::Device | Kind::Other => return None,
    };
    (kept & needed != needed).then_some(kept | needed)
}

#[cfg(test)]
mod tests;
