//! An entry of a cache, reached without following symlinks.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io,
    os::unix::ffi::OsStringExt as _,
    path::Path,
    sync::Arc,
};

use rustix::fs::{Mode, fchmod};
use untrusted::{Dir, Kind, Refused, Stamp};

use super::failpoint::before_a_change;

/// A name in an open folder, which may not exist.
#[derive(Debug)]
pub(super) struct Entry {
    folder: Arc<Dir>,
    name: OsString,
}

impl Entry {
    /// Opens the parent of the entry `below` the folder `root`.
    ///
    /// # Errors
    /// When a parent is missing, unreadable or a symlink, or the path has `..`.
    pub(super) fn find(root: &Path, below: &Path) -> io::Result<Self> {
        let name = below.file_name().ok_or(Refused::NotBelow)?;
        let above = below.parent().unwrap_or(Path::new(""));
        let folder = Arc::new(Dir::open(root)?.dir(above)?);
        Ok(Self { folder, name: name.to_owned() })
    }

    /// The entry `name` in the same folder.
    pub(super) fn beside(&self, name: impl AsRef<OsStr>) -> Self {
        Self { folder: Arc::clone(&self.folder), name: name.as_ref().to_owned() }
    }

    /// Name of the entry.
    pub(super) fn name(&self) -> &OsStr {
        &self.name
    }

    /// Kind, mode, size and times. Does not follow a symlink.
    pub(super) fn look(&self) -> io::Result<Stamp> {
        self.folder.look(&self.name)
    }

    /// Kind of the entry.
    pub(super) fn kind(&self) -> io::Result<Kind> {
        Ok(self.look()?.kind)
    }

    /// Whether the entry does not exist.
    pub(super) fn is_free(&self) -> io::Result<bool> {
        match self.look() {
            Ok(_) => Ok(false),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// Text of the symlink.
    pub(super) fn link(&self) -> io::Result<OsString> {
        Ok(OsString::from_vec(self.folder.link(&self.name)?))
    }

    /// Makes a symlink.
    pub(super) fn make_link(&self, text: &OsStr) -> io::Result<()> {
        before_a_change();
        self.folder.make_link(text, &self.name)
    }

    /// Makes a folder, unless it exists.
    pub(super) fn make_folder(&self) -> io::Result<()> {
        before_a_change();
        self.folder.make_dir(&self.name)?;
        Ok(())
    }

    /// Opens a regular file for reading.
    pub(super) fn open(&self) -> io::Result<File> {
        self.folder.file(&self.name)
    }

    /// Opens a regular file for locking. Over NFS, flock needs write access.
    pub(super) fn open_to_lock(&self) -> io::Result<File> {
        self.folder.file_to_write(&self.name)
    }

    /// Makes a new file with this mode, regardless of the umask.
    pub(super) fn create(&self, mode: u32) -> io::Result<File> {
        before_a_change();
        let file = self.folder.create(&self.name, mode)?;
        fchmod(&file, Mode::from_raw_mode(mode))?;
        Ok(file)
    }

    /// Sets permissions. Does not follow a symlink.
    pub(super) fn set_mode(&self, mode: u32) -> io::Result<()> {
        before_a_change();
        self.folder.set_mode(&self.name, mode)
    }

    /// Moves the entry to a free name.
    pub(super) fn move_to(&self, to: &Self) -> io::Result<()> {
        before_a_change();
        self.folder.rename(&self.name, &to.folder, &to.name)
    }

    /// Moves the entry over another one.
    pub(super) fn replace(&self, there: &Self) -> io::Result<()> {
        before_a_change();
        self.folder.replace(&self.name, &there.folder, &there.name)
    }

    /// Removes a file or symlink.
    pub(super) fn remove(&self) -> io::Result<()> {
        before_a_change();
        self.folder.remove(&self.name)
    }

    /// Removes an empty folder.
    pub(super) fn remove_folder(&self) -> io::Result<()> {
        before_a_change();
        self.folder.remove_dir(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink, path::Path};

    use super::Entry;

    #[test]
    fn symlinks_and_parent_references_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (root, outside) = (folder.path().join("cache"), folder.path().join("outside"));
        fs::create_dir_all(root.join("a")).unwrap();
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("f"), "").unwrap();
        symlink("../outside", root.join("link")).unwrap();
        symlink("../../outside/f", root.join("a/f")).unwrap();
        let find = |path: &str| Entry::find(&root, Path::new(path));
        for path in ["link/f", "../outside/f", "/etc/passwd", "", ".", "a/../a/f"] {
            assert!(find(path).is_err(), "{path}");
        }
        let entry = find("a/f").unwrap();
        assert!(entry.set_mode(0o600).unwrap_err().to_string().contains("symlink"));
        assert!(entry.open().is_err());
        entry.remove().unwrap();
        assert!(outside.join("f").exists() && entry.is_free().unwrap());
    }
}
