//! One snapshot of a repo, read from the disk as it is: facts, no judgement.

use std::{
    ffi::{OsStr, OsString},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use untrusted::Refused;

use super::{
    dir::{DEEPEST, Dir, Kind, Stamp, too_deep},
    link::{self, Pointer},
    reached::{Reached, is_gone},
    repo::{At, Repo, SNAPSHOTS, Trouble},
};

/// A folder in `snapshots/`.
#[derive(Debug)]
pub(crate) struct Snapshot {
    /// Its name, a commit.
    pub(crate) commit: String,
    /// Where it lies, below the repo.
    pub(crate) place: PathBuf,
    /// The name of the folder itself, which is another's where this one is a link.
    real: OsString,
    /// Its files.
    pub(crate) files: Vec<SnapshotFile>,
    /// The folder itself, if it could be looked at.
    pub(crate) folder: Option<Stamp>,
    /// What could not be read.
    pub(crate) troubles: Vec<Trouble>,
}

/// A file of a snapshot.
#[derive(Debug)]
pub(crate) struct SnapshotFile {
    /// Its path below the snapshot.
    pub(crate) path: PathBuf,
    /// How many folders it lies below the snapshot.
    pub(crate) folders: usize,
    /// What it is.
    pub(crate) content: Content,
}

/// What a file of a snapshot is.
#[derive(Debug)]
pub(crate) enum Content {
    /// A link to a blob of the same repo.
    Blob {
        /// The blob's name.
        name: OsString,
        /// Whether the link's text is absolute.
        absolute: bool,
    },
    /// A link to anywhere else.
    Astray {
        /// Its text.
        text: Vec<u8>,
        /// What is there, if anything is.
        reached: Reached,
    },
    /// The bytes themselves: a file system without links, or links that were followed by a copy.
    Copy(Stamp),
    /// Something stranger.
    Odd,
}

/// What a folder of a snapshot holds besides files.
#[derive(Debug, Default)]
struct Inner {
    folders: Vec<OsString>,
    /// Why not all of it was seen.
    error: Option<io::Error>,
}

impl Repo {
    /// Reads one snapshot; none when it has gone since `snapshots/` was listed.
    pub(crate) fn snapshot(&self, name: &OsStr) -> Option<Snapshot> {
        let mut snapshot = Snapshot {
            commit: name.to_string_lossy().into_owned(),
            place: Path::new(SNAPSHOTS).join(name),
            real: name.to_owned(),
            files: vec![],
            folder: None,
            troubles: vec![],
        };
        let Some(snapshots) = &self.snapshots_dir else { return None };
        let opened = match snapshots.dir(name) {
            Err(error) if Refused::of(&error) == Some(Refused::Symlink) => {
                self.behind(snapshots, name).and_then(|real| {
                    snapshot.real = real;
                    snapshots.dir(&snapshot.real)
                })
            }
            opened => opened,
        };
        match opened {
            Ok(dir) => {
                snapshot.folder = dir.look("").ok();
                self.read_files(&dir, &mut snapshot)?;
            }
            Err(error) if is_gone(&error) => return None,
            Err(error) => {
                snapshot.troubles.push(Trouble { path: snapshot.place.clone(), error });
            }
        }
        Some(snapshot)
    }

    /// The snapshot of this repo that the link `name` leads to: it is then opened by its own name.
    fn behind(&self, snapshots: &Dir, name: &OsStr) -> io::Result<OsString> {
        let there = snapshots.look_through(name)?;
        let is_there = |name: &OsStr| {
            snapshots
                .look(name)
                .is_ok_and(|stamp| (stamp.device, stamp.inode) == (there.device, there.inode))
        };
        let real = self.commits.iter().find(|(name, _)| is_there(name));
        real.map(|(name, _)| name.clone()).ok_or_else(|| Refused::Symlink.into())
    }

    /// Where the bytes of a file of `snapshot` are, by names alone; none when it has none.
    pub(crate) fn file_at(&self, snapshot: &Snapshot, file: &SnapshotFile) -> Option<At> {
        match &file.content {
            Content::Blob { name, .. } => self.blob_at(name),
            Content::Copy(_) => Some(At {
                dir: Arc::clone(self.snapshots_dir.as_ref()?),
                below: Path::new(&snapshot.real).join(&file.path),
            }),
            Content::Astray { .. } | Content::Odd => None,
        }
    }

    /// Reads the files below `top`; none when that has gone. One folder is open at a time, however
    /// deep they lie.
    fn read_files(&self, top: &Dir, snapshot: &mut Snapshot) -> Option<()> {
        let mut ahead = vec![(PathBuf::new(), 0)];
        while let Some((below, depth)) = ahead.pop() {
            let files = &mut snapshot.files;
            let Inner { mut folders, error } = if depth == 0 {
                self.read_folder(top, &below, depth, files)
            } else if depth > DEEPEST {
                Inner { error: Some(too_deep()), ..Inner::default() }
            } else {
                match top.dir(&below) {
                    Ok(dir) => self.read_folder(&dir, &below, depth, files),
                    Err(error) => Inner { error: Some(error), ..Inner::default() },
                }
            };
            match error {
                None => {}
                Some(error) if is_gone(&error) && depth == 0 => return None,
                Some(error) if is_gone(&error) => {}
                Some(error) => {
                    let path = match depth {
                        0 => snapshot.place.clone(),
                        _ => snapshot.place.join(&below),
                    };
                    snapshot.troubles.push(Trouble { path, error });
                }
            }
            folders.sort_unstable_by(|one, other| other.cmp(one));
            ahead.extend(folders.into_iter().map(|name| (below.join(name), depth + 1)));
        }
        Some(())
    }

    fn read_folder(
        &self,
        dir: &Dir,
        below: &Path,
        folders: usize,
        files: &mut Vec<SnapshotFile>,
    ) -> Inner {
        let mut inner = Inner::default();
        let listed = dir.visit(|name, kind| {
            let content = match kind {
                Kind::Folder => {
                    inner.folders.push(name.to_owned());
                    return;
                }
                Kind::Link => self.link(dir, name, folders),
                Kind::File => dir.look(name).map(Content::Copy),
                Kind::Fifo | Kind::Device | Kind::Other => Ok(Content::Odd),
            };
            match content {
                Ok(content) => {
                    files.push(SnapshotFile { path: below.join(name), folders, content });
                }
                Err(error) if is_gone(&error) => {}
                // One for the folder will do: it is closed for all of them.
                Err(error) => {
                    inner.error.get_or_insert(error);
                }
            }
        });
        if let Err(error) = listed {
            inner.error.get_or_insert(error);
        }
        inner
    }

    /// A link of a snapshot.
    fn link(&self, dir: &Dir, name: &OsStr, folders: usize) -> io::Result<Content> {
        let text = dir.link(name)?;
        Ok(match link::pointer(&text, folders, &self.path) {
            Pointer::Blob(name) => Content::Blob { name, absolute: false },
            Pointer::AbsoluteBlob(name) => Content::Blob { name, absolute: true },
            Pointer::Elsewhere => {
                Content::Astray { text, reached: Reached::of(dir.look_through(name)) }
            }
        })
    }
}
