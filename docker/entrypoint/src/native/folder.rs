//! A folder with a model's or a dataset's files: a snapshot of a Hub cache, or one of the user's.
//!
//! The files of a snapshot are symlinks to blobs. They are resolved by their names, because a
//! container of an earlier run may have made any of them lead to another file.

use std::{
    ffi::OsStr,
    fs::File,
    io,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};

use contract::hub::{BLOBS, LARGEST_REF, Part, SNAPSHOTS, enter, in_store};
use untrusted::{Dir, Kind, Refused, is_plain};

/// How many folders lie below one another at most.
const DEEPEST: usize = 20;

/// A folder.
#[derive(Debug)]
pub(super) struct Folder {
    /// Where it is, for messages.
    pub(super) path: PathBuf,
    dir: Dir,
    repo: Option<Repo>,
}

/// The repo that a folder is a snapshot of.
#[derive(Debug)]
struct Repo {
    path: PathBuf,
    hub: Dir,
    dir: Dir,
    /// The way from `snapshots` to the folder.
    below: PathBuf,
}

impl Folder {
    /// The snapshot of the repo in the folder `name` of `cache` that `main` names, and its commit;
    /// none when the cache has nothing of it.
    pub(super) fn of_main(cache: &Path, name: &str) -> io::Result<Option<(Self, String)>> {
        let missing = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
        let hub = match Dir::open(cache) {
            Err(error) if missing(&error) => return Ok(None),
            hub => hub?,
        };
        let dir = match enter(&hub, name, Part::Repo) {
            Err(error) if missing(&error) => return Ok(None),
            entered => entered?.0,
        };
        let Some(commit) = dir.read_if_there("refs/main", LARGEST_REF)? else { return Ok(None) };
        let commit = String::from_utf8_lossy(&commit).trim().to_owned();
        let repo = Repo { path: cache.join(name), hub, dir, below: commit.clone().into() };
        Ok(Some((Self::of_snapshot(repo)?, commit)))
    }

    fn of_snapshot(repo: Repo) -> io::Result<Self> {
        let (snapshots, _) = enter(&repo.dir, SNAPSHOTS, Part::Snapshots)?;
        let dir = snapshots.dir(&repo.below)?;
        let path = repo.path.join(SNAPSHOTS).join(&repo.below);
        Ok(Self { path, dir, repo: Some(repo) })
    }

    /// The folder at `path`, which the user has named. It may be a snapshot all the same.
    #[cfg(feature = "native")]
    pub(super) fn chosen(path: &Path) -> io::Result<Self> {
        let real = path.canonicalize()?;
        let repo = real.ancestors().skip(2).find_map(|repo| {
            let name = repo.file_name()?.to_str()?;
            let is_repo = ["models--", "datasets--"].iter().any(|begin| name.starts_with(begin));
            let below = real.strip_prefix(repo.join(SNAPSHOTS)).ok().filter(|_| is_repo)?;
            Some((repo, name, below))
        });
        let Some((repo, name, below)) = repo else {
            return Ok(Self { path: path.to_owned(), dir: Dir::open(&real)?, repo: None });
        };
        let hub = Dir::open(repo.parent().unwrap_or(repo))?;
        let dir = enter(&hub, name, Part::Repo)?.0;
        Self::of_snapshot(Repo { path: repo.to_owned(), hub, dir, below: below.to_owned() })
    }

    /// The files below it whose names are text, sorted, by their names from there. `sees` tells
    /// whether an entry of this name counts.
    pub(super) fn files(&self, sees: impl Fn(&str) -> bool) -> io::Result<Vec<String>> {
        let mut files = Vec::new();
        let mut ahead = vec![(String::new(), self.dir.dir("")?, 0)];
        while let Some((prefix, dir, depth)) = ahead.pop() {
            for (name, kind) in dir.list()? {
                let Some(name) = name.to_str().filter(|name| sees(name)) else { continue };
                let path = format!("{prefix}{name}");
                match self.folder(&dir, name, kind)? {
                    None => files.push(path),
                    Some(_) if depth == DEEPEST => {
                        let why = format!("`{path}` lies more than {DEEPEST} folders deep");
                        return Err(io::Error::new(io::ErrorKind::InvalidFilename, why));
                    }
                    Some(inner) => ahead.push((format!("{path}/"), inner, depth + 1)),
                }
            }
        }
        files.sort();
        Ok(files)
    }

    /// The folder `name` of `dir`, if it is one: in a folder of the user's also behind a symlink.
    fn folder(&self, dir: &Dir, name: &str, kind: Kind) -> io::Result<Option<Dir>> {
        let leads_to_one = || dir.look_through(name).is_ok_and(|it| it.kind == Kind::Folder);
        match kind {
            Kind::Folder => dir.dir(name).map(Some),
            Kind::Link if self.repo.is_none() && leads_to_one() => dir.through(name).map(Some),
            _ => Ok(None),
        }
    }

    /// Opens one of its files.
    ///
    /// # Errors
    /// When it is missing, closed, no regular file, or a symlink of a snapshot to something else
    /// than a blob.
    pub(super) fn open(&self, name: &str) -> io::Result<File> {
        match &self.repo {
            None => untrusted::file(self.path.join(name)),
            Some(repo) => match self.dir.look(name)?.kind {
                Kind::Link => repo.open(Path::new(name), &self.dir.link(name)?),
                _ => self.dir.file(name),
            },
        }
    }
}

impl Repo {
    /// Opens what the symlink at `name` in the folder leads to by its `text`: a blob, whose bytes may
    /// lie in the store that repos share.
    fn open(&self, name: &Path, text: &[u8]) -> io::Result<File> {
        let up = self.below.join(name).iter().count();
        let blobs = [self.path.as_os_str().as_bytes(), b"/blobs/"].concat();
        let relative = [b"../".repeat(up), b"blobs/".to_vec()].concat();
        let blob = [relative, blobs].iter().find_map(|begin| text.strip_prefix(begin.as_slice()));
        let blob = blob.filter(|blob| !blob.is_empty() && is_plain(blob) && !blob.contains(&b'/'));
        let blob = OsStr::from_bytes(blob.ok_or(Refused::Symlink)?);
        let (blobs, _) = enter(&self.dir, BLOBS, Part::Blobs)?;
        match blobs.look(blob)?.kind {
            Kind::Link => self.hub.file(in_store(&blobs.link(blob)?).ok_or(Refused::Symlink)?),
            _ => blobs.file(blob),
        }
    }
}
