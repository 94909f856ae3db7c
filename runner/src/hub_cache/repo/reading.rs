//! Reads the folders of a repo: blobs, refs, and the list of its snapshots.

use std::{
    collections::HashMap,
    ffi::{OsStr, OsString},
    io,
    path::{Path, PathBuf},
};

use contract::hub::LARGEST_REF;
use untrusted::Refused;

use super::{Blob, REFS, Ref, Trouble};
use crate::hub_cache::{
    dir::{DEEPEST, Dir, Kind, has_lost, too_deep, within},
    link::{self, BlobLink},
    names::is_of_system,
    reached::{Reached, is_gone},
};

pub(super) fn read_commits(dir: &Dir) -> io::Result<Vec<(OsString, Kind)>> {
    let mut list = dir.list()?;
    for (name, kind) in list.iter_mut().filter(|(_, kind)| *kind == Kind::Link) {
        // What is out of sight is reported where it is entered.
        match Reached::of(dir.look_through(name)) {
            Reached::There(stamp) if stamp.kind != Kind::Folder => {}
            Reached::Nothing => {}
            Reached::There(_) | Reached::OutOfSight(_) => *kind = Kind::Folder,
        }
    }
    Ok(list)
}

pub(super) fn read_blobs(dir: &Dir) -> io::Result<HashMap<OsString, Blob>> {
    let mut blobs = HashMap::new();
    dir.visit(|name, kind| {
        if !is_of_system(name)
            && let Some(blob) = read_blob(dir, name, kind)
        {
            blobs.insert(name.to_owned(), blob);
        }
    })?;
    Ok(blobs)
}

/// What the entry `name` is, which was of this `kind` a moment ago; none when it has gone. A client
/// puts a link in the place of a file, and a file in that of a link.
pub(super) fn read_blob(dir: &Dir, name: &OsStr, kind: Kind) -> Option<Blob> {
    let read = match kind {
        Kind::File => dir.look(name).and_then(|stamp| match stamp.kind {
            Kind::Link => read_link(dir, name),
            _ => Ok(Blob::Bytes(stamp)),
        }),
        Kind::Link => match read_link(dir, name) {
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                dir.look(name).map(Blob::Bytes)
            }
            read => read,
        },
        Kind::Folder | Kind::Fifo | Kind::Device | Kind::Other => Ok(Blob::Odd),
    };
    match read {
        Ok(blob) => Some(blob),
        Err(error) if is_gone(&error) => None,
        Err(error) => Some(Blob::Unseen(error)),
    }
}

fn read_link(dir: &Dir, name: &OsStr) -> io::Result<Blob> {
    let text = dir.link(name)?;
    let reached = Reached::of(dir.look_through(name));
    Ok(match link::blob(&text) {
        BlobLink::Store(payload) => Blob::Shared { payload, reached },
        BlobLink::Elsewhere => Blob::Astray { text, reached },
    })
}

pub(super) fn read_refs(repo: &Dir, refs: &mut Vec<Ref>, troubles: &mut Vec<Trouble>) {
    let mut ahead = vec![(PathBuf::from(REFS), 0)];
    while let Some((place, depth)) = ahead.pop() {
        let listed = if depth > DEEPEST {
            Some(Err(too_deep()))
        } else {
            within(repo, &place, || repo.dir(&place)?.list())
        };
        let list = match listed {
            Some(Ok(list)) => list,
            None => continue,
            Some(Err(error)) => {
                troubles.push(Trouble { path: place, error });
                continue;
            }
        };
        for (name, kind) in list {
            let path = place.join(&name);
            if is_of_system(&name) {
                continue;
            }
            if kind == Kind::Folder {
                ahead.push((path, depth + 1));
            } else if let Some(text) = read_ref(repo, &path, kind) {
                let below = path.strip_prefix(REFS).unwrap_or(&path);
                refs.push(Ref { name: below.to_string_lossy().into_owned(), path, text });
            }
        }
    }
    refs.sort_unstable_by(|one, other| one.path.cmp(&other.path));
}

/// The text of a ref; none when it has gone: its file is made under another name, and renamed.
fn read_ref(repo: &Dir, path: &Path, kind: Kind) -> Option<io::Result<String>> {
    if !matches!(kind, Kind::File | Kind::Link) {
        return Some(Err(Refused::NotAFile(kind).into()));
    }
    let text = match repo.read(path, LARGEST_REF) {
        Err(error) if has_lost(repo, path, &error) => return None,
        read => read,
    };
    Some(text.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}
