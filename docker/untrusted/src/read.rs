//! Reads regular files with a size limit.

use std::{
    fs::File,
    io::{self, Read as _},
    path::Path,
};

use rustix::{
    fs::{self, Mode, OFlags},
    io::Errno,
};

use super::{
    dir::{Dir, regular},
    refused::Refused,
    stamp::{Kind, Stamp},
};

/// Opens the regular file `path`, which the user chose: symlinks in it are followed.
///
/// # Errors
/// When it is not found, permission is denied, or it is not a regular file.
pub fn file(path: impl AsRef<Path>) -> io::Result<File> {
    let path = path.as_ref();
    // Checked first: opening a device can have effects.
    match Stamp::of(&fs::stat(path)?).kind {
        Kind::File => {}
        kind => return Err(Refused::NotAFile(kind).into()),
    }
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let opened = match fs::open(path, flags | OFlags::NOATIME, Mode::empty()) {
        Err(Errno::PERM) => fs::open(path, flags, Mode::empty()),
        opened => opened,
    };
    let file = File::from(opened?);
    regular(&file)?;
    Ok(file)
}

/// The contents of an open regular file of at most `most` bytes.
///
/// # Errors
/// When the file is larger, or the disk fails.
pub fn bytes(file: File, most: u64) -> io::Result<Vec<u8>> {
    let size = regular(&file)?.size;
    if size > most {
        return Err(Refused::TooLarge(most).into());
    }
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0).min(1 << 20) + 1);
    // The file may still grow.
    file.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(Refused::TooLarge(most).into());
    }
    Ok(bytes)
}

impl Dir {
    /// Opens the regular file at `below` for reading. Its access time is kept if the user owns it.
    ///
    /// # Errors
    /// When it is not found, permission is denied, it is behind a symlink, or not a regular file.
    pub fn file(&self, below: impl AsRef<Path>) -> io::Result<File> {
        self.open_regular(below.as_ref(), OFlags::RDONLY)
    }

    /// Opens the regular file at `below` for reading and writing.
    ///
    /// # Errors
    /// As [`Dir::file`].
    pub fn file_to_write(&self, below: impl AsRef<Path>) -> io::Result<File> {
        self.open_regular(below.as_ref(), OFlags::RDWR)
    }

    fn open_regular(&self, below: &Path, how: OFlags) -> io::Result<File> {
        // Checked first: opening a device can have effects.
        let kind = self.look(below)?.kind;
        match kind {
            Kind::File => {}
            Kind::Link => return Err(Refused::Symlink.into()),
            kind => return Err(Refused::NotAFile(kind).into()),
        }
        // The entry may have been replaced by a FIFO meanwhile, which must not block.
        let flags = how | OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = File::from(self.open_without_trace(below, flags)?);
        regular(&file)?;
        Ok(file)
    }

    /// The contents of the regular file at `below` of at most `most` bytes.
    ///
    /// # Errors
    /// As [`Dir::file`], and when the file is larger.
    pub fn read(&self, below: impl AsRef<Path>, most: u64) -> io::Result<Vec<u8>> {
        bytes(self.file(below)?, most)
    }

    /// [`Dir::read`], or `None` when the file is not found.
    ///
    /// # Errors
    /// As [`Dir::read`].
    pub fn read_if_there(&self, below: impl AsRef<Path>, most: u64) -> io::Result<Option<Vec<u8>>> {
        match self.read(below, most) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            read => read.map(Some),
        }
    }

    /// Whether a regular file is at `below`.
    pub fn has_file(&self, below: impl AsRef<Path>) -> bool {
        self.look(below).is_ok_and(|stamp| stamp.kind == Kind::File)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::{fs::symlink, net::UnixListener},
    };

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::{Dir, Kind, Refused, bytes, file};

    #[test]
    fn only_regular_files_within_the_limit_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("file"), "12345").unwrap();
        fs::create_dir(at("folder")).unwrap();
        symlink("file", at("link")).unwrap();
        symlink("/dev/zero", at("zero")).unwrap();
        mknodat(CWD, at("fifo"), FileType::Fifo, Mode::RWXU, 0).unwrap();
        let _socket = UnixListener::bind(at("socket")).unwrap();
        fs::File::create(at("sparse")).unwrap().set_len(1 << 40).unwrap();
        let dir = Dir::open(folder.path()).unwrap();
        let refused = |name: &str| Refused::of(&dir.read(name, 5).unwrap_err()).unwrap();
        assert_eq!(dir.read("file", 5).unwrap(), b"12345");
        assert_eq!(Refused::of(&dir.read("file", 4).unwrap_err()), Some(Refused::TooLarge(4)));
        assert_eq!(refused("folder"), Refused::NotAFile(Kind::Folder));
        assert_eq!(refused("fifo"), Refused::NotAFile(Kind::Fifo));
        assert_eq!(refused("socket"), Refused::NotAFile(Kind::Other));
        assert_eq!(refused("sparse"), Refused::TooLarge(5));
        for link in ["link", "zero"] {
            assert_eq!(refused(link), Refused::Symlink);
        }
        assert_eq!(dir.read_if_there("none", 5).unwrap(), None);
        for name in ["folder", "fifo", "socket", "zero"] {
            assert!(matches!(
                Refused::of(&file(at(name)).unwrap_err()),
                Some(Refused::NotAFile(_))
            ));
        }
        assert_eq!(bytes(file(at("link")).unwrap(), 5).unwrap(), b"12345", "by choice");
        assert!(dir.has_file("file") && !dir.has_file("link") && !dir.has_file("fifo"));
    }

    #[test]
    fn reading_keeps_the_access_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "x").unwrap();
        let long_ago = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000);
        let times = fs::FileTimes::new().set_accessed(long_ago).set_modified(long_ago);
        fs::File::options().write(true).open(&path).unwrap().set_times(times).unwrap();
        let dir = Dir::open(folder.path()).unwrap();
        dir.read("file", 5).unwrap();
        assert_eq!(dir.look("file").unwrap().accessed.0, 1_000_000);
    }
}
