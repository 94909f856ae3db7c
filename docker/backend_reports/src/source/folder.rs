//! A results folder, which a container or another user may write to at any time.

use std::{
    io,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use contract::output;
use untrusted::{Dir, escape};

/// A results folder: opened once, and how it is called in messages. Nothing in it is reached
/// through a symlink.
#[derive(Debug)]
pub struct Folder {
    dir: Dir,
    path: PathBuf,
}

impl Folder {
    /// Opens the folder `path`, which is the user's own choice: symlinks in it are followed.
    ///
    /// # Errors
    /// When it is missing, out of reach, or not a folder.
    pub fn open(path: impl Into<PathBuf>) -> anyhow::Result<Self> {
        let path = path.into();
        let shown = escape(&path.to_string_lossy());
        match Dir::open(&path) {
            Ok(dir) => Ok(Self { dir, path }),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) =>
            {
                bail!("there is no folder `{shown}`; name the one that holds `{}`", output::REPORT)
            }
            Err(error) => Err(error).with_context(|| format!("opening the folder `{shown}`")),
        }
    }

    /// The open folder `dir`, called `path`.
    pub fn of(dir: Dir, path: impl Into<PathBuf>) -> Self {
        Self { dir, path: path.into() }
    }

    /// The folder itself.
    pub const fn dir(&self) -> &Dir {
        &self.dir
    }

    /// How it is called.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How the entry `name` is called in a message; without a name, the folder.
    pub fn shown(&self, name: &str) -> String {
        // What is joined to an empty path gets a slash.
        let path = if name.is_empty() { self.path.clone() } else { self.path.join(name) };
        escape(&path.to_string_lossy())
    }

    /// Writes the output `name` whole or not at all. Its last line is ended.
    ///
    /// # Errors
    /// When the folder cannot be written or is full; an earlier output is then as it was.
    pub fn write(&self, name: &str, text: &str) -> anyhow::Result<()> {
        let end = if text.ends_with('\n') { "" } else { "\n" };
        let written = self.dir.write(name, format!("{text}{end}").as_bytes());
        written.with_context(|| {
            format!("writing `{}`; check the space and the rights in that folder", self.shown(name))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::Folder;

    #[test]
    fn an_output_is_replaced_and_nothing_is_left_beside_it() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::open(place.path()).unwrap();
        folder.write("a.txt", "long old text").unwrap();
        folder.write("a.txt", "new").unwrap();
        assert_eq!(fs::read_to_string(place.path().join("a.txt")).unwrap(), "new\n");
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_failure_names_the_file_and_leaves_no_half() {
        let place = tempfile::tempdir().unwrap();
        fs::create_dir_all(place.path().join("a.txt/in the way")).unwrap();
        let folder = Folder::open(place.path()).unwrap();
        let error = format!("{:#}", folder.write("a.txt", "new").unwrap_err());
        assert!(error.contains(&place.path().join("a.txt").display().to_string()), "{error}");
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_symlink_in_the_place_of_an_output_is_replaced() {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join("mine"), "precious").unwrap();
        symlink("mine", place.path().join("a.txt")).unwrap();
        Folder::open(place.path()).unwrap().write("a.txt", "new").unwrap();
        assert_eq!(fs::read_to_string(place.path().join("mine")).unwrap(), "precious");
        assert!(!place.path().join("a.txt").is_symlink());
    }

    #[test]
    fn what_is_no_folder_is_told() {
        let error = Folder::open("/no\nwhere").unwrap_err().to_string();
        assert!(error.starts_with("there is no folder `/no\\nwhere`; name the one"), "{error}");
    }
}
