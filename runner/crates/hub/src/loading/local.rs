//! A model or dataset in a folder of the user.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use untrusted::{Dir, Found, Kind};

use super::files::{FileState, Files};

/// Maximum depth of the search for file names. Weights and data files are near the top.
const MAX_DEPTH: usize = 4;

/// The files of a folder. Its symlinks are followed, because the user made them.
#[derive(Debug)]
pub struct LocalFolder {
    folder: PathBuf,
    /// The folder that is mounted, if a container loads the files.
    mounted: Option<PathBuf>,
}

impl LocalFolder {
    /// The files in `folder`. A container that loads them sees only `mounted`.
    pub fn new(folder: &Path, mounted: Option<&Path>) -> Self {
        let mounted = mounted.and_then(|path| path.canonicalize().ok());
        Self { folder: folder.to_owned(), mounted }
    }

    /// Whether a container cannot follow the symlink at `path` to `real`.
    fn is_outside_mount(&self, path: &Path, real: &Path) -> bool {
        let is_absolute = || fs::read_link(path).is_ok_and(|to| to.is_absolute());
        self.mounted.as_ref().is_some_and(|mounted| is_absolute() || !real.starts_with(mounted))
    }
}

impl Files for LocalFolder {
    fn state(&self, name: &str) -> FileState {
        let path = self.folder.join(name);
        let is_link = path.is_symlink();
        match fs::metadata(&path) {
            Ok(data) if is_link && data.is_file() => match path.canonicalize() {
                Ok(real) if self.is_outside_mount(&path, &real) => FileState::OutsideMount,
                _ => FileState::Present(data.len()),
            },
            Ok(data) if data.is_file() => FileState::Present(data.len()),
            Ok(_) => FileState::Missing,
            Err(error) if error.kind() == io::ErrorKind::NotFound && is_link => FileState::Dangling,
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => FileState::Unreachable,
            Err(_) => FileState::Missing,
        }
    }

    fn open(&self, name: &str) -> io::Result<Option<File>> {
        untrusted::file(self.folder.join(name)).map(Some)
    }

    fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        let Ok(dir) = Dir::open(&self.folder) else { return names };
        dir.walk(MAX_DEPTH, |found| {
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
