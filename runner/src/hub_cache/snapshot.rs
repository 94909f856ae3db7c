//! One snapshot of a repo, read from the disk as it is: facts, no judgement.

use std::{
    ffi::{OsStr, OsString},
    io,
    path::{Path, PathBuf},
};

use super::{
    dir::{DEEPEST, Dir, Kind, Stamp, too_deep},
    link::{self, Pointer},
    reached::{Reached, is_gone},
    repo::{Repo, SNAPSHOTS, Trouble},
};

/// A folder in `snapshots/`.
#[derive(Debug)]
pub(crate) struct Snapshot {
    /// Its name, a commit.
    pub(crate) commit: String,
    /// Where it lies, below the repo.
    pub(crate) place: PathBuf,
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
            files: vec![],
            folder: None,
            troubles: vec![],
        };
        match self.dir.enter(&snapshot.place) {
            Ok(dir) => {
                snapshot.folder = dir.stamp().ok();
                self.read_files(&dir, &mut snapshot)?;
            }
            Err(error) if is_gone(&error) => return None,
            Err(error) => {
                snapshot.troubles.push(Trouble { path: snapshot.place.clone(), error });
            }
        }
        Some(snapshot)
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
                match top.enter(&below) {
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
                Kind::Other => Ok(Content::Odd),
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
