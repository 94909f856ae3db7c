//! One repo of a cache as it is on the disk, without a verdict.

use std::{
    borrow::Cow,
    collections::HashMap,
    ffi::{OsStr, OsString},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use contract::hub::{BLOBS, Part, REFS, SNAPSHOTS, STORE, TREES, enter};
use untrusted::{Dir, Kind};

use crate::layout::{
    blob::{Blob, BlobLink, read_blobs},
    dir::{ReadError, RootedPath, is_dangling, is_not_found, is_refused, read_unless_removed},
    link,
    link_target::LinkTarget,
    names::RepoName,
    refs::{Ref, read_refs},
    tree::{self, Tree, TreeFault},
};

/// A repo's folder. Snapshots are read one at a time, which bounds memory by the largest one.
#[derive(Debug)]
pub struct Repo {
    /// Its name on the Hub.
    pub name: RepoName,
    /// Its absolute path.
    pub path: PathBuf,
    /// Its folder.
    pub dir: Dir,
    /// Its folder `blobs`, if it exists.
    blobs_dir: Option<Arc<Dir>>,
    /// Its folder `snapshots`, if it exists.
    pub(crate) snapshots_dir: Option<Arc<Dir>>,
    /// The cache with the shared store that its symlinks point to.
    store_dir: Option<Arc<Dir>>,
    /// The entries of its folder.
    pub entries: Vec<(OsString, Kind)>,
    /// The entries of `blobs`, by name.
    pub blobs: HashMap<OsString, Blob>,
    /// Branches, tags and pull requests.
    pub refs: Vec<Ref>,
    /// The entries of `snapshots`. A symlink to a folder counts as a folder, as for the Hub client.
    pub commits: Vec<(OsString, Kind)>,
    /// Files and folders that could not be read.
    pub errors: Vec<ReadError>,
}

impl Repo {
    /// Reads the repo's folder, without its snapshots.
    ///
    /// # Errors
    /// When the folder itself cannot be read.
    #[cfg(any(test, feature = "testing"))]
    pub fn read(path: &Path, name: RepoName) -> io::Result<Self> {
        let hub = Arc::new(Dir::open(path.parent().unwrap_or(path))?);
        Self::read_in(&hub, path, name)
    }

    /// Reads the repo's folder at `path` in the cache `hub`, without its snapshots.
    ///
    /// # Errors
    /// When the folder itself cannot be read.
    pub(crate) fn read_in(hub: &Arc<Dir>, path: &Path, name: RepoName) -> io::Result<Self> {
        let folder = path.file_name().unwrap_or_default();
        let (dir, is_repo_linked) = enter(hub, folder, Part::Repo)?;
        let entries = dir.list()?;
        let mut errors = Vec::new();
        let blobs = read_folder(&dir, &entries, BLOBS, &mut errors, || {
            let (blobs, is_linked) = enter(&dir, BLOBS, Part::Blobs)?;
            Ok((read_blobs(&blobs)?, Arc::new(blobs), is_linked))
        });
        let is_linked = is_repo_linked || blobs.as_ref().is_some_and(|(_, _, linked)| *linked);
        let store_dir = match is_linked {
            false => Some(Arc::clone(hub)),
            // Only payloads of a store are ever opened below it.
            true => path
                .join(BLOBS)
                .canonicalize()
                .ok()
                .and_then(|blobs| Dir::open(blobs.parent()?.parent()?).ok().map(Arc::new)),
        };
        let has_refs = entries.iter().any(|(name, _)| name == REFS);
        let refs = if has_refs { read_refs(&dir, &mut errors) } else { vec![] };
        let snapshots = read_folder(&dir, &entries, SNAPSHOTS, &mut errors, || {
            let (snapshots, _) = enter(&dir, SNAPSHOTS, Part::Snapshots)?;
            Ok((list_commits(&snapshots)?, Arc::new(snapshots)))
        });
        let (blobs, blobs_dir) =
            blobs.map_or_else(Default::default, |(blobs, dir, _)| (blobs, Some(dir)));
        let (commits, snapshots_dir) =
            snapshots.map_or_else(Default::default, |(commits, dir)| (commits, Some(dir)));
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
            errors,
        })
    }

    /// The blob `name`. One without content is read again, because `blobs` was listed before the snapshot.
    pub(crate) fn blob(&self, name: &OsStr) -> Option<Cow<'_, Blob>> {
        if let Some(blob) = self.blobs.get(name).filter(|blob| blob.file().is_some()) {
            return Some(Cow::Borrowed(blob));
        }
        let blob = match &self.blobs_dir {
            Some(dir) => Blob::read(dir, name),
            None => match enter(&self.dir, BLOBS, Part::Blobs) {
                Ok((dir, _)) => Blob::read(&dir, name),
                Err(error) if is_dangling(&error) => None,
                Err(error) => Some(Blob::unknown(&error)),
            },
        };
        blob.map(Cow::Owned)
    }

    /// The final target of a symlink to the blob `name`.
    pub fn blob_target(&self, name: &OsStr) -> LinkTarget {
        self.blob(name).map_or(LinkTarget::Missing, |blob| blob.target)
    }

    /// The file of the blob `name`. A symlink that replaces it later is not followed.
    pub fn blob_at(&self, name: &OsStr) -> Option<RootedPath> {
        let (dir, below) = match &self.blob(name)?.link {
            None => (&self.blobs_dir, name.into()),
            Some(BlobLink::Store(payload)) => (&self.store_dir, payload.clone()),
            Some(BlobLink::Elsewhere(_)) => return None,
        };
        Some(RootedPath { dir: Arc::clone(dir.as_ref()?), below })
    }

    /// Whether the symlink at `path` with this `text` points to an entry of the repo, existing or not. That
    /// entry may be a symlink to the store.
    pub fn contains_target(&self, path: &Path, text: &[u8]) -> bool {
        let folder = self.path.join(path);
        let folder = folder.parent().unwrap_or(&self.path);
        let real = |path: &Path| path.canonicalize();
        let is_below = |there: &Path, folder: &Path| {
            real(folder).is_ok_and(|folder| there.starts_with(&folder) && there != folder)
        };
        let stays = || link::stays_in_repo(text, folder, &self.path);
        match real(&self.path.join(path)) {
            Ok(there) if is_below(&there, &self.path) => true,
            Ok(there) => is_below(&there, &self.path.with_file_name(STORE)) && stays(),
            Err(error) => is_not_found(&error) && stays(),
        }
    }

    /// Whether the repo has the entry `name`.
    pub fn has(&self, name: &str) -> bool {
        self.entries.iter().any(|(entry, _)| entry == name)
    }

    /// Whether the repo has this folder, but it could not be read.
    pub fn is_unreadable(&self, folder: &str) -> bool {
        self.errors.iter().any(|error| error.path == Path::new(folder))
    }

    /// The list of a commit's files, if there is one, or why it cannot be used.
    pub fn tree(&self, commit: &str) -> Option<Result<Tree, TreeFault>> {
        if !self.has(TREES) {
            return None;
        }
        let path = Path::new(TREES).join(format!("{commit}.json"));
        match self.dir.read(&path, tree::LARGEST) {
            Ok(json) => Some(Tree::parse(&json)),
            Err(error) if is_not_found(&error) => None,
            Err(error) if is_refused(&error) => Some(Err(TreeFault::Unusable(error.to_string()))),
            Err(error) => Some(Err(TreeFault::Unreadable(error))),
        }
    }
}

/// Reads the folder `name` of a repo with these `entries`. An error is added to `errors`.
fn read_folder<T>(
    repo: &Dir,
    entries: &[(OsString, Kind)],
    name: &str,
    errors: &mut Vec<ReadError>,
    read: impl Fn() -> io::Result<T>,
) -> Option<T> {
    if !entries.iter().any(|(entry, _)| entry == name) {
        return None;
    }
    match read_unless_removed(repo, name, read)? {
        Ok(read) => Some(read),
        Err(error) => {
            errors.push(ReadError { path: name.into(), error });
            None
        }
    }
}

/// Lists `snapshots`. A symlink to a folder counts as a folder. One with an unknown target is reported when it
/// is opened.
fn list_commits(snapshots: &Dir) -> io::Result<Vec<(OsString, Kind)>> {
    let mut list = snapshots.list()?;
    for (name, kind) in list.iter_mut().filter(|(_, kind)| *kind == Kind::Link) {
        if LinkTarget::of(snapshots, name).may_be_folder() {
            *kind = Kind::Folder;
        }
    }
    Ok(list)
}
