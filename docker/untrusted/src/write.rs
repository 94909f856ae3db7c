//! Atomic writes, moves, new folders and symlinks.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io::{self, Write as _},
    path::Path,
};

use rustix::{
    fs::{self, AtFlags, Mode, OFlags, RenameFlags},
    io::Errno,
    rand::{GetRandomFlags, getrandom},
};

use super::{
    dir::{Dir, proc_path},
    refused::Refused,
    stamp::{Kind, Stamp},
};

/// Prefix of the names of temporary files.
pub const NEW: &str = ".aienergyscore-new-";

/// Mode of a new file before the umask.
const READABLE: u32 = 0o666;

/// A temporary file, deleted on drop unless it is kept.
#[derive(Debug)]
pub struct NewFile<'a> {
    dir: &'a Dir,
    name: OsString,
    file: File,
}

impl NewFile<'_> {
    /// The open file.
    pub const fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// Deletes it.
    ///
    /// # Errors
    /// When it cannot be deleted.
    pub fn remove(self) -> io::Result<()> {
        self.dir.remove(&self.name)
    }

    /// Renames it to `name`, and replaces a file of that name.
    ///
    /// # Errors
    /// When the disk is full or fails, or a folder has that name.
    pub fn replace(self, name: impl AsRef<OsStr>) -> io::Result<()> {
        self.file.sync_all()?;
        fs::renameat(self.dir, &self.name, self.dir, name.as_ref())?;
        Ok(())
    }

    /// Renames it to `name`, which must not exist.
    ///
    /// # Errors
    /// As [`NewFile::replace`], and when the name exists.
    pub fn keep_as(self, name: impl AsRef<OsStr>) -> io::Result<()> {
        self.file.sync_all()?;
        self.dir.rename(&self.name, self.dir, name)
    }
}

impl Drop for NewFile<'_> {
    fn drop(&mut self) {
        // Fails when it was renamed, which is right, or when its folder is gone.
        let _ = fs::unlinkat(self.dir, &self.name, AtFlags::empty());
    }
}

impl Dir {
    /// Creates the file `name`, which must not exist, with `mode` less the umask.
    ///
    /// # Errors
    /// When the name exists, even as a dangling symlink, or the folder cannot be written.
    pub fn create(&self, name: impl AsRef<OsStr>, mode: u32) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL;
        Ok(self.open_below(single(name.as_ref())?, flags, mode)?.into())
    }

    /// Creates a temporary file.
    ///
    /// # Errors
    /// When the folder cannot be written, or the system has no random numbers.
    pub fn new_file(&self, mode: u32) -> io::Result<NewFile<'_>> {
        loop {
            let name = OsString::from(random_name()?);
            match self.create(&name, mode) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                made => return made.map(|file| NewFile { dir: self, name, file }),
            }
        }
    }

    /// Replaces the file `name` atomically: a reader sees the old contents or the new ones.
    ///
    /// # Errors
    /// When the folder cannot be written or is full. The old file is kept then.
    pub fn write(&self, name: impl AsRef<OsStr>, bytes: &[u8]) -> io::Result<()> {
        let name = single(name.as_ref())?;
        let mut new = self.new_file(READABLE)?;
        new.file().write_all(bytes)?;
        new.replace(name)
    }

    /// Creates the file `name`, which must not exist, with these contents atomically.
    ///
    /// # Errors
    /// As [`Dir::write`], and when the name exists.
    pub fn write_new(&self, name: impl AsRef<OsStr>, bytes: &[u8]) -> io::Result<()> {
        let name = single(name.as_ref())?;
        let mut new = self.new_file(READABLE)?;
        new.file().write_all(bytes)?;
        new.keep_as(name)
    }

    /// Creates the folder `name` if it does not exist. Returns whether it was created.
    ///
    /// # Errors
    /// When the name is no folder; a symlink to a folder is none.
    pub fn make_dir(&self, name: impl AsRef<OsStr>) -> io::Result<bool> {
        let name = single(name.as_ref())?;
        match fs::mkdirat(self, name, Mode::from_raw_mode(0o777)) {
            Ok(()) => Ok(true),
            Err(Errno::EXIST) => match self.look(name)?.kind {
                Kind::Folder => Ok(false),
                Kind::Link => Err(Refused::Symlink.into()),
                _ => Err(Errno::EXIST.into()),
            },
            Err(error) => Err(error.into()),
        }
    }

    /// Moves the entry `name` to `other` in `to`, which must not exist.
    ///
    /// # Errors
    /// When the new name exists, or either folder cannot be written.
    pub fn rename(
        &self,
        name: impl AsRef<OsStr>,
        to: &Self,
        other: impl AsRef<OsStr>,
    ) -> io::Result<()> {
        let (name, other) = (single(name.as_ref())?, single(other.as_ref())?);
        match fs::renameat_with(self, name, to, other, RenameFlags::NOREPLACE) {
            // Not every file system supports NOREPLACE.
            Err(Errno::INVAL | Errno::NOSYS) => match to.look(other) {
                Ok(_) => Err(Errno::EXIST.into()),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    Ok(fs::renameat(self, name, to, other)?)
                }
                Err(error) => Err(error),
            },
            renamed => Ok(renamed?),
        }
    }

    /// Moves the entry `name` to `other` in `to`, and replaces an entry of that name.
    ///
    /// # Errors
    /// When either folder cannot be written, or a folder has that name.
    pub fn replace(
        &self,
        name: impl AsRef<OsStr>,
        to: &Self,
        other: impl AsRef<OsStr>,
    ) -> io::Result<()> {
        Ok(fs::renameat(self, single(name.as_ref())?, to, single(other.as_ref())?)?)
    }

    /// Creates the symlink `name`, which must not exist, with the target `text`.
    ///
    /// # Errors
    /// When the name exists, or the folder cannot be written.
    pub fn make_link(&self, text: impl AsRef<OsStr>, name: impl AsRef<OsStr>) -> io::Result<()> {
        Ok(fs::symlinkat(text.as_ref(), self, single(name.as_ref())?)?)
    }

    /// Sets the mode of the file or folder `name`. A symlink is not followed.
    ///
    /// # Errors
    /// When it is not found, a symlink, or owned by another user.
    pub fn set_mode(&self, name: impl AsRef<OsStr>, mode: u32) -> io::Result<()> {
        let itself = self.find(single(name.as_ref())?)?;
        if Stamp::of(&fs::fstat(&itself)?).kind == Kind::Link {
            return Err(Refused::Symlink.into());
        }
        // `fchmod` refuses a file that is open with O_PATH.
        Ok(fs::chmod(proc_path(&itself), Mode::from_raw_mode(mode))?)
    }

    /// Deletes the entry `name`, which is not a folder.
    ///
    /// # Errors
    /// When it is not found, a folder, or this folder cannot be written.
    pub fn remove(&self, name: impl AsRef<OsStr>) -> io::Result<()> {
        Ok(fs::unlinkat(self, single(name.as_ref())?, AtFlags::empty())?)
    }

    /// Deletes the empty folder `name`.
    ///
    /// # Errors
    /// When it is not found, not empty, or this folder cannot be written.
    pub fn remove_dir(&self, name: impl AsRef<OsStr>) -> io::Result<()> {
        Ok(fs::unlinkat(self, single(name.as_ref())?, AtFlags::REMOVEDIR)?)
    }
}

/// `name`, which must be a single name and no path.
fn single(name: &OsStr) -> io::Result<&Path> {
    let bytes = name.as_encoded_bytes();
    let is_name = !matches!(bytes, b"" | b"." | b"..") && !bytes.contains(&b'/');
    is_name.then_some(Path::new(name)).ok_or_else(|| Refused::NotBelow.into())
}

/// A random name of a temporary file, which nobody could guess.
///
/// # Errors
/// When the system has no random numbers.
pub fn random_name() -> io::Result<String> {
    let mut bytes = [0; 8];
    // Up to 256 bytes always come at once.
    getrandom(&mut bytes, GetRandomFlags::empty())?;
    Ok(format!("{NEW}{:016x}", u64::from_ne_bytes(bytes)))
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        io::{ErrorKind, Write as _},
        os::unix::fs::symlink,
        path::Path,
    };

    use super::{Dir, NEW, Refused};

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    }

    #[test]
    fn write_replaces_a_symlink_and_keeps_its_target() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("other"), "mine").unwrap();
        symlink("other", at("out")).unwrap();
        let dir = Dir::open(folder.path()).unwrap();
        dir.write("out", b"one").unwrap();
        assert!(!at("out").is_symlink());
        assert_eq!(fs::read_to_string(at("out")).unwrap(), "one");
        assert_eq!(fs::read_to_string(at("other")).unwrap(), "mine");
        assert_eq!(names(folder.path()), ["other", "out"]);
        fs::create_dir(at("in the way")).unwrap();
        assert!(dir.write("in the way", b"x").is_err());
        for name in ["a/b", "..", "", "."] {
            let error = dir.write(name, b"x").unwrap_err();
            assert_eq!(Refused::of(&error), Some(Refused::NotBelow), "{name}");
        }
        assert_eq!(names(folder.path()), ["in the way", "other", "out"]);
    }

    #[test]
    fn create_refuses_existing_names_and_dangling_symlinks() {
        let folder = tempfile::tempdir().unwrap();
        symlink("nowhere", folder.path().join("link")).unwrap();
        let dir = Dir::open(folder.path()).unwrap();
        dir.create("new", 0o600).unwrap().write_all(b"x").unwrap();
        for name in ["new", "link"] {
            assert_eq!(dir.create(name, 0o600).unwrap_err().kind(), ErrorKind::AlreadyExists);
            assert_eq!(dir.write_new(name, b"").unwrap_err().kind(), ErrorKind::AlreadyExists);
        }
        drop(dir.new_file(0o600).unwrap());
        dir.new_file(0o600).unwrap().remove().unwrap();
        assert_eq!(names(folder.path()), ["link", "new"]);
        let kept = dir.new_file(0o600).unwrap();
        assert!(names(folder.path())[0].starts_with(NEW));
        kept.keep_as("kept").unwrap();
        assert_eq!(names(folder.path()), ["kept", "link", "new"]);
    }

    #[test]
    fn mode_of_a_symlinks_target_is_not_changed() {
        let folder = tempfile::tempdir().unwrap();
        let dir = Dir::open(folder.path()).unwrap();
        fs::write(folder.path().join("file"), "").unwrap();
        dir.set_mode("file", 0o640).unwrap();
        dir.make_link("file", "link").unwrap();
        assert_eq!(dir.make_link("x", "file").unwrap_err().kind(), ErrorKind::AlreadyExists);
        let error = dir.set_mode("link", 0o777).unwrap_err();
        assert_eq!(Refused::of(&error), Some(Refused::Symlink));
        assert_eq!(dir.look("file").unwrap().mode, 0o640);
        dir.replace("link", &dir, "file").unwrap();
        assert_eq!(
            (dir.link("file").unwrap().as_slice(), names(folder.path()).len()),
            (b"file".as_slice(), 1)
        );
    }

    #[test]
    fn make_dir_refuses_a_symlink_to_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        symlink("/tmp", folder.path().join("link")).unwrap();
        fs::write(folder.path().join("file"), "").unwrap();
        let dir = Dir::open(folder.path()).unwrap();
        assert!(dir.make_dir("new").unwrap());
        assert!(!dir.make_dir("new").unwrap());
        let error = dir.make_dir("link").unwrap_err();
        assert_eq!(Refused::of(&error), Some(Refused::Symlink));
        assert_eq!(dir.make_dir("file").unwrap_err().kind(), ErrorKind::AlreadyExists);
    }

    #[test]
    fn rename_overwrites_nothing() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a"), "a").unwrap();
        fs::write(folder.path().join("b"), "b").unwrap();
        let dir = Dir::open(folder.path()).unwrap();
        dir.make_dir("to").unwrap();
        let to = dir.dir("to").unwrap();
        assert_eq!(dir.rename("a", &dir, "b").unwrap_err().kind(), ErrorKind::AlreadyExists);
        dir.rename("a", &to, "a").unwrap();
        assert_eq!((names(folder.path()), to.has_file("a")), (vec!["b".into(), "to".into()], true));
    }
}
