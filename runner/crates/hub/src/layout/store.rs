//! The store `<cache>/blobs`, which the repos of a cache share since huggingface_hub 1.32.

use std::{
    ffi::OsStr,
    io,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};

use contract::hub::STORE;
use untrusted::{Dir, Kind, Refused, Stamp};

use crate::layout::{
    dir::{is_not_found, is_refused},
    names::Digest,
};

/// The file that marks a folder as the store.
pub(crate) const MARKER: &str = ".huggingface-shared-blobs";
/// The content of the marker.
const MARKER_TEXT: &[u8] = b"1\n";

/// The store of a cache, as read from the disk.
#[derive(Debug, Default)]
pub struct Store {
    /// Complete files, named by their Xet hash.
    pub payloads: Vec<Payload>,
    /// Files that do not belong to the store, by their path below it.
    pub others: Vec<(PathBuf, Stamp)>,
    /// Files and folders that could not be read.
    pub errors: Vec<(PathBuf, io::Error)>,
}

/// A file of the store.
#[derive(Debug)]
pub struct Payload {
    /// Its path below the cache. Its name is the Xet hash, which is not a SHA-256 digest.
    pub path: PathBuf,
    /// Its stamp.
    pub stamp: Stamp,
}

impl Store {
    /// Reads the store of the cache `hub`. `None` when the folder has no marker. An unreadable folder or marker
    /// counts as a store, because nothing else makes such a folder.
    pub(crate) fn read(hub: &Dir) -> Option<Self> {
        let mut store = Self::default();
        let dir = match open(hub) {
            Ok(dir) => dir,
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                store.errors.push((PathBuf::new(), error));
                return Some(store);
            }
            Err(_) => return None,
        };
        match is_marked(&dir) {
            Ok(true) => {}
            Ok(false) => return None,
            Err(error) => store.errors.push((MARKER.into(), error)),
        }
        match dir.list() {
            Err(error) => store.errors.push((PathBuf::new(), error)),
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

    /// The total size of all payloads.
    pub(crate) fn bytes(&self) -> u64 {
        self.payloads.iter().map(|payload| payload.stamp.size).sum()
    }

    fn read_shard(&mut self, store: &Dir, shard: &Path) {
        match store.dir(shard).and_then(|dir| dir.list()) {
            Ok(list) => {
                list.into_iter().for_each(|(name, _)| self.read_entry(store, shard.join(name)));
            }
            Err(error) if is_not_found(&error) => {}
            Err(error) => self.errors.push((shard.to_owned(), error)),
        }
    }

    /// Reads the entry at `path`, below the store: a payload, its lock, its reference list, or another file.
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
            Err(error) if is_not_found(&error) => {}
            Err(error) => self.errors.push((path, error)),
        }
    }
}

/// Whether `path` is that of a payload: 64 hexadecimal digits, in a folder named by the first two.
fn is_payload(path: &Path) -> bool {
    let names: Vec<_> = path.iter().map(OsStr::as_bytes).collect();
    matches!(names.as_slice(), [shard, name]
        if name.starts_with(shard) && matches!(Digest::of_name(name), Some(Digest::Sha256(_))))
}

/// Whether the cache `hub` has a store.
pub fn has_store(hub: &Dir) -> bool {
    open(hub).and_then(|dir| is_marked(&dir)).is_ok_and(|is_marked| is_marked)
}

/// Opens the store's folder. A symlink is followed only to a folder with the marker.
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

/// Whether a folder has the marker, which is all that the client checks.
///
/// # Errors
/// When the marker cannot be read.
fn is_marked(dir: &Dir) -> io::Result<bool> {
    let marker = dir.look(MARKER).and_then(|stamp| match stamp.kind {
        Kind::File => dir.read(MARKER, MARKER_TEXT.len() as u64).map(Some),
        _ => Ok(None),
    });
    match marker {
        Ok(text) => Ok(text.is_some_and(|text| text == MARKER_TEXT)),
        Err(error) if is_not_found(&error) || is_refused(&error) => Ok(false),
        Err(error) => Err(error),
    }
}
