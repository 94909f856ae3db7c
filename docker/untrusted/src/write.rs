//! Writes files whole or not at all, moves them and makes folders.

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
    dir::{Dir, name_of},
    refused::Refused,
    stamp::{Kind, Stamp},
};

/// What begins the name of a file that is being written.
pub const NEW: &str = ".aienergyscore-new-";

/// Permissions of a new file before the umask takes some away.
const READABLE: u32 = 0o666;

/// A file under a random name, which is removed again unless it is kept.
#[derive(Debug)]
pub struct NewFile<'a> {
    dir: &'a Dir,
    name: OsString,
    file: File,
}

impl NewFile<'_> {
    /// The file, to be written.
    pub const fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// Removes it again, and tells when that fails.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn remove(self) -> io::Result<()> {
        self.dir.remove(&self.name)
    }

    /// Gives it the name `name`, which may be another file's until then.
    ///
    /// # Errors
    /// When the disk is full or gone, or a folder has that name.
    pub fn replace(self, name: impl AsRef<OsStr>) -> io::Result<()> {
        self.file.sync_all()?;
        fs::renameat(self.dir, &self.name, self.dir, name.as_ref())?;
        Ok(())
    }

    /// Gives it the name `name`, which must be free.
    ///
    /// # Errors
    /// As [`NewFile::replace`], and when something has that name.
    pub fn keep_as(self, name: impl AsRef<OsStr>) -> io::Result<()> {
        self.file.sync_all()?;
        self.dir.rename(&self.name, self.dir, name)
    }
}

impl Drop for NewFile<'_> {
    fn drop(&mut self) {
        // It has another name by now, or its folder is gone.
        let _ = fs::unlinkat(self.dir, &self.name, AtFlags::empty());
    }
}

impl Dir {
    /// Makes the file `name`, which must not be there, for writing. The umask takes permissions
    /// away from `mode`.
    ///
    /// # Errors
    /// When something has that name, be it a symlink to nothing, or the folder cannot be written.
    pub fn create(&self, name: impl AsRef<OsStr>, mode: u32) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL;
        Ok(self.open_below(single(name.as_ref())?, flags, mode)?.into())
    }

    /// Makes a file under a random name.
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

    /// Makes the file `name` have these bytes: a reader sees the old file or the new one.
    ///
    /// # Errors
    /// When the folder cannot be written or is full; the old file is then as it was.
    pub fn write(&self, name: impl AsRef<OsStr>, bytes: &[u8]) -> io::Result<()> {
        let name = single(name.as_ref())?;
        let mut new = self.new_file(READABLE)?;
        new.file().write_all(bytes)?;
        new.replace(name)
    }

    /// Makes the file `name`, which must not be there, with these bytes.
    ///
    /// # Errors
    /// As [`Dir::write`], and when something has that name.
    pub fn write_new(&self, name: impl AsRef<OsStr>, bytes: &[u8]) -> io::Result<()> {
        let name = single(name.as_ref())?;
        let mut new = self.new_file(READABLE)?;
        new.file().write_all(bytes)?;
        new.keep_as(name)
    }

    /// Makes the folder `name` if it is missing; whether it had to be made.
    ///
    /// # Errors
    /// When something else has that name, a symlink to a folder among it.
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

    /// Moves the entry `name` to `to`, where nothing must have the name `other`.
    ///
    /// # Errors
    /// When something has that name, or either folder cannot be written.
    pub fn rename(
        &self,
        name: impl AsRef<OsStr>,
        to: &Self,
        other: impl AsRef<OsStr>,
    ) -> io::Result<()> {
        let (name, other) = (single(name.as_ref())?, single(other.as_ref())?);
        match fs::renameat_with(self, name, to, other, RenameFlags::NOREPLACE) {
            // Some file systems cannot promise that.
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

    /// Moves the entry `name` to `to`, in the place of what has the name `other` there.
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

    /// Makes the symlink `name`, which must not be there, with this text.
    ///
    /// # Errors
    /// When something has that name, or the folder cannot be written.
    pub fn make_link(&self, text: impl AsRef<OsStr>, name: impl AsRef<OsStr>) -> io::Result<()> {
        Ok(fs::symlinkat(text.as_ref(), self, single(name.as_ref())?)?)
    }

    /// Sets the permissions of the file or folder `name`, and never those of what a symlink leads
    /// to.
    ///
    /// # Errors
    /// When it is missing, a symlink, or somebody else's.
    pub fn set_mode(&self, name: impl AsRef<OsStr>, mode: u32) -> io::Result<()> {
        let itself = self.find(single(name.as_ref())?)?;
        if Stamp::of(&fs::fstat(&itself)?).kind == Kind::Link {
            return Err(Refused::Symlink.into());
        }
        // What is open as itself has no other name by which its mode can be set.
        Ok(fs::chmod(name_of(&itself), Mode::from_raw_mode(mode))?)
    }

    /// Removes the entry `name`, which is not a folder.
    ///
    /// # Errors
    /// When it is missing, a folder, or the folder cannot be written.
    pub fn remove(&self, name: impl AsRef<OsStr>) -> io::Result<()> {
        Ok(fs::unlinkat(self, single(name.as_ref())?, AtFlags::empty())?)
    }

    /// Removes the empty folder `name`.
    ///
    /// # Errors
    /// When it is missing, not empty, or the folder cannot be written.
    pub fn remove_dir(&self, name: impl AsRef<OsStr>) -> io::Result<()> {
        Ok(fs::unlinkat(self, single(name.as_ref())?, AtFlags::REMOVEDIR)?)
    }
}

/// `name`, if it is a single one.
fn single(name: &OsStr) -> io::Result<&Path> {
    let bytes = name.as_encoded_bytes();
    let is_name = !matches!(bytes, b"" | b"." | b"..") && !bytes.contains(&b'/');
    is_name.then_some(Path::new(name)).ok_or_else(|| Refused::NotBelow.into())
}

/// A name that nobody knew before.
///
/// # Errors
/// When the system has no random numbers.
pub fn random_name() -> io::Result<String> {
    let mut bytes = [0; 8];
    // So few bytes come at once.
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
    fn a_file_is_replaced_whole_and_a_symlink_in_its_place_is_not_followed() {
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
    fn what_is_created_was_not_there() {
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
    fn a_symlink_is_made_and_replaced_and_its_target_keeps_its_mode() {
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
    fn a_folder_is_made_once_and_never_behind_a_symlink() {
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
    fn a_move_overwrites_nothing() {
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
