//! A folder of the user's own.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use untrusted::{Dir, Found, Kind};

use super::files::{Files, Look};

/// How deep a folder is searched for names: weights and rows lie near the top of theirs.
const LEVELS: usize = 4;

/// Its files. Its symlinks are the user's own, and followed.
#[derive(Debug)]
pub struct Local {
    folder: PathBuf,
    /// What a container sees, if one loads it.
    seen: Option<PathBuf>,
}

impl Local {
    /// The files in `folder`, loaded by a container that sees `seen` of this machine, if by one.
    pub fn new(folder: &Path, seen: Option<&Path>) -> Self {
        let seen = seen.and_then(|seen| seen.canonicalize().ok());
        Self { folder: folder.to_owned(), seen }
    }

    /// Whether the symlink at `path`, which leads to `real`, is one that the loader cannot follow.
    fn leads_out(&self, path: &Path, real: &Path) -> bool {
        let is_absolute = || fs::read_link(path).is_ok_and(|to| to.is_absolute());
        self.seen.as_ref().is_some_and(|seen| is_absolute() || !real.starts_with(seen))
    }
}

impl Files for Local {
    fn look(&self, name: &str) -> Look {
        let path = self.folder.join(name);
        let is_link = path.is_symlink();
        match fs::metadata(&path) {
            Ok(data) if is_link && data.is_file() => match path.canonicalize() {
                Ok(real) if self.leads_out(&path, &real) => Look::LeadsOut,
                _ => Look::There(data.len()),
            },
            Ok(data) if data.is_file() => Look::There(data.len()),
            Ok(_) => Look::Missing,
            Err(error) if error.kind() == io::ErrorKind::NotFound && is_link => Look::Dangling,
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Look::OutOfSight,
            Err(_) => Look::Missing,
        }
    }

    fn open(&self, name: &str) -> io::Result<Option<File>> {
        untrusted::file(self.folder.join(name)).map(Some)
    }

    fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        let Ok(dir) = Dir::open(&self.folder) else { return names };
        dir.walk(LEVELS, |found| {
            if let Found::Entry { path, stamp } = found
                && matches!(stamp.kind, Kind::File | Kind::Link)
                && let Some(name) = path.to_str()
            {
                names.push(name.to_owned());
            }
            true
        });
        names.sort();
        names
    }
}
