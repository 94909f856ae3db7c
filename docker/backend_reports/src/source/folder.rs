//! A results folder. A container or another user may write to it at any time.

use std::{
    io,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use contract::output;
use untrusted::{Dir, escape};

/// An open results folder, and its path for messages. Symlinks in it are not followed.
#[derive(Debug)]
pub struct Folder {
    dir: Dir,
    path: PathBuf,
}

impl Folder {
    /// Opens the folder `path`. The user chose the path, so its symlinks are followed.
    ///
    /// # Errors
    /// When it is missing, unreadable or not a folder.
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

    /// The open folder `dir`, with `path` for messages.
    pub fn of(dir: Dir, path: impl Into<PathBuf>) -> Self {
        Self { dir, path: path.into() }
    }

    /// The open folder.
    pub const fn dir(&self) -> &Dir {
        &self.dir
    }

    /// Path for messages.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Path of the entry `name` for messages; for an empty name, of the folder.
    pub fn shown(&self, name: &str) -> String {
        // Joining an empty name would append a slash.
        let path = if name.is_empty() { self.path.clone() } else { self.path.join(name) };
        escape(&path.to_string_lossy())
    }

    /// Writes the output `name` atomically. Adds a final line break.
    ///
    /// # Errors
    /// When the folder is read-only or full. An earlier output is kept.
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
    fn output_is_replaced_without_leftovers() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::open(place.path()).unwrap();
        folder.write("a.txt", "long old text").unwrap();
        folder.write("a.txt", "new").unwrap();
        assert_eq!(fs::read_to_string(place.path().join("a.txt")).unwrap(), "new\n");
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
    }

    #[test]
    fn failed_write_names_the_file_and_keeps_the_old_output() {
        let place = tempfile::tempdir().unwrap();
        fs::create_dir_all(place.path().join("a.txt/in the way")).unwrap();
        let folder = Folder::open(place.path()).unwrap();
        let error = format!("{:#}", folder.write("a.txt", "new").unwrap_err());
        assert!(error.contains(&place.path().join("a.txt").display().to_string()), "{error}");
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
    }

    #[test]
    fn symlink_in_place_of_an_output_is_replaced() {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join("mine"), "precious").unwrap();
        symlink("mine", place.path().join("a.txt")).unwrap();
        Folder::open(place.path()).unwrap().write("a.txt", "new").unwrap();
        assert_eq!(fs::read_to_string(place.path().join("mine")).unwrap(), "precious");
        assert!(!place.path().join("a.txt").is_symlink());
    }

    #[test]
    fn missing_folder_is_refused() {
        let error = Folder::open("/no\nwhere").unwrap_err().to_string();
        assert!(error.starts_with("there is no folder `/no\\nwhere`; name the one"), "{error}");
    }
}
