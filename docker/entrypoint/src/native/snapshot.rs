//! A snapshot of a Hub cache: the folder with a model's or a dataset's files.
//!
//! They are symlinks to blobs, which are resolved by their names, because a container of an earlier
//! run may have made any of them lead to another file.

use std::{
    ffi::OsStr,
    fs::File,
    io,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};

use contract::hub::{BLOBS, LARGEST_REF, Part, SNAPSHOTS, enter, in_store};
use untrusted::{Dir, Found, Kind, Refused, is_plain};

/// Folders below one another that are searched for files.
const DEEPEST: usize = 20;

/// A snapshot.
#[derive(Debug)]
pub(super) struct Snapshot {
    /// Where it is, for messages.
    pub(super) path: PathBuf,
    /// The commit that it is of.
    pub(super) commit: String,
    dir: Dir,
    hub: Dir,
    repo: Dir,
    /// The repo's folder.
    repo_path: PathBuf,
}

impl Snapshot {
    /// The snapshot of the repo in the folder `name` of `cache` that `main` names; none when the cache
    /// has nothing of it.
    pub(super) fn of_main(cache: &Path, name: &str) -> io::Result<Option<Self>> {
        let missing = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
        let hub = match Dir::open(cache) {
            Err(error) if missing(&error) => return Ok(None),
            hub => hub?,
        };
        let repo = match enter(&hub, name, Part::Repo) {
            Err(error) if missing(&error) => return Ok(None),
            entered => entered?.0,
        };
        let Some(commit) = repo.read_if_there("refs/main", LARGEST_REF)? else { return Ok(None) };
        let commit = String::from_utf8_lossy(&commit).trim().to_owned();
        let (snapshots, _) = enter(&repo, SNAPSHOTS, Part::Snapshots)?;
        let dir = snapshots.dir(&commit)?;
        let repo_path = cache.join(name);
        let path = repo_path.join(SNAPSHOTS).join(&commit);
        Ok(Some(Self { path, commit, dir, hub, repo, repo_path }))
    }

    /// The files below it whose names are text, sorted, by their names from there.
    pub(super) fn files(&self) -> io::Result<Vec<String>> {
        let (mut files, mut listed) = (Vec::new(), Ok(()));
        self.dir.walk(DEEPEST, |found| {
            match found {
                Found::Entry { stamp, .. } if stamp.kind == Kind::Folder => {}
                Found::Entry { path, .. } => files.extend(path.to_str().map(str::to_owned)),
                Found::Closed { error, .. } => listed = Err(error),
            }
            true
        });
        listed?;
        files.sort();
        Ok(files)
    }

    /// Opens one of its files.
    ///
    /// # Errors
    /// When it is missing, closed, no regular file, or a symlink to something else than a blob.
    pub(super) fn open(&self, name: &str) -> io::Result<File> {
        match self.dir.look(name)?.kind {
            Kind::Link => self.blob(name, &self.dir.link(name)?),
            _ => self.dir.file(name),
        }
    }

    /// Opens the blob that the symlink `name` leads to by its `text`. Its bytes may lie in the store
    /// that repos share.
    fn blob(&self, name: &str, text: &[u8]) -> io::Result<File> {
        let up = 1 + name.split('/').count();
        let blobs = [self.repo_path.as_os_str().as_bytes(), b"/blobs/"].concat();
        let relative = [b"../".repeat(up), b"blobs/".to_vec()].concat();
        let blob = [relative, blobs].iter().find_map(|begin| text.strip_prefix(begin.as_slice()));
        let blob = blob.filter(|blob| !blob.is_empty() && is_plain(blob) && !blob.contains(&b'/'));
        let blob = OsStr::from_bytes(blob.ok_or(Refused::Symlink)?);
        let (blobs, _) = enter(&self.repo, BLOBS, Part::Blobs)?;
        match blobs.look(blob)?.kind {
            Kind::Link => self.hub.file(in_store(&blobs.link(blob)?).ok_or(Refused::Symlink)?),
            _ => blobs.file(blob),
        }
    }
}
