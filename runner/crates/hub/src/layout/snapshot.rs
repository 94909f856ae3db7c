//! One snapshot of a repo as it is on the disk, without a verdict.

use std::{
    ffi::{OsStr, OsString},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use contract::hub::SNAPSHOTS;
use untrusted::{Dir, Found, Kind, Refused, Stamp};

use crate::layout::{
    dir::{DEEPEST, ReadError, RootedPath, is_not_found, too_deep},
    link::{self, Pointer},
    link_target::LinkTarget,
    repo::Repo,
};

/// A folder in `snapshots`.
#[derive(Debug)]
pub struct Snapshot {
    /// Its name, a commit.
    pub commit: String,
    /// Its path below the repo.
    pub place: PathBuf,
    /// The name of the folder itself. It differs from the commit where that is a symlink.
    real: OsString,
    /// Its files.
    pub files: Vec<SnapshotFile>,
    /// The stamp of the folder itself, if it could be read.
    pub folder: Option<Stamp>,
    /// Files and folders that could not be read.
    pub errors: Vec<ReadError>,
}

/// A file of a snapshot.
#[derive(Debug)]
pub struct SnapshotFile {
    /// Its path below the snapshot.
    pub path: PathBuf,
    /// How many folders are between it and the snapshot.
    pub folders: usize,
    /// Its content.
    pub content: Content,
}

/// The content of a snapshot's file.
#[derive(Debug)]
pub enum Content {
    /// A symlink to a blob of the same repo.
    Blob {
        /// The blob's name.
        name: OsString,
        /// Whether the symlink is absolute.
        absolute: bool,
    },
    /// A symlink to any other path.
    Link {
        /// Its text.
        text: Vec<u8>,
        /// Its target.
        target: LinkTarget,
    },
    /// Not a symlink: a regular file, where a copy or file system has no symlinks, or a special file.
    Entry(Stamp),
}

impl Repo {
    /// The repo's snapshots, without those that were removed meanwhile.
    pub fn snapshots(&self) -> impl Iterator<Item = Snapshot> + '_ {
        let folders = self.commits.iter().filter(|(_, kind)| *kind == Kind::Folder);
        folders.filter_map(|(name, _)| self.snapshot(name))
    }

    /// Reads one snapshot. `None` when it was removed since `snapshots` was listed.
    pub fn snapshot(&self, name: &OsStr) -> Option<Snapshot> {
        let mut snapshot = Snapshot {
            commit: name.to_string_lossy().into_owned(),
            place: Path::new(SNAPSHOTS).join(name),
            real: name.to_owned(),
            files: vec![],
            folder: None,
            errors: vec![],
        };
        let snapshots = self.snapshots_dir.as_ref()?;
        let opened = match snapshots.dir(name) {
            Err(error) if Refused::of(&error) == Some(Refused::Symlink) => {
                self.real_name(snapshots, name).and_then(|real| {
                    snapshot.real = real;
                    snapshots.dir(&snapshot.real)
                })
            }
            opened => opened,
        };
        let read = opened.and_then(|dir| {
            snapshot.folder = dir.look("").ok();
            self.read_files(&dir, &mut snapshot)
        });
        match read {
            Ok(()) => {}
            Err(error) if is_not_found(&error) => return None,
            Err(error) => snapshot.errors.push(ReadError { path: snapshot.place.clone(), error }),
        }
        Some(snapshot)
    }

    /// The name of the snapshot that the symlink `name` points to. It is then opened by its own name.
    fn real_name(&self, snapshots: &Dir, name: &OsStr) -> io::Result<OsString> {
        let target = snapshots.look_through(name)?;
        let is_target = |name: &OsStr| {
            snapshots
                .look(name)
                .is_ok_and(|stamp| (stamp.device, stamp.inode) == (target.device, target.inode))
        };
        let real = self.commits.iter().find(|(name, _)| is_target(name));
        real.map(|(name, _)| name.clone()).ok_or_else(|| Refused::Symlink.into())
    }

    /// Reads the files below `top`.
    ///
    /// # Errors
    /// When `top` itself cannot be listed.
    fn read_files(&self, top: &Dir, snapshot: &mut Snapshot) -> io::Result<()> {
        let mut listed = Ok(());
        top.walk(DEEPEST + 1, |found| {
            let (path, content) = match found {
                Found::Closed { path, error } if path.as_os_str().is_empty() => {
                    listed = Err(error);
                    return false;
                }
                Found::Closed { path, error } => (path, Err(error)),
                Found::Entry { path, stamp } => match stamp.kind {
                    Kind::Folder if path.iter().count() <= DEEPEST => return true,
                    Kind::Folder => (path, Err(too_deep())),
                    Kind::Link => (path, self.link(top, path)),
                    _ => (path, Ok(Content::Entry(stamp))),
                },
            };
            match content {
                Ok(content) => {
                    let folders = path.iter().count() - 1;
                    snapshot.files.push(SnapshotFile { path: path.to_owned(), folders, content });
                }
                Err(error) if is_not_found(&error) => {}
                Err(error) => {
                    snapshot.errors.push(ReadError { path: snapshot.place.join(path), error });
                }
            }
            false
        });
        listed
    }

    /// Reads a symlink of a snapshot.
    fn link(&self, top: &Dir, path: &Path) -> io::Result<Content> {
        let text = top.link(path)?;
        Ok(match link::pointer(&text, path.iter().count() - 1, &self.path) {
            Pointer::Blob(name) => Content::Blob { name, absolute: false },
            Pointer::AbsoluteBlob(name) => Content::Blob { name, absolute: true },
            Pointer::Elsewhere => Content::Link { text, target: LinkTarget::of(top, path) },
        })
    }

    /// The target that a program finds when it opens a file of a snapshot.
    pub fn target(&self, file: &SnapshotFile) -> LinkTarget {
        match &file.content {
            Content::Blob { name, .. } => self.blob_target(name),
            Content::Link { target, .. } => *target,
            Content::Entry(stamp) => LinkTarget::Found(*stamp),
        }
    }

    /// The regular file behind a file of `snapshot`. `None` for a symlink that no client makes.
    pub fn file_at(&self, snapshot: &Snapshot, file: &SnapshotFile) -> Option<RootedPath> {
        match &file.content {
            Content::Blob { name, .. } => self.blob_at(name),
            Content::Entry(_) => Some(RootedPath {
                dir: Arc::clone(self.snapshots_dir.as_ref()?),
                below: Path::new(&snapshot.real).join(&file.path),
            }),
            Content::Link { .. } => None,
        }
    }
}
