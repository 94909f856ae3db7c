//! One repo of a cache, read from the disk as it is: facts, no judgement.

mod reading;

use std::{
    collections::HashMap,
    ffi::{OsStr, OsString},
    fs::File,
    io,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

pub(crate) use contract::hub::{BLOBS, NO_EXIST, REFS, SNAPSHOTS, TREES};
use contract::hub::{Part, STORE, enter};

use self::reading::{read_blob, read_blobs, read_commits, read_refs};
use super::{
    dir::{Dir, Kind, Stamp, is_no_text, within},
    link,
    names::RepoName,
    reached::{Reached, Seen, is_gone, leads_nowhere},
    snapshot::Snapshot,
    tree::{self, Tree},
};

/// Where a file is: a path below an open folder, on which no symlink is followed.
#[derive(Debug, Clone)]
pub(crate) struct At {
    /// The folder.
    pub(crate) dir: Arc<Dir>,
    /// The path below it.
    pub(crate) below: PathBuf,
}

impl At {
    /// Opens the file.
    ///
    /// # Errors
    /// When it is missing, closed, or not a regular file.
    pub(crate) fn open(&self) -> io::Result<File> {
        self.dir.file(&self.below)
    }

    /// Its bytes, at most `most`.
    ///
    /// # Errors
    /// As [`At::open`], and when it has more.
    pub(crate) fn read(&self, most: u64) -> io::Result<Vec<u8>> {
        self.dir.read(&self.below, most)
    }
}

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
    /// Its `blobs`, if there is such a folder.
    blobs_dir: Option<Arc<Dir>>,
    /// Its `snapshots`, if there is such a folder.
    pub(super) snapshots_dir: Option<Arc<Dir>>,
    /// The folder that the store lies in to which its links lead.
    store_dir: Option<Arc<Dir>>,
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
    #[cfg(test)]
    pub(crate) fn read(path: &Path, name: RepoName) -> io::Result<Self> {
        let hub = Arc::new(Dir::open(path.parent().unwrap_or(path))?);
        Self::read_in(&hub, path, name)
    }

    /// Reads the repo's folder at `path` in the cache `hub`, without its snapshots.
    ///
    /// # Errors
    /// When the folder itself cannot be read.
    pub(crate) fn read_in(hub: &Arc<Dir>, path: &Path, name: RepoName) -> io::Result<Self> {
        let folder = path.file_name().unwrap_or_default();
        let (dir, mut is_linked) = enter(hub, folder, Part::Repo)?;
        let mut troubles = Vec::new();
        let entries = dir.list()?;
        let has = |folder: &str| entries.iter().any(|(name, _)| name == folder);
        let mut blobs = HashMap::new();
        let mut blobs_dir = None;
        if has(BLOBS) {
            let read = || {
                let (dir, is_linked) = enter(&dir, BLOBS, Part::Blobs)?;
                Ok((read_blobs(&dir)?, dir, is_linked))
            };
            match within(&dir, BLOBS, read) {
                Some(Ok((read, dir, is_apart))) => {
                    blobs = read;
                    blobs_dir = Some(Arc::new(dir));
                    is_linked |= is_apart;
                }
                Some(Err(error)) => troubles.push(Trouble { path: BLOBS.into(), error }),
                None => {}
            }
        }
        let store_dir = match is_linked {
            false => Some(Arc::clone(hub)),
            // Whatever lies there is opened as a payload of a store, or not at all.
            true => path
                .join(BLOBS)
                .canonicalize()
                .ok()
                .and_then(|blobs| Dir::open(blobs.parent()?.parent()?).ok().map(Arc::new)),
        };
        let mut refs = Vec::new();
        if has(REFS) {
            read_refs(&dir, &mut refs, &mut troubles);
        }
        let mut commits = Vec::new();
        let mut snapshots_dir = None;
        if has(SNAPSHOTS) {
            let read = || {
                let (dir, _) = enter(&dir, SNAPSHOTS, Part::Snapshots)?;
                Ok((read_commits(&dir)?, dir))
            };
            match within(&dir, SNAPSHOTS, read) {
                Some(Ok((list, dir))) => {
                    commits = list;
                    snapshots_dir = Some(Arc::new(dir));
                }
                Some(Err(error)) => troubles.push(Trouble { path: SNAPSHOTS.into(), error }),
                None => {}
            }
        }
        Ok(Self {
            name,
            path: path.to_owned(),
            dir,
            blobs_dir,
            snapshots_dir,
            store_dir,
            entries,
            blobs,
            refs,
            commits,
            troubles,
        })
    }

    /// Where the bytes of the blob `name` are, by names alone: a link that is put in its place
    /// meanwhile leads nowhere.
    pub(crate) fn blob_at(&self, name: &OsStr) -> Option<At> {
        let at = |dir: &Option<Arc<Dir>>, below| Some(At { dir: Arc::clone(dir.as_ref()?), below });
        let late;
        let blob = match self.blobs.get(name) {
            Some(blob) => blob,
            None => {
                late = self.read_again(name)?;
                &late
            }
        };
        match blob {
            Blob::Bytes(_) => at(&self.blobs_dir, name.into()),
            Blob::Shared { payload, .. } => at(&self.store_dir, in_store(payload)),
            Blob::Astray { .. } | Blob::Odd | Blob::Unseen(_) => None,
        }
    }

    /// What a link in `blobs` leads to by now. The kernel looks, and nothing is opened.
    ///
    /// # Errors
    /// When it leads nowhere, or is out of sight.
    pub(crate) fn look_through_blob(&self, name: &OsStr) -> io::Result<Stamp> {
        self.blobs_dir.as_ref().map_or_else(|| Err(gone()), |dir| dir.look_through(name))
    }

    /// Whether the link at `path`, below the repo, with this `text` leads to another entry of the
    /// repo, there or missing. The way from there may end in the store.
    pub(crate) fn keeps(&self, path: &Path, text: &[u8]) -> bool {
        let folder = self.path.join(path);
        let folder = folder.parent().unwrap_or(&self.path);
        let real = |path: &Path| path.canonicalize();
        let is_below = |there: &Path, folder: &Path| {
            real(folder).is_ok_and(|folder| there.starts_with(&folder) && there != folder)
        };
        let stays = || link::stays(text, folder, &self.path);
        match real(&self.path.join(path)) {
            Ok(there) if is_below(&there, &self.path) => true,
            Ok(there) => is_below(&there, &self.path.with_file_name(STORE)) && stays(),
            Err(error) => is_gone(&error) && stays(),
        }
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

    /// The blob `name` as it is by now.
    fn read_again(&self, name: &OsStr) -> Option<Blob> {
        let read = |dir: &Dir| match dir.look(name) {
            Ok(stamp) => read_blob(dir, name, stamp.kind),
            Err(error) if leads_nowhere(&error) => None,
            Err(error) => Some(Blob::Unseen(error)),
        };
        match &self.blobs_dir {
            Some(dir) => read(dir),
            None => match enter(&self.dir, BLOBS, Part::Blobs) {
                Ok((dir, _)) => read(&dir),
                Err(error) if leads_nowhere(&error) => None,
                Err(error) => Some(Blob::Unseen(error)),
            },
        }
    }

    fn look_again(&self, name: &OsStr) -> Seen<'_> {
        let blob = self.read_again(name);
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
            Ok(json) if Tree::is_of_another_version(&json) => {
                Some(Tree::parse(&json).map_err(TreeFault::OfAnotherVersion))
            }
            Ok(json) => Some(Tree::parse(&json).map_err(TreeFault::Unusable)),
            Err(error) if is_gone(&error) => None,
            Err(error) if is_no_text(&error) => Some(Err(TreeFault::Unusable(error.to_string()))),
            Err(error) => Some(Err(TreeFault::Unreadable(error))),
        }
    }
}

/// Where the store keeps the payload `name`, below the cache.
pub(crate) fn in_store(name: &OsStr) -> PathBuf {
    let shard = name.as_bytes().get(..2).unwrap_or_default();
    Path::new(STORE).join(OsStr::from_bytes(shard)).join(name)
}

fn gone() -> io::Error {
    io::ErrorKind::NotFound.into()
}

/// Why a tree is not used.
#[derive(Debug)]
pub(crate) enum TreeFault {
    /// It is closed to this user, or its disk fails.
    Unreadable(io::Error),
    /// It is none.
    Unusable(String),
    /// It is of another version, as a newer client may write it.
    OfAnotherVersion(String),
}

#[cfg(test)]
mod properties;
