//! One repo of a cache, read from the disk as it is: facts, no judgement.

use std::{
    collections::HashMap,
    ffi::{OsStr, OsString},
    io,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};

use super::{
    dir::{Dir, Kind, Stamp},
    link::{self, BlobLink, Pointer},
    names::{RepoName, is_of_system},
    tree::{self, Tree},
};

/// Bytes of the largest ref that is read: it holds 40 digits.
const LARGEST_REF: u64 = 4096;

/// The folders of a repo.
pub(crate) const BLOBS: &str = "blobs";
/// See [`BLOBS`].
pub(crate) const SNAPSHOTS: &str = "snapshots";
/// See [`BLOBS`].
pub(crate) const REFS: &str = "refs";
/// See [`BLOBS`].
pub(crate) const TREES: &str = "trees";
/// See [`BLOBS`].
pub(crate) const NO_EXIST: &str = ".no_exist";

/// Something that could not be looked at.
#[derive(Debug)]
pub(crate) struct Trouble {
    /// Where, below the repo's folder.
    pub(crate) path: PathBuf,
    /// What the kernel says.
    pub(crate) error: io::Error,
}

/// A repo's folder. Snapshots are read one at a time, so that memory follows the largest one.
#[derive(Debug)]
pub(crate) struct Repo {
    /// Whose it is.
    pub(crate) name: RepoName,
    /// Its absolute path.
    pub(crate) path: PathBuf,
    /// Its folder.
    pub(crate) dir: Dir,
    /// What lies in it.
    pub(crate) entries: Vec<(OsString, Kind)>,
    /// What lies in `blobs/`, by name.
    pub(crate) blobs: HashMap<OsString, Blob>,
    /// Names of branches, tags and pull requests.
    pub(crate) refs: Vec<Ref>,
    /// What lies in `snapshots/`.
    pub(crate) commits: Vec<(OsString, Kind)>,
    /// What of all this could not be read.
    pub(crate) troubles: Vec<Trouble>,
}

/// Something in a repo's `blobs/`.
#[derive(Debug)]
pub(crate) enum Blob {
    /// A regular file.
    Bytes(Stamp),
    /// A link into the shared store.
    Shared {
        /// The name there.
        payload: OsString,
        /// What is there, if anything is.
        stamp: Option<Stamp>,
    },
    /// A link to anywhere else.
    Astray {
        /// Its text.
        text: Vec<u8>,
        /// What is there, if anything is.
        stamp: Option<Stamp>,
    },
    /// A folder or something stranger.
    Odd,
    /// It could not be looked at.
    Unseen(io::Error),
}

impl Blob {
    /// What its bytes are, if they are there.
    pub(crate) fn stamp(&self) -> Option<&Stamp> {
        match self {
            Self::Bytes(stamp) => Some(stamp),
            Self::Shared { stamp, .. } | Self::Astray { stamp, .. } => stamp.as_ref(),
            Self::Odd | Self::Unseen(_) => None,
        }
    }
}

/// A file in `refs/`.
#[derive(Debug)]
pub(crate) struct Ref {
    /// Its path there: `main`, `refs/pr/1`.
    pub(crate) name: String,
    /// Its text.
    pub(crate) text: Result<String, io::Error>,
}

impl Ref {
    /// The commit that it means, blanks aside.
    pub(crate) fn commit(&self) -> Option<&str> {
        self.text.as_deref().ok().map(str::trim)
    }
}

/// A folder in `snapshots/`.
#[derive(Debug)]
pub(crate) struct Snapshot {
    /// Its name, a commit.
    pub(crate) commit: String,
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
        stamp: Option<Stamp>,
    },
    /// The bytes themselves: a file system without links, or links that were followed by a copy.
    Copy(Stamp),
    /// Something stranger, or something that could not be looked at.
    Odd,
}

impl Repo {
    /// Reads the repo's folder, without its snapshots.
    ///
    /// # Errors
    /// When the folder itself cannot be read.
    pub(crate) fn read(path: &Path, name: RepoName) -> io::Result<Self> {
        let dir = Dir::open(path)?;
        let mut troubles = Vec::new();
        let entries = dir.list()?;
        let has = |folder: &str| entries.iter().any(|(name, _)| name == folder);
        let mut blobs = HashMap::new();
        if has(BLOBS) {
            match dir.enter(BLOBS).and_then(|folder| read_blobs(&folder)) {
                Ok(read) => blobs = read,
                Err(error) => troubles.push(Trouble { path: BLOBS.into(), error }),
            }
        }
        let mut refs = Vec::new();
        if has(REFS) {
            read_refs(&dir, Path::new(REFS), &mut refs, &mut troubles);
        }
        let mut commits = Vec::new();
        if has(SNAPSHOTS) {
            match dir.enter(SNAPSHOTS).and_then(|folder| folder.list()) {
                Ok(list) => commits = list,
                Err(error) => troubles.push(Trouble { path: SNAPSHOTS.into(), error }),
            }
        }
        Ok(Self { name, path: path.to_owned(), dir, entries, blobs, refs, commits, troubles })
    }

    /// Whether it has the entry `name`.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.entries.iter().any(|(entry, _)| entry == name)
    }

    /// Folders in `snapshots/`: links to folders count, as for the Hub client.
    pub(crate) fn snapshots(&self) -> impl Iterator<Item = Snapshot> + '_ {
        let folders = self.commits.iter().filter(|(name, kind)| match kind {
            Kind::Folder => true,
            Kind::Link => {
                let stamp = self.dir.look_through(Path::new(SNAPSHOTS).join(name));
                stamp.is_ok_and(|stamp| stamp.kind == Kind::Folder)
            }
            Kind::File | Kind::Other => false,
        });
        folders.map(|(name, _)| self.snapshot(name))
    }

    /// Reads one snapshot.
    pub(crate) fn snapshot(&self, name: &OsStr) -> Snapshot {
        let mut snapshot = Snapshot {
            commit: name.to_string_lossy().into_owned(),
            files: vec![],
            folder: None,
            troubles: vec![],
        };
        let place = Path::new(SNAPSHOTS).join(name);
        match self.dir.enter(&place) {
            Ok(dir) => {
                snapshot.folder = dir.stamp().ok();
                self.read_files(&dir, &place, Path::new(""), 0, &mut snapshot);
            }
            Err(error) => snapshot.troubles.push(Trouble { path: place, error }),
        }
        snapshot
    }

    /// The list of a commit's files, if there is one; else why it is not used.
    pub(crate) fn tree(&self, commit: &str) -> Option<Result<Tree, TreeFault>> {
        if !self.has(TREES) {
            return None;
        }
        let path = Path::new(TREES).join(format!("{commit}.json"));
        match self.dir.read(&path, tree::LARGEST) {
            Ok(json) => Some(Tree::parse(&json).map_err(TreeFault::Unusable)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => Some(Err(TreeFault::Unreadable(error))),
        }
    }

    fn read_files(
        &self,
        dir: &Dir,
        place: &Path,
        below: &Path,
        folders: usize,
        snapshot: &mut Snapshot,
    ) {
        let mut inner = Vec::new();
        let files = &mut snapshot.files;
        let listed = dir.visit(|name, kind| {
            let content = match kind {
                Kind::Folder => {
                    inner.push(name.to_owned());
                    return;
                }
                Kind::Link => match self.link(dir, name, folders) {
                    Some(content) => content,
                    None => return,
                },
                Kind::File => dir.look(name).map_or(Content::Odd, Content::Copy),
                Kind::Other => Content::Odd,
            };
            files.push(SnapshotFile { path: below.join(name), folders, content });
        });
        if let Err(error) = listed {
            snapshot.troubles.push(Trouble { path: place.join(below), error });
        }
        inner.sort_unstable();
        for name in inner {
            let below = below.join(&name);
            match dir.enter(&name) {
                Ok(dir) => self.read_files(&dir, place, &below, folders + 1, snapshot),
                Err(error) => {
                    snapshot.troubles.push(Trouble { path: place.join(below), error });
                }
            }
        }
    }

    /// A link of a snapshot; none when it leads to a folder, which the Hub client passes over.
    fn link(&self, dir: &Dir, name: &OsStr, folders: usize) -> Option<Content> {
        let Ok(text) = dir.link(name) else { return Some(Content::Odd) };
        match link::pointer(&text, folders, &self.path) {
            Pointer::Blob(name) => Some(Content::Blob { name, absolute: false }),
            Pointer::AbsoluteBlob(name) => Some(Content::Blob { name, absolute: true }),
            Pointer::Elsewhere => {
                Some(Content::Astray { text, stamp: dir.look_through(name).ok() })
            }
        }
    }
}

/// Why a tree is not used.
#[derive(Debug)]
pub(crate) enum TreeFault {
    /// It is closed to this user, or its disk fails.
    Unreadable(io::Error),
    /// It is none, or of another version.
    Unusable(String),
}

fn read_blobs(dir: &Dir) -> io::Result<HashMap<OsString, Blob>> {
    let mut blobs = HashMap::new();
    dir.visit(|name, kind| {
        if is_of_system(name) {
            return;
        }
        let blob = match kind {
            Kind::File => dir.look(name).map_or_else(Blob::Unseen, Blob::Bytes),
            Kind::Link => match dir.link(name) {
                Err(error) => Blob::Unseen(error),
                Ok(text) => {
                    let stamp = dir.look_through(name).ok();
                    match link::blob(&text) {
                        BlobLink::Store(payload) => Blob::Shared { payload, stamp },
                        BlobLink::Elsewhere => Blob::Astray { text, stamp },
                    }
                }
            },
            Kind::Folder | Kind::Other => Blob::Odd,
        };
        blobs.insert(name.to_owned(), blob);
    })?;
    Ok(blobs)
}

fn read_refs(repo: &Dir, place: &Path, refs: &mut Vec<Ref>, troubles: &mut Vec<Trouble>) {
    let list = match repo.enter(place).and_then(|dir| dir.list()) {
        Ok(list) => list,
        Err(error) => {
            troubles.push(Trouble { path: place.to_owned(), error });
            return;
        }
    };
    for (name, kind) in list {
        let path = place.join(&name);
        if is_of_system(&name) {
            continue;
        }
        if kind == Kind::Folder {
            read_refs(repo, &path, refs, troubles);
            continue;
        }
        let below = path.strip_prefix(REFS).unwrap_or(&path);
        let name = String::from_utf8_lossy(below.as_os_str().as_bytes()).into_owned();
        let text =
            repo.read(&path, LARGEST_REF).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        refs.push(Ref { name, text });
    }
}
