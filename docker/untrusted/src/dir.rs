//! An open folder, and access to entries below it without following symlinks.

use std::{
    ffi::OsStr,
    fs::File,
    io,
    os::{
        fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd},
        unix::ffi::OsStrExt as _,
    },
    path::Path,
};

use rustix::{
    fs::{self, Access, AtFlags, Mode, OFlags},
    io::Errno,
};

use super::{
    refused::Refused,
    stamp::{Kind, Stamp},
};

/// An open folder. Its methods take paths below it, without `.` and `..`. An empty path is the
/// folder itself.
#[derive(Debug)]
pub struct Dir {
    folder: OwnedFd,
    /// Device number of the only file system that paths may enter, if there is a limit.
    device: Option<u64>,
}

/// Opens an entry itself: for its metadata and owner, not for its contents.
const ITSELF: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

impl Dir {
    /// Opens the folder `path`, which the user chose: symlinks in it are followed.
    ///
    /// # Errors
    /// When it is not found, permission is denied, or it is not a folder.
    pub fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self::of(fs::open(path.as_ref(), flags, Mode::empty())?))
    }

    /// Opens the folder `path`, which must not be a symlink itself.
    ///
    /// # Errors
    /// As [`Dir::open`].
    pub fn open_itself(path: impl AsRef<Path>) -> io::Result<Self> {
        let path = path.as_ref();
        match fs::open(path, ITSELF | OFlags::DIRECTORY, Mode::empty()) {
            Ok(folder) => Ok(Self::of(folder)),
            Err(Errno::NOTDIR | Errno::LOOP) if path.is_symlink() => Err(Refused::Symlink.into()),
            Err(error) => Err(error.into()),
        }
    }

    /// The same folder, limited to its own file system.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn on_one_file_system(self) -> io::Result<Self> {
        let device = Some(fs::fstat(&self.folder)?.st_dev);
        Ok(Self { device, ..self })
    }

    fn of(folder: OwnedFd) -> Self {
        Self { folder, device: None }
    }

    /// Opens the folder at `below`.
    ///
    /// # Errors
    /// When it is not found, permission is denied, it is not a folder, or it is behind a symlink.
    pub fn dir(&self, below: impl AsRef<Path>) -> io::Result<Self> {
        let below = below.as_ref();
        let opened = self.open_below(below, ITSELF | OFlags::DIRECTORY, 0);
        let folder = opened.map_err(|error| match self.look(below) {
            // The kernel's error for a symlink is "not a directory".
            Ok(Stamp { kind: Kind::Link, .. }) => Refused::Symlink.into(),
            _ => error,
        })?;
        Ok(Self { folder, device: self.device })
    }

    /// Opens the folder at `below`, or the target of a symlink there, which may be anywhere. The
    /// caller checks the folder before reading from it.
    ///
    /// # Errors
    /// When it is not found, permission is denied, it is not a folder, or a parent is a symlink.
    pub fn through(&self, below: impl AsRef<Path>) -> io::Result<Self> {
        let (parent, name) = self.parent(below.as_ref())?;
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self::of(fs::openat(parent.folder(), name, flags, Mode::empty())?))
    }

    /// Metadata of the entry at `below` itself.
    ///
    /// # Errors
    /// When it is not found, permission is denied, or it is behind a symlink.
    pub fn look(&self, below: impl AsRef<Path>) -> io::Result<Stamp> {
        let below = below.as_ref();
        // A single name needs no open parent.
        let is_name = is_plain(below.as_os_str().as_bytes())
            && !below.as_os_str().as_bytes().contains(&b'/')
            && !below.as_os_str().is_empty();
        let stat = if is_name && self.device.is_none() {
            fs::statat(&self.folder, below, AtFlags::SYMLINK_NOFOLLOW)?
        } else {
            fs::fstat(self.find(below)?)?
        };
        Ok(Stamp::of(&stat))
    }

    /// Metadata of the entry at `below`, or of the target of a symlink there. Nothing is opened.
    ///
    /// # Errors
    /// As [`Dir::look`], and for a dangling symlink.
    pub fn look_through(&self, below: impl AsRef<Path>) -> io::Result<Stamp> {
        let (parent, name) = self.parent(below.as_ref())?;
        Ok(Stamp::of(&fs::statat(parent.folder(), name, AtFlags::empty())?))
    }

    /// Whether this process has the access `how` to the entry at `below`, by owner, mode or access
    /// control list. A symlink is followed.
    ///
    /// # Errors
    /// As [`Dir::look_through`].
    pub fn may(&self, below: impl AsRef<Path>, how: Access) -> io::Result<bool> {
        let below = below.as_ref();
        let asked = match below.as_os_str().is_empty() {
            true => fs::accessat(&self.folder, ".", how, AtFlags::empty()),
            false => {
                let (parent, name) = self.parent(below)?;
                fs::accessat(parent.folder(), name, how, AtFlags::empty())
            }
        };
        match asked {
            Ok(()) => Ok(true),
            // A running program cannot be written, whatever the permissions.
            Err(Errno::TXTBSY) => Ok(true),
            Err(Errno::ACCESS | Errno::PERM | Errno::ROFS) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// The target of the symlink at `below`, as it is written there.
    ///
    /// # Errors
    /// As [`Dir::look`], and when it is no symlink.
    pub fn link(&self, below: impl AsRef<Path>) -> io::Result<Vec<u8>> {
        let (parent, name) = self.parent(below.as_ref())?;
        let text = fs::readlinkat(parent.folder(), name, Vec::with_capacity(256))?;
        Ok(text.into_bytes())
    }

    /// Opens the entry at `below` itself: for its metadata and owner, not for its contents.
    ///
    /// # Errors
    /// As [`Dir::look`].
    pub fn find(&self, below: impl AsRef<Path>) -> io::Result<OwnedFd> {
        self.open_below(below.as_ref(), ITSELF, 0)
    }

    /// The parent of the entry at `below`, and the entry's name.
    pub(crate) fn parent<'a>(&self, below: &'a Path) -> io::Result<(Parent<'_>, &'a OsStr)> {
        let name = below.file_name().filter(|_| is_plain(below.as_os_str().as_bytes()));
        let name = name.ok_or(Refused::NotBelow)?;
        match below.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            None => Ok((Parent::Same(self.folder.as_fd()), name)),
            Some(parent) => {
                let folder = self.open_below(parent, ITSELF | OFlags::DIRECTORY, 0)?;
                Ok((Parent::Other(folder), name))
            }
        }
    }

    /// Opens the entry at `below` with these flags, and never through a symlink.
    pub(crate) fn open_below(&self, below: &Path, flags: OFlags, mode: u32) -> io::Result<OwnedFd> {
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(mode);
        let bytes = below.as_os_str().as_bytes();
        if !is_plain(bytes) {
            return Err(Refused::NotBelow.into());
        }
        if bytes.is_empty() && flags.contains(OFlags::PATH) {
            // Opening `.` would need search permission in the folder.
            return Ok(rustix::io::fcntl_dupfd_cloexec(&self.folder, 0)?);
        }
        if bytes.is_empty() {
            return Ok(fs::openat(&self.folder, ".", flags, mode)?);
        }
        let mut parts = bytes.split(|byte| *byte == b'/').map(OsStr::from_bytes).peekable();
        let mut here: Option<OwnedFd> = None;
        while let Some(part) = parts.next() {
            let folder = here.as_ref().map_or(self.folder.as_fd(), AsFd::as_fd);
            let is_last = parts.peek().is_none();
            let flags = if is_last { flags } else { ITSELF | OFlags::DIRECTORY };
            let opened = match fs::openat(folder, part, flags, mode) {
                Err(Errno::NOTDIR) if is_link(folder, part) => return Err(Refused::Symlink.into()),
                opened => opened.map_err(why)?,
            };
            if self
                .device
                .is_some_and(|device| fs::fstat(&opened).is_ok_and(|it| it.st_dev != device))
            {
                return Err(Refused::OtherFileSystem.into());
            }
            here = Some(opened);
        }
        here.ok_or_else(|| Refused::NotBelow.into())
    }

    /// [`Dir::open_below`] that keeps the access time, which the kernel allows to the owner only.
    pub(crate) fn open_without_trace(&self, below: &Path, flags: OFlags) -> io::Result<OwnedFd> {
        match self.open_below(below, flags | OFlags::NOATIME, 0) {
            Err(error) if Errno::from_io_error(&error) == Some(Errno::PERM) => {
                self.open_below(below, flags, 0)
            }
            opened => opened,
        }
    }
}

impl AsFd for Dir {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.folder.as_fd()
    }
}

/// Parent of an entry.
pub(crate) enum Parent<'a> {
    Same(BorrowedFd<'a>),
    Other(OwnedFd),
}

impl Parent<'_> {
    pub(crate) fn folder(&self) -> BorrowedFd<'_> {
        match self {
            Self::Same(folder) => *folder,
            Self::Other(folder) => folder.as_fd(),
        }
    }
}

fn is_link(folder: BorrowedFd<'_>, name: &OsStr) -> bool {
    let stat = fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW);
    stat.is_ok_and(|stat| Stamp::of(&stat).kind == Kind::Link)
}

fn why(errno: Errno) -> io::Error {
    match errno {
        Errno::LOOP => Refused::Symlink.into(),
        Errno::XDEV => Refused::OtherFileSystem.into(),
        errno => errno.into(),
    }
}

/// Whether `path` is relative, without `.`, `..` and empty names, or empty.
pub fn is_plain(path: &[u8]) -> bool {
    let is_name = |part: &[u8]| !matches!(part, b"" | b"." | b"..");
    path.is_empty() || path.split(|byte| *byte == b'/').all(is_name)
}

/// Path in `/proc` of an open entry.
pub fn proc_path(entry: impl AsFd) -> String {
    format!("/proc/self/fd/{}", entry.as_fd().as_raw_fd())
}

/// Metadata of an open file, which must be a regular one.
pub(crate) fn regular(file: &File) -> io::Result<Stamp> {
    let stamp = Stamp::of_file(file)?;
    match stamp.kind {
        Kind::File => Ok(stamp),
        kind => Err(Refused::NotAFile(kind).into()),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::fs::{MetadataExt as _, symlink},
        path::Path,
    };

    use super::{Dir, Refused, is_plain};

    #[test]
    fn plain_paths_have_no_dots_and_no_empty_names() {
        for path in ["", "a", "a/b", ".a/..b", "-", "a\n:,\"b", "..."] {
            assert!(is_plain(path.as_bytes()), "{path:?}");
        }
        for path in ["/", "/a", "a/", "a//b", ".", "./a", "..", "a/../b", "a/.."] {
            assert!(!is_plain(path.as_bytes()), "{path:?}");
        }
    }

    #[test]
    fn symlinks_and_paths_out_of_the_folder_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        fs::create_dir_all(at("a/b")).unwrap();
        fs::write(at("a/b/file"), "").unwrap();
        symlink("b", at("a/link")).unwrap();
        symlink("nowhere", at("dangling")).unwrap();
        let dir = Dir::open(folder.path()).unwrap();
        for path in ["a", "a/b", "a/b/file", "a/link", "dangling"] {
            let inode = dir.look(path).unwrap().inode;
            assert_eq!(inode, fs::symlink_metadata(at(path)).unwrap().ino(), "{path}");
        }
        for path in ["a/link/file", "dangling/x"] {
            let error = dir.look(path).unwrap_err();
            assert_eq!(Refused::of(&error), Some(Refused::Symlink), "{path}: {error}");
        }
        for path in ["/a", "a/..", "../x", "a//b"] {
            let error = dir.find(path).unwrap_err();
            assert_eq!(Refused::of(&error), Some(Refused::NotBelow), "{path}: {error}");
        }
        assert_eq!(dir.look("a/none").unwrap_err().kind(), std::io::ErrorKind::NotFound);
        assert!(dir.dir("a/b").unwrap().look("file").is_ok());
        let refused = Refused::of(&dir.dir("a/link").unwrap_err());
        assert_eq!(refused, Some(Refused::Symlink));
        assert!(dir.dir("a/b/file").is_err());
        assert_eq!(dir.link("a/link").unwrap(), b"b");
        assert!(dir.look_through("dangling").is_err());

        let one = Dir::open("/").unwrap().on_one_file_system().unwrap();
        let error = one.find("proc/self/status").unwrap_err();
        assert_eq!(Refused::of(&error), Some(Refused::OtherFileSystem), "{error}");
    }

    #[test]
    fn folder_without_permissions_has_metadata() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o000)).unwrap();
        let dir = Dir::open_itself(folder.path()).unwrap();
        assert_eq!(dir.look("").unwrap().mode, 0);
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
    }

    #[test]
    fn folder_behind_a_symlink_is_opened_by_through_only() {
        let folder = tempfile::tempdir().unwrap();
        symlink("/tmp", folder.path().join("link")).unwrap();
        let error = Dir::open_itself(folder.path().join("link")).unwrap_err();
        assert_eq!(Refused::of(&error), Some(Refused::Symlink));
        assert!(Dir::open(folder.path().join("link")).is_ok());
        let dir = Dir::open(folder.path()).unwrap();
        assert!(dir.dir("link").is_err());
        let tmp = Dir::open("/tmp").unwrap().look("").unwrap().inode;
        assert_eq!(dir.through("link").unwrap().look("").unwrap().inode, tmp);
        assert!(Dir::open_itself(Path::new("/tmp")).is_ok());
    }
}
