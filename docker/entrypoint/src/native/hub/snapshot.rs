//! A snapshot in the Hub cache: the folder with the files of a model or dataset.
//!
//! Its files are symlinks to blobs. They are resolved by the blob's name, because a container of an
//! earlier run may have replaced them with symlinks to other files.

use std::{
    ffi::OsStr,
    fs::File,
    io,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};

use contract::hub::{BLOBS, LARGEST_REF, Part, SNAPSHOTS, enter, in_store};
use untrusted::{Dir, Found, Kind, Refused, is_plain};

/// Depth limit of the search for files.
const DEEPEST: usize = 20;

/// An open snapshot.
#[derive(Debug)]
pub(in crate::native) struct Snapshot {
    /// Its path, for messages.
    pub(in crate::native) path: PathBuf,
    /// Its commit.
    pub(in crate::native) commit: String,
    dir: Dir,
    hub: Dir,
    repo: Dir,
    repo_path: PathBuf,
}

impl Snapshot {
    /// The snapshot that `refs/main` of the repo folder `name` in `cache` names. None if there is
    /// no such repo.
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

    /// Relative paths of all its files, sorted. Paths that are not UTF-8 are left out.
    pub(in crate::native) fn files(&self) -> io::Result<Vec<String>> {
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
    /// When it is missing, unreadable, not a regular file, or a symlink to something other than a
    /// blob.
    pub(in crate::native) fn open(&self, name: &str) -> io::Result<File> {
        match self.dir.look(name)?.kind {
            Kind::Link => self.blob(name, &self.dir.link(name)?),
            _ => self.dir.file(name),
        }
    }

    /// Opens the blob that the symlink `name` with the target `text` means. The blob may be a
    /// symlink into the store that repos share.
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
