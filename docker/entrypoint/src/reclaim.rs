//! `reclaim`: makes entries of a folder their user's. Meant for a container that is root and may do
//! nothing else: it follows no symlink and never leaves the folder or its file system.

use std::{
    ffi::OsStr,
    fs::File,
    io::{self, Read, Write as _},
    os::unix::ffi::OsStrExt as _,
    path::Path,
};

use anyhow::{Context as _, ensure};
use contract::{
    exit::FAILED,
    reclaim::{Answer, Failed, Request, refusal},
};
use rustix::fs::{AtFlags, Gid, Mode, Uid, chmod, chownat};
use untrusted::{Dir, Found, Kind, Refused, Stamp, proc_path};

use crate::failure;

/// Reclaims what is asked for and prints the answer as one JSON object; the exit code.
pub(crate) fn run(request: &Request, list: impl Read) -> u8 {
    let print = |answer: Answer| {
        let text = serde_json::to_string(&answer)?;
        writeln!(io::stdout(), "{text}").context("printing the answer")?;
        Ok(if answer.failed.is_empty() { 0 } else { FAILED })
    };
    reclaim(request, list).and_then(print).unwrap_or_else(|error| failure::report(&error))
}

/// Nothing is done before all of the list is there.
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

/// Whether what could not be looked at is no longer there, or a mount.
fn is_elsewhere(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || Refused::of(error) == Some(Refused::OtherFileSystem)
}

/// Gives the entry to the user if it belongs to one of the owners that are asked for; whether it
/// did. The entry is opened once, so that what was checked is what is changed.
fn take(request: &Request, dir: &Dir, path: &Path) -> io::Result<bool> {
    let itself = File::from(dir.find(path)?);
    let entry = Stamp::of_file(&itself)?;
    if !request.owners.iter().any(|(first, last)| (*first..=*last).contains(&entry.uid)) {
        return Ok(false);
    }
    if let Some(why) = refusal(&entry) {
        return Err(io::Error::other(why));
    }
    // What is above the folder is the container's own.
    let above = path.parent().map(|above| dir.look(above)).transpose()?;
    let gid = group_handed_on(&entry, above.as_ref()).unwrap_or(request.gid);
    let (uid, gid) = (Uid::from_raw(request.uid), Gid::from_raw(gid));
    // Without a path this is the open entry: a symlink itself, not its target.
    chownat(&itself, "", Some(uid), Some(gid), AtFlags::EMPTY_PATH)?;
    if let Some(mode) = missing_mode(&entry).filter(|_| !request.listed) {
        // An entry that is open as itself has no other name by which its mode can be set.
        chmod(proc_path(&itself), Mode::from_raw_mode(mode))?;
    }
    Ok(true)
}

/// Groups that nobody shares a folder by: root's, and what a user namespace calls one that it does
/// not know.
const NOBODYS: [u32; 2] = [0, 65_534];

/// The group that an entry is shared by: the one that it hands on, or that the folder `above` it
/// hands on to what is made in it. Nobody gains another group's rights: without being in it, they
/// cannot make a folder that hands it on.
fn group_handed_on(entry: &Stamp, above: Option<&Stamp>) -> Option<u32> {
    let hands_on = |folder: &&Stamp| {
        folder.kind == Kind::Folder && folder.mode & 0o2000 != 0 && !NOBODYS.contains(&folder.gid)
    };
    Some(entry).filter(hands_on).or(above.filter(hands_on)).map(|folder| folder.gid)
}

/// The mode of a file or folder that its owner could not read or write with the one it has: root
/// never noticed.
fn missing_mode(entry: &Stamp) -> Option<u32> {
    // A new owner ends the set-id bits of a file.
    let (needed, kept) = match entry.kind {
        Kind::Folder => (0o700, entry.mode),
        Kind::File => (0o600, entry.mode & 0o1777),
        Kind::Link | Kind::Fifo | Kind::Device | Kind::Other => return None,
    };
    (kept & needed != needed).then_some(kept | needed)
}

#[cfg(test)]
mod tests;
