//! A folder of a cache, looked at by names below it: the only place where a scan meets the disk.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io::{self, Read as _},
    mem::MaybeUninit,
    os::{
        fd::{AsFd as _, OwnedFd},
        unix::ffi::OsStrExt as _,
    },
    path::Path,
};

use rustix::{
    fs::{self, AtFlags, FileType, Mode, OFlags, RawDir, Stat},
    io::Errno,
};

use super::reached::is_gone;

/// Bytes of a folder's list that are asked for at once.
const LISTED_AT_ONCE: usize = 64 * 1024;

/// How many folders are entered below one another. Programs open files by paths of 4,096 bytes at
/// most, and no repo nests even twenty folders; who made more meant harm.
pub(crate) const DEEPEST: usize = 200;

/// An open folder.
#[derive(Debug)]
pub(crate) struct Dir(OwnedFd);

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link.
    Link,
    /// A socket, a pipe or a device, which no cache has.
    Other,
}

/// What the kernel says of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// What it is.
    pub(crate) kind: Kind,
    /// Its file system.
    pub(crate) device: u64,
    /// Its number there.
    pub(crate) inode: u64,
    /// Bytes.
    pub(crate) size: u64,
    /// Last read, in seconds and nanoseconds since 1970.
    pub(crate) accessed: Time,
    /// Last change of its bytes.
    pub(crate) modified: Time,
    /// Last change of anything.
    pub(crate) changed: Time,
    /// Permissions, with set-uid, set-gid and sticky bits.
    pub(crate) mode: u32,
    /// Owner.
    pub(crate) uid: u32,
    /// Group.
    pub(crate) gid: u32,
}

/// Seconds and nanoseconds since 1970.
pub(crate) type Time = (i64, u32);

impl Dir {
    /// Opens a folder; links on the way and at its end are followed.
    ///
    /// # Errors
    /// When it is not there, closed, or no folder.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(fs::open(path, Self::flags(), Mode::empty())?))
    }

    /// Opens the folder `name` in this one; a link is followed.
    ///
    /// # Errors
    /// As [`Dir::open`].
    pub(crate) fn enter(&self, name: impl AsRef<OsStr>) -> io::Result<Self> {
        Ok(Self(fs::openat(&self.0, name.as_ref(), Self::flags(), Mode::empty())?))
    }

    fn flags() -> OFlags {
        OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC
    }

    /// Everything in it, in the order of the disk.
    ///
    /// # Errors
    /// When it cannot be listed.
    pub(crate) fn visit(&self, mut see: impl FnMut(&OsStr, Kind)) -> io::Result<()> {
        let mut buffer = vec![MaybeUninit::uninit(); LISTED_AT_ONCE];
        let mut list = RawDir::new(self.0.as_fd(), &mut buffer);
        while let Some(entry) = list.next() {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if name == b"." || name == b".." {
                continue;
            }
            let name = OsStr::from_bytes(name);
            let kind = match entry.file_type() {
                // Some file systems leave it to be asked for.
                FileType::Unknown => match self.look(name) {
                    Ok(stamp) => stamp.kind,
                    Err(error) if is_gone(&error) => continue,
                    Err(error) => return Err(error),
                },
                known => Kind::of(known),
            };
            see(name, kind);
        }
        Ok(())
    }

    /// Everything in it, sorted by name.
    ///
    /// # Errors
    /// When it cannot be listed.
    pub(crate) fn list(&self) -> io::Result<Vec<(OsString, Kind)>> {
        let mut list = Vec::new();
        self.visit(|name, kind| list.push((name.to_owned(), kind)))?;
        list.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        Ok(list)
    }

    /// What `name` itself is.
    ///
    /// # Errors
    /// When it is not there, or this folder is closed.
    pub(crate) fn look(&self, name: impl AsRef<OsStr>) -> io::Result<Stamp> {
        let stat = fs::statat(&self.0, name.as_ref(), AtFlags::SYMLINK_NOFOLLOW)?;
        Ok(Stamp::of(&stat))
    }

    /// What `name` leads to, links followed.
    ///
    /// # Errors
    /// As [`Dir::look`], for the way there, too.
    pub(crate) fn look_through(&self, name: impl AsRef<OsStr>) -> io::Result<Stamp> {
        Ok(Stamp::of(&fs::statat(&self.0, name.as_ref(), AtFlags::empty())?))
    }

    /// The text of the link `name`.
    ///
    /// # Errors
    /// When it is none.
    pub(crate) fn link(&self, name: impl AsRef<OsStr>) -> io::Result<Vec<u8>> {
        Ok(fs::readlinkat(&self.0, name.as_ref(), Vec::with_capacity(256))?.into_bytes())
    }

    /// The regular file `name`, opened to be read. A pipe in its place does not hold us up.
    ///
    /// # Errors
    /// When it is closed to this user.
    pub(crate) fn open_file(&self, name: impl AsRef<OsStr>) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        Ok(fs::openat(&self.0, name.as_ref(), flags, Mode::empty())?.into())
    }

    /// The bytes of the file `name`, links followed, `limit` at most.
    ///
    /// # Errors
    /// When it cannot be read, is larger, or no regular file: a device has no end.
    pub(crate) fn read(&self, name: impl AsRef<OsStr>, limit: u64) -> io::Result<Vec<u8>> {
        let file = match self.open_file(name) {
            // A socket, or a device without a driver.
            Err(error) if error.raw_os_error() == Some(Errno::NXIO.raw_os_error()) => {
                return Err(no_file());
            }
            opened => opened?,
        };
        let stamp = Stamp::of_file(&file)?;
        if stamp.kind != Kind::File {
            return Err(no_file());
        }
        let mut bytes = Vec::with_capacity(stamp.size.min(limit) as usize + 1);
        file.take(limit + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > limit {
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                format!("it is larger than {limit} bytes"),
            ));
        }
        Ok(bytes)
    }

    /// Whether `error` came of `name` having gone since this folder was listed. A link that leads
    /// nowhere is still there.
    pub(crate) fn has_lost(&self, name: impl AsRef<OsStr>, error: &io::Error) -> bool {
        is_gone(error) && self.look(name).is_err_and(|error| is_gone(&error))
    }

    /// What `read` makes of the folder `name`; none when it has gone since this folder was listed.
    /// One that was made anew meanwhile is read again.
    pub(crate) fn within<T>(
        &self,
        name: impl AsRef<OsStr>,
        read: impl Fn(Self) -> io::Result<T>,
    ) -> Option<io::Result<T>> {
        let name = name.as_ref();
        match self.enter(name).and_then(&read) {
            Err(error) if self.has_lost(name, &error) => None,
            Err(error) if is_gone(&error) => Some(self.enter(name).and_then(read)),
            read => Some(read),
        }
    }

    /// What the folder itself is.
    ///
    /// # Errors
    /// When its disk is gone.
    pub(crate) fn stamp(&self) -> io::Result<Stamp> {
        Ok(Stamp::of(&fs::fstat(&self.0)?))
    }
}

/// The error of what should be a file and is something else.
pub(crate) fn no_file() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file")
}

/// Whether [`Dir::read`] found something that holds no text for us, whoever may read it.
pub(crate) fn is_no_text(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::FileTooLarge)
}

/// The error of a folder below [`DEEPEST`] others, which is not entered. The kernel has the same
/// kind for a path that is too long.
pub(crate) fn too_deep() -> io::Error {
    let text = format!("it lies more than {DEEPEST} folders deep");
    io::Error::new(io::ErrorKind::InvalidFilename, text)
}

/// Whether an error is [`too_deep`], or the kernel's for such a path.
pub(crate) fn is_too_deep(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::InvalidFilename
}

impl Kind {
    fn of(kind: FileType) -> Self {
        match kind {
            FileType::RegularFile => Self::File,
            FileType::Directory => Self::Folder,
            FileType::Symlink => Self::Link,
            _ => Self::Other,
        }
    }
}

impl Stamp {
    /// What the kernel's answer says.
    fn of(stat: &Stat) -> Self {
        Self {
            kind: Kind::of(FileType::from_raw_mode(stat.st_mode)),
            device: stat.st_dev,
            inode: stat.st_ino,
            size: stat.st_size as u64,
            accessed: (stat.st_atime, stat.st_atime_nsec as u32),
            modified: (stat.st_mtime, stat.st_mtime_nsec as u32),
            changed: (stat.st_ctime, stat.st_ctime_nsec as u32),
            mode: stat.st_mode & 0o7777,
            uid: stat.st_uid,
            gid: stat.st_gid,
        }
    }

    /// What the kernel says of an open file.
    ///
    /// # Errors
    /// When its disk is gone.
    pub(crate) fn of_file(file: &File) -> io::Result<Self> {
        Ok(Self::of(&fs::fstat(file)?))
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::{Dir, Kind, Stamp};

    #[test]
    fn names_below_a_folder_are_seen_as_they_are() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("b"), "12345").unwrap();
        fs::create_dir(folder.path().join("a")).unwrap();
        symlink("b", folder.path().join("c")).unwrap();
        let dir = Dir::open(folder.path()).unwrap();
        let list = dir.list().unwrap();
        let expected = [("a", Kind::Folder), ("b", Kind::File), ("c", Kind::Link)];
        assert_eq!(list, expected.map(|(name, kind)| (name.into(), kind)));
        assert_eq!(dir.look("c").unwrap().kind, Kind::Link);
        let through = dir.look_through("c").unwrap();
        assert_eq!((through.kind, through.size), (Kind::File, 5));
        assert_eq!(Stamp::of_file(&dir.open_file("b").unwrap()).unwrap(), through);
        assert_eq!(dir.link("c").unwrap(), b"b");
        assert_eq!(dir.read("c", 5).unwrap(), b"12345");
        assert!(dir.read("b", 4).unwrap_err().to_string().contains("larger than 4"));
        assert!(dir.enter("b").is_err() && dir.enter("a").unwrap().list().unwrap().is_empty());
    }
}
