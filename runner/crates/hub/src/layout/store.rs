//! The store that repos of a cache share, `<cache>/blobs`, since huggingface_hub 1.32.

use std::{
    ffi::OsStr,
    io,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};

pub use contract::hub::STORE;
use untrusted::Refused;

use crate::layout::{
    dir::{Dir, Kind, Stamp, is_gone, is_refused},
    names::Digest,
};
/// The file that makes a folder the store.
pub(crate) const MARKER: &str = ".huggingface-shared-blobs";
/// What that file says.
const MARK: &[u8] = b"1\n";

/// The store of a cache, read as it is.
#[derive(Debug, Default)]
pub struct Store {
    /// Whole files, by their Xet hash.
    pub payloads: Vec<Payload>,
    /// Everything else that is not the store's own, below the store's folder.
    pub others: Vec<(PathBuf, Stamp)>,
    /// What could not be read.
    pub troubles: Vec<(PathBuf, io::Error)>,
}

/// A file of the store.
#[derive(Debug)]
pub struct Payload {
    /// Its path below the cache. Its name is the Xet hash, which is no SHA-256.
    pub path: PathBuf,
    /// What it is.
    pub stamp: Stamp,
}

impl Store {
    /// Reads the store of the cache `hub`; none when the folder is not marked as one. A closed
    /// folder, or one with a closed mark, is taken for the store: nobody else makes such a folder.
    pub fn read(hub: &Dir) -> Option<Self> {
        let mut store = Self::default();
        let dir = match open(hub) {
            Ok(dir) => dir,
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                store.troubles.push((PathBuf::new(), error));
                return Some(store);
            }
            Err(_) => return None,
        };
        match is_marked(&dir) {
            Ok(true) => {}
            Ok(false) => return None,
            Err(error) => store.troubles.push((MARKER.into(), error)),
        }
        match dir.list() {
            Err(error) => store.troubles.push((PathBuf::new(), error)),
            Ok(list) => {
                for (name, kind) in list {
                    if name.len() == 2 && kind == Kind::Folder {
                        store.read_shard(&dir, Path::new(&name));
                    } else if name != MARKER {
                        store.read_entry(&dir, name.into());
                    }
                }
            }
        }
        Some(store)
    }

    /// Bytes of all payloads.
    pub fn bytes(&self) -> u64 {
        self.payloads.iter().map(|payload| payload.stamp.size).sum()
    }

    fn read_shard(&mut self, store: &Dir, shard: &Path) {
        match store.dir(shard).and_then(|dir| dir.list()) {
            Ok(list) => {
                list.into_iter().for_each(|(name, _)| self.read_entry(store, shard.join(name)));
            }
            Err(error) if is_gone(&error) => {}
            Err(error) => self.troubles.push((shard.to_owned(), error)),
        }
    }

    /// Reads the entry at `path`, below the store: a payload, its lock, its list of users, or
    /// another file.
    fn read_entry(&mut self, store: &Dir, path: PathBuf) {
        let is_of_payload = is_payload(&path.with_extension(""));
        if is_of_payload && path.extension().is_some_and(|end| end == "lock" || end == "refs") {
            return;
        }
        match store.look(&path) {
            Ok(stamp) if stamp.kind == Kind::File && is_payload(&path) => {
                self.payloads.push(Payload { path: Path::new(STORE).join(path), stamp });
            }
            Ok(stamp) => self.others.push((path, stamp)),
            Err(error) if is_gone(&error) => {}
            Err(error) => self.troubles.push((path, error)),
        }
    }
}

/// Whether the store keeps a payload at `path`: 64 hex digits, in a folder of the first two.
fn is_payload(path: &Path) -> bool {
    let names: Vec<_> = path.iter().map(OsStr::as_bytes).collect();
    matches!(names.as_slice(), [shard, name]
        if name.starts_with(shard) && matches!(Digest::of_name(name), Some(Digest::Sha256(_))))
}

/// Whether the cache `hub` has a store.
pub fn has_store(hub: &Dir) -> bool {
    open(hub).and_then(|dir| is_marked(&dir)).is_ok_and(|is_marked| is_marked)
}

/// Opens the store's folder; behind a symlink only one that is marked, as no other folder is.
fn open(hub: &Dir) -> io::Result<Dir> {
    match hub.dir(STORE) {
        Err(error) if Refused::of(&error) == Some(Refused::Symlink) => hub
            .through(STORE)
            .ok()
            .filter(|dir| is_marked(dir).is_ok_and(|is_marked| is_marked))
            .ok_or(error),
        opened => opened,
    }
}

/// Whether a folder is the store: the client trusts the marker alone.
///
/// # Errors
/// When nobody knows: the marker is closed to this user.
fn is_marked(dir: &Dir) -> io::Result<bool> {
    let marker = dir.look(MARKER).and_then(|stamp| match stamp.kind {
        Kind::File => dir.read(MARKER, MARK.len() as u64).map(Some),
        _ => Ok(None),
    });
    match marker {
        Ok(text) => Ok(text.is_some_and(|text| text == MARK)),
        Err(error) if is_gone(&error) || is_refused(&error) => Ok(false),
        Err(error) => Err(error),
    }
}
