//! One repo of a cache, read from the disk as it is: facts, no judgement.

use std::{
    collections::HashMap,
    ffi::{OsStr, OsString},
    io,
    path::{Path, PathBuf},
};

use super::{
    dir::{DEEPEST, Dir, Kind, Stamp, is_no_text, no_file, too_deep},
    link::{self, BlobLink},
    names::{RepoName, is_of_system},
    reached::{Reached, Seen, is_gone, leads_nowhere},
    snapshot::Snapshot,
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
    /// What lies in `snapshots/`. Links to folders are folders, as for the Hub client.
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
        reached: Reached,
    },
    /// A link to anywhere else.
    Astray {
        /// Its text.
        text: Vec<u8>,
        /// What is there, if anything is.
        reached: Reached,
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
            Self::Shared { reached, .. } | Self::Astray { reached, .. } => reached.file(),
            Self::Odd | Self::Unseen(_) => None,
        }
    }
}

/// A file in `refs/`.
#[derive(Debug)]
pub(crate) struct Ref {
    /// Its path there: `main`, `refs/pr/1`.
    pub(crate) name: String,
    /// Where it lies, below the repo.
    pub(crate) path: PathBuf,
    /// Its text.
    pub(crate) text: Result<String, io::Error>,
}

impl Ref {
    /// The commit that it means, blanks aside.
    pub(crate) fn commit(&self) -> Option<&str> {
        self.text.as_deref().ok().map(str::trim)
    }
}

impl Repo {
    /// Reads the repo's folder, without its snapshots.
    ///
    /// # Errors
    /// When the folder itself cannot be read.
    pub(crate) fn read(path: &Path, name: RepoName) -> io::Result<Self> {
        Self::read_in(Dir::open(path)?, path, name)
    }

    /// The same for an open folder.
    ///
    /// # Errors
    /// As [`Repo::read`].
    pub(crate) fn read_in(dir: Dir, path: &Path, name: RepoName) -> io::Result<Self> {
        let mut troubles = Vec::new();
        let entries = dir.list()?;
        let has = |folder: &str| entries.iter().any(|(name, _)| name == folder);
        let mut blobs = HashMap::new();
        if has(BLOBS) {
            match dir.within(BLOBS, |folder| read_blobs(&folder)) {
                Some(Ok(read)) => blobs = read,
                Some(Err(error)) => troubles.push(Trouble { path: BLOBS.into(), error }),
                None => {}
            }
        }
        let mut refs = Vec::new();
        if has(REFS) {
            read_refs(&dir, &mut refs, &mut troubles);
        }
        let mut commits = Vec::new();
        if has(SNAPSHOTS) {
            match dir.within(SNAPSHOTS, |folder| read_commits(&folder)) {
                Some(Ok(list)) => commits = list,
                Some(Err(error)) => troubles.push(Trouble { path: SNAPSHOTS.into(), error }),
                None => {}
            }
        }
        Ok(Self { name, path: path.to_owned(), dir, entries, blobs, refs, commits, troubles })
    }

    /// Whether it has the entry `name`.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.entries.iter().any(|(entry, _)| entry == name)
    }

    /// Its snapshots, but for those that have gone meanwhile.
    pub(crate) fn snapshots(&self) -> impl Iterator<Item = Snapshot> + '_ {
        let folders = self.commits.iter().filter(|(_, kind)| *kind == Kind::Folder);
        folders.filter_map(|(name, _)| self.snapshot(name))
    }

    /// What is known of the bytes of the blob `name`. `blobs/` was listed before any snapshot was
    /// read: what the list has nothing of is looked at again.
    pub(crate) fn seen(&self, name: &OsStr) -> Seen<'_> {
        let listed = self.blobs.get_key_value(name);
        match listed.map(|(name, blob)| (name, blob, blob.stamp())) {
            Some((name, blob, Some(stamp))) => Seen::Listed { name, blob, stamp },
            _ => self.look_again(name),
        }
    }

    fn look_again(&self, name: &OsStr) -> Seen<'_> {
        let path = Path::new(BLOBS).join(name);
        let blob = match self.dir.look(&path) {
            Ok(stamp) => read_blob(&self.dir, path.as_os_str(), stamp.kind),
            Err(error) if leads_nowhere(&error) => None,
            Err(error) => Some(Blob::Unseen(error)),
        };
        let late = |stamp: &Stamp, shared| match stamp.kind {
            Kind::File => Seen::Late { stamp: *stamp, shared },
            _ => Seen::Odd,
        };
        let (reached, shared) = match &blob {
            None => return Seen::Missing,
            Some(Blob::Odd) => return Seen::Odd,
            Some(Blob::Unseen(_)) => return Seen::OutOfSight,
            Some(Blob::Bytes(stamp)) => return late(stamp, false),
            Some(Blob::Shared { reached, .. }) => (reached, true),
            Some(Blob::Astray { reached, .. }) => (reached, false),
        };
        match reached {
            Reached::There(stamp) => late(stamp, shared),
            Reached::Nothing => Seen::Missing,
            Reached::OutOfSight(_) => Seen::OutOfSight,
        }
    }

    /// Whether the repo has this folder, and nobody knows what is in it.
    pub(crate) fn hides(&self, folder: &str) -> bool {
        self.troubles.iter().any(|trouble| trouble.path == Path::new(folder))
    }

    /// The list of a commit's files, if there is one; else why it is not used.
    pub(crate) fn tree(&self, commit: &str) -> Option<Result<Tree, TreeFault>> {
        if !self.has(TREES) {
            return None;
        }
        let path = Path::new(TREES).join(format!("{commit}.json"));
        match self.dir.read(&path, tree::LARGEST) {
            Ok(json) => Some(Tree::parse(&json).map_err(TreeFault::Unusable)),
            Err(error) if is_gone(&error) => None,
            Err(error) if is_no_text(&error) => Some(Err(TreeFault::Unusable(error.to_string()))),
            Err(error) => Some(Err(TreeFault::Unreadable(error))),
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

fn read_commits(dir: &Dir) -> io::Result<Vec<(OsString, Kind)>> {
    let mut list = dir.list()?;
    for (name, kind) in list.iter_mut().filter(|(_, kind)| *kind == Kind::Link) {
        // What is out of sight is for whoever enters it to say.
        match Reached::of(dir.look_through(name)) {
            Reached::There(stamp) if stamp.kind != Kind::Folder => {}
            Reached::Nothing => {}
            Reached::There(_) | Reached::OutOfSight(_) => *kind = Kind::Folder,
        }
    }
    Ok(list)
}

fn read_blobs(dir: &Dir) -> io::Result<HashMap<OsString, Blob>> {
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
fn read_blob(dir: &Dir, name: &OsStr, kind: Kind) -> Option<Blob> {
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
        Kind::Folder | Kind::Other => Ok(Blob::Odd),
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

fn read_refs(repo: &Dir, refs: &mut Vec<Ref>, troubles: &mut Vec<Trouble>) {
    let mut ahead = vec![(PathBuf::from(REFS), 0)];
    while let Some((place, depth)) = ahead.pop() {
        let listed = if depth > DEEPEST {
            Some(Err(too_deep()))
        } else {
            repo.within(&place, |dir| dir.list())
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
    if kind == Kind::Other {
        return Some(Err(no_file()));
    }
    let text = match repo.read(path, LARGEST_REF) {
        Err(error) if repo.has_lost(path, &error) => return None,
        read => read,
    };
    Some(text.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}

#[cfg(test)]
mod properties;
