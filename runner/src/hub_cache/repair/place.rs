//! A name in a folder of a cache, reached without following a single link.

use std::{
    ffi::{OsStr, OsString},
    io,
    os::{
        fd::{AsRawFd as _, OwnedFd},
        unix::ffi::OsStrExt as _,
    },
    path::{Component, Path},
};

use rustix::fs::{self, AtFlags, FileType, Mode, OFlags, RenameFlags, Stat};

use super::cut::before_a_change;

/// A name in an open folder.
#[derive(Debug)]
pub(super) struct Place {
    folder: OwnedFd,
    name: OsString,
}

impl Place {
    /// The place `below` the folder `root`.
    ///
    /// # Errors
    /// When a folder on the way is missing, closed or a link, or the path leads up.
    pub(super) fn find(root: &Path, below: &Path) -> io::Result<Self> {
        let plain = below.components().all(|part| matches!(part, Component::Normal(_)));
        let (Some(name), true) = (below.file_name(), plain) else {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "it is no path below the cache",
            ));
        };
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let mut folder = fs::open(root, flags, Mode::empty())?;
        for part in below.parent().unwrap_or(Path::new("")) {
            folder = fs::openat(&folder, part, flags | OFlags::NOFOLLOW, Mode::empty())?;
        }
        Ok(Self { folder, name: name.to_owned() })
    }

    /// The same folder, another name.
    pub(super) fn beside(&self, name: impl AsRef<OsStr>) -> io::Result<Self> {
        Ok(Self { folder: self.folder.try_clone()?, name: name.as_ref().to_owned() })
    }

    /// Its name.
    pub(super) fn name(&self) -> &OsStr {
        &self.name
    }

    /// What is there itself.
    pub(super) fn look(&self) -> io::Result<Stat> {
        Ok(fs::statat(&self.folder, &self.name, AtFlags::SYMLINK_NOFOLLOW)?)
    }

    /// Its kind.
    pub(super) fn kind(&self) -> io::Result<FileType> {
        Ok(FileType::from_raw_mode(self.look()?.st_mode))
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
        let text = fs::readlinkat(&self.folder, &self.name, Vec::new())?;
        Ok(OsStr::from_bytes(text.to_bytes()).to_owned())
    }

    /// Makes a link.
    pub(super) fn make_link(&self, text: &OsStr) -> io::Result<()> {
        before_a_change();
        Ok(fs::symlinkat(text, &self.folder, &self.name)?)
    }

    /// Makes a folder, if there is none.
    pub(super) fn make_folder(&self) -> io::Result<()> {
        before_a_change();
        match fs::mkdirat(&self.folder, &self.name, Mode::from_raw_mode(0o777)) {
            Err(rustix::io::Errno::EXIST) if self.kind()? == FileType::Directory => Ok(()),
            made => Ok(made?),
        }
    }

    /// Opens the regular file that is there, to be read.
    pub(super) fn open(&self) -> io::Result<std::fs::File> {
        self.open_with(OFlags::RDONLY)
    }

    /// Opens what is there to lock it, which flock over NFS wants to be writable.
    pub(super) fn open_to_lock(&self) -> io::Result<std::fs::File> {
        self.open_with(OFlags::RDWR)
    }

    /// Makes a new file, whose mode is `mode` whatever the umask is.
    pub(super) fn create(&self, mode: u32) -> io::Result<std::fs::File> {
        before_a_change();
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(mode);
        let file = fs::openat(&self.folder, &self.name, flags, mode)?;
        fs::fchmod(&file, mode)?;
        Ok(file.into())
    }

    fn open_with(&self, how: OFlags) -> io::Result<std::fs::File> {
        let flags = how | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        Ok(fs::openat(&self.folder, &self.name, flags, Mode::empty())?.into())
    }

    /// Sets permissions, and never those of what a link leads to.
    pub(super) fn set_mode(&self, mode: u32) -> io::Result<()> {
        before_a_change();
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let itself = fs::openat(&self.folder, &self.name, flags, Mode::empty())?;
        if FileType::from_raw_mode(fs::fstat(&itself)?.st_mode) == FileType::Symlink {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is a link"));
        }
        let path = format!("/proc/self/fd/{}", itself.as_raw_fd());
        Ok(fs::chmod(path, Mode::from_raw_mode(mode))?)
    }

    /// Moves what is there to a place where nothing is.
    pub(super) fn move_to(&self, to: &Self) -> io::Result<()> {
        before_a_change();
        let (from, name) = (&self.folder, &self.name);
        match fs::renameat_with(from, name, &to.folder, &to.name, RenameFlags::NOREPLACE) {
            // Some file systems cannot promise that.
            Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) if to.is_free()? => {
                Ok(fs::renameat(from, name, &to.folder, &to.name)?)
            }
            done => Ok(done?),
        }
    }

    /// Puts what is here in the place of what is there.
    pub(super) fn replace(&self, there: &Self) -> io::Result<()> {
        before_a_change();
        Ok(fs::renameat(&self.folder, &self.name, &there.folder, &there.name)?)
    }

    /// Removes a name that is no folder's.
    pub(super) fn remove(&self) -> io::Result<()> {
        before_a_change();
        Ok(fs::unlinkat(&self.folder, &self.name, AtFlags::empty())?)
    }

    /// Removes an empty folder.
    pub(super) fn remove_folder(&self) -> io::Result<()> {
        before_a_change();
        Ok(fs::unlinkat(&self.folder, &self.name, AtFlags::REMOVEDIR)?)
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
        assert!(place.set_mode(0o600).unwrap_err().to_string().contains("is a link"));
        assert!(place.open().is_err());
        place.remove().unwrap();
        assert!(outside.join("f").exists() && place.is_free().unwrap());
    }
}
