//! A name in a folder of a cache, reached without following a single link.

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

/// A name in an open folder.
#[derive(Debug)]
pub(super) struct Place {
    folder: Arc<Dir>,
    name: OsString,
}

impl Place {
    /// The place `below` the folder `root`.
    ///
    /// # Errors
    /// When a folder on the way is missing, closed or a link, or the path leads up.
    pub(super) fn find(root: &Path, below: &Path) -> io::Result<Self> {
        let name = below.file_name().ok_or(Refused::NotBelow)?;
        let above = below.parent().unwrap_or(Path::new(""));
        let folder = Arc::new(Dir::open(root)?.dir(above)?);
        Ok(Self { folder, name: name.to_owned() })
    }

    /// The same folder, another name.
    pub(super) fn beside(&self, name: impl AsRef<OsStr>) -> Self {
        Self { folder: Arc::clone(&self.folder), name: name.as_ref().to_owned() }
    }

    /// Its name.
    pub(super) fn name(&self) -> &OsStr {
        &self.name
    }

    /// What is there itself.
    pub(super) fn look(&self) -> io::Result<Stamp> {
        self.folder.look(&self.name)
    }

    /// Its kind.
    pub(super) fn kind(&self) -> io::Result<Kind> {
        Ok(self.look()?.kind)
    }

    /// Whether nothing is there.
    pub(super) fn is_free(&self) -> io::Result<bool> {
        match self.look() {
            Ok(_) => Ok(false),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// The text of the link that is there.
    pub(super) fn link(&self) -> io::Result<OsString> {
        Ok(OsString::from_vec(self.folder.link(&self.name)?))
    }

    /// Makes a link.
    pub(super) fn make_link(&self, text: &OsStr) -> io::Result<()> {
        before_a_change();
        self.folder.make_link(text, &self.name)
    }

    /// Makes a folder, if there is none.
    pub(super) fn make_folder(&self) -> io::Result<()> {
        before_a_change();
        self.folder.make_dir(&self.name)?;
        Ok(())
    }

    /// Opens the regular file that is there, to be read.
    pub(super) fn open(&self) -> io::Result<File> {
        self.folder.file(&self.name)
    }

    /// Opens the regular file that is there to lock it, which flock over NFS wants to be writable.
    pub(super) fn open_to_lock(&self) -> io::Result<File> {
        self.folder.file_to_write(&self.name)
    }

    /// Makes a new file, whose mode is `mode` whatever the umask is.
    pub(super) fn create(&self, mode: u32) -> io::Result<File> {
        before_a_change();
        let file = self.folder.create(&self.name, mode)?;
        fchmod(&file, Mode::from_raw_mode(mode))?;
        Ok(file)
    }

    /// Sets permissions, and never those of what a link leads to.
    pub(super) fn set_mode(&self, mode: u32) -> io::Result<()> {
        before_a_change();
        self.folder.set_mode(&self.name, mode)
    }

    /// Moves what is there to a place where nothing is.
    pub(super) fn move_to(&self, to: &Self) -> io::Result<()> {
        before_a_change();
        self.folder.rename(&self.name, &to.folder, &to.name)
    }

    /// Puts what is here in the place of what is there.
    pub(super) fn replace(&self, there: &Self) -> io::Result<()> {
        before_a_change();
        self.folder.replace(&self.name, &there.folder, &there.name)
    }

    /// Removes a name that is no folder's.
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

    use super::Place;

    #[test]
    fn no_link_is_followed_and_no_path_leads_up() {
        let folder = tempfile::tempdir().unwrap();
        let (root, outside) = (folder.path().join("cache"), folder.path().join("outside"));
        fs::create_dir_all(root.join("a")).unwrap();
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("f"), "").unwrap();
        symlink("../outside", root.join("link")).unwrap();
        symlink("../../outside/f", root.join("a/f")).unwrap();
        let find = |path: &str| Place::find(&root, Path::new(path));
        for path in ["link/f", "../outside/f", "/etc/passwd", "", ".", "a/../a/f"] {
            assert!(find(path).is_err(), "{path}");
        }
        let place = find("a/f").unwrap();
        assert!(place.set_mode(0o600).unwrap_err().to_string().contains("symlink"));
        assert!(place.open().is_err());
        place.remove().unwrap();
        assert!(outside.join("f").exists() && place.is_free().unwrap());
    }
}
