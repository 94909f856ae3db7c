//! One repo of a cache, read from the disk as it is: facts, no verdict.

use std::{
    borrow::Cow,
    collections::HashMap,
    ffi::{OsStr, OsString},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

pub use contract::hub::{BLOBS, NO_EXIST, SNAPSHOTS, TREES};
use contract::hub::{Part, STORE, enter};

use crate::layout::{
    blob::{Blob, BlobLink, read_blobs},
    dir::{At, Dir, Kind, Trouble, is_gone, is_refused, leads_nowhere, within},
    link,
    link_target::LinkTarget,
    names::RepoName,
    refs::{REFS, Ref, read_refs},
    tree::{self, Tree, TreeFault},
};

/// A repo's folder. Snapshots are read one at a time, so that memory follows the largest one.
#[derive(Debug)]
pub struct Repo {
    /// Its name on the Hub.
    pub name: RepoName,
    /// Its absolute path.
    pub path: PathBuf,
    /// Its folder.
    pub dir: Dir,
    /// Its `blobs`, if there is such a folder.
    blobs_dir: Option<Arc<Dir>>,
    /// Its `snapshots`, if there is such a folder.
    pub(crate) snapshots_dir: Option<Arc<Dir>>,
    /// The folder of the shared store that its symlinks lead to.
    store_dir: Option<Arc<Dir>>,
    /// What lies in it.
    pub entries: Vec<(OsString, Kind)>,
    /// What lies in `blobs`, by name.
    pub blobs: HashMap<OsString, Blob>,
    /// Names of branches, tags and pull requests.
    pub refs: Vec<Ref>,
    /// What lies in `snapshots`. Symlinks to folders are folders, as for the Hub client.
    pub commits: Vec<(OsString, Kind)>,
    /// What could not be read.
    pub troubles: Vec<Trouble>,
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
        let mut troubles = Vec::new();
        let blobs = read_folder(&dir, &entries, BLOBS, &mut troubles, || {
            let (blobs, is_linked) = enter(&dir, BLOBS, Part::Blobs)?;
            Ok((read_blobs(&blobs)?, Arc::new(blobs), is_linked))
        });
        let is_linked = is_repo_linked || blobs.as_ref().is_some_and(|(_, _, linked)| *linked);
        let store_dir = match is_linked {
            false => Some(Arc::clone(hub)),
            // Whatever lies there is opened as a payload of a store, or not at all.
            true => path
                .join(BLOBS)
                .canonicalize()
                .ok()
                .and_then(|blobs| Dir::open(blobs.parent()?.parent()?).ok().map(Arc::new)),
        };
        let has_refs = entries.iter().any(|(name, _)| name == REFS);
        let refs = if has_refs { read_refs(&dir, &mut troubles) } else { vec![] };
        let snapshots = read_folder(&dir, &entries, SNAPSHOTS, &mut troubles, || {
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
            troubles,
        })
    }

    /// The blob `name`. `blobs` was listed before any snapshot was read, so one without content is
    /// looked at again.
    pub fn blob(&self, name: &OsStr) -> Option<Cow<'_, Blob>> {
        if let Some(blob) = self.blobs.get(name).filter(|blob| blob.file().is_some()) {
            return Some(Cow::Borrowed(blob));
        }
        let blob = match &self.blobs_dir {
            Some(dir) => Blob::read(dir, name),
            None => match enter(&self.dir, BLOBS, Part::Blobs) {
                Ok((dir, _)) => Blob::read(&dir, name),
                Err(error) if leads_nowhere(&error) => None,
                Err(error) => Some(Blob::unknown(&error)),
            },
        };
        blob.map(Cow::Owned)
    }

    /// Where a symlink to the blob `name` leads in the end.
    pub fn blob_target(&self, name: &OsStr) -> LinkTarget {
        self.blob(name).map_or(LinkTarget::Missing, |blob| blob.target)
    }

    /// Where the content of the blob `name` is, by names alone: a symlink that is put in its place
    /// meanwhile leads nowhere.
    pub fn blob_at(&self, name: &OsStr) -> Option<At> {
        let (dir, below) = match &self.blob(name)?.link {
            None => (&self.blobs_dir, name.into()),
            Some(BlobLink::Store(payload)) => (&self.store_dir, payload.clone()),
            Some(BlobLink::Elsewhere(_)) => return None,
        };
        Some(At { dir: Arc::clone(dir.as_ref()?), below })
    }

    /// Whether the symlink at `path`, below the repo, with this `text` leads to another entry of the
    /// repo, found or missing. The way from there may end in the store.
    pub fn keeps(&self, path: &Path, text: &[u8]) -> bool {
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
    pub fn has(&self, name: &str) -> bool {
        self.entries.iter().any(|(entry, _)| entry == name)
    }

    /// Whether it has this folder, and what is in there could not be read.
    pub fn hides(&self, folder: &str) -> bool {
        self.troubles.iter().any(|trouble| trouble.path == Path::new(folder))
    }

    /// The list of a commit's files, if there is one; else why it is not used.
    pub fn tree(&self, commit: &str) -> Option<Result<Tree, TreeFault>> {
        if !self.has(TREES) {
            return None;
        }
        let path = Path::new(TREES).join(format!("{commit}.json"));
        match self.dir.read(&path, tree::LARGEST) {
            Ok(json) => Some(Tree::parse(&json)),
            Err(error) if is_gone(&error) => None,
            Err(error) if is_refused(&error) => Some(Err(TreeFault::Unusable(error.to_string()))),
            Err(error) => Some(Err(TreeFault::Unreadable(error))),
        }
    }
}

/// What `read` makes of the folder `name` of a repo with these `entries`. Why it cannot be read is
/// added to `troubles`.
fn read_folder<T>(
    repo: &Dir,
    entries: &[(OsString, Kind)],
    name: &str,
    troubles: &mut Vec<Trouble>,
    read: impl Fn() -> io::Result<T>,
) -> Option<T> {
    if !entries.iter().any(|(entry, _)| entry == name) {
        return None;
    }
    match within(repo, name, read)? {
        Ok(read) => Some(read),
        Err(error) => {
            troubles.push(Trouble { path: name.into(), error });
            None
        }
    }
}

/// What lies in `snapshots`. A symlink to a folder counts as a folder; one to an unknown place is
/// reported where it is entered.
fn list_commits(snapshots: &Dir) -> io::Result<Vec<(OsString, Kind)>> {
    let mut list = snapshots.list()?;
    for (name, kind) in list.iter_mut().filter(|(_, kind)| *kind == Kind::Link) {
        if LinkTarget::of(snapshots, name).may_be_folder() {
            *kind = Kind::Folder;
        }
    }
    Ok(list)
}
