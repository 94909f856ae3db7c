//! An open folder, and entries below it, reached without following a single symlink.

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

/// An open folder. Every path that its methods take lies below it: of plain names, or empty for the
/// folder itself.
#[derive(Debug)]
pub struct Dir {
    folder: OwnedFd,
    /// The file system that it does not leave, if that was asked for.
    device: Option<u64>,
}

/// An entry itself: it can be looked at and given away, and not read.
const ITSELF: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

impl Dir {
    /// Opens the folder `path`, which is the user's own choice: symlinks in it are followed.
    ///
    /// # Errors
    /// When it is missing, out of reach, or not a folder.
    pub fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self::of(fs::open(path.as_ref(), flags, Mode::empty())?))
    }

    /// Opens the folder `path`, whose last name must not be a symlink.
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

    /// The same folder, from which no path leads to another file system.
    ///
    /// # Errors
    /// When its disk is gone.
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
    /// When it is missing, out of reach, not a folder, or behind a symlink.
    pub fn dir(&self, below: impl AsRef<Path>) -> io::Result<Self> {
        let below = below.as_ref();
        let opened = self.open_below(below, ITSELF | OFlags::DIRECTORY, 0);
        let folder = opened.map_err(|error| match self.look(below) {
            // A symlink itself is no folder, the kernel says.
            Ok(Stamp { kind: Kind::Link, .. }) => Refused::Symlink.into(),
            _ => error,
        })?;
        Ok(Self { folder, device: self.device })
    }

    /// Opens the folder at `below`, or the one that a symlink there leads to, wherever that is. The
    /// caller judges what was opened before it reads any of it.
    ///
    /// # Errors
    /// When it is missing, out of reach, or not a folder, or another symlink is on the way.
    pub fn through(&self, below: impl AsRef<Path>) -> io::Result<Self> {
        let (parent, name) = self.parent(below.as_ref())?;
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self::of(fs::openat(parent.folder(), name, flags, Mode::empty())?))
    }

    /// What the entry at `below` itself is.
    ///
    /// # Errors
    /// When it is missing, out of reach, or behind a symlink.
    pub fn look(&self, below: impl AsRef<Path>) -> io::Result<Stamp> {
        let below = below.as_ref();
        // A single name needs no way there.
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

    /// What the entry at `below` leads to when it is a symlink, wherever that is. The kernel looks,
    /// and nothing is opened.
    ///
    /// # Errors
    /// As [`Dir::look`], and when it leads nowhere.
    pub fn look_through(&self, below: impl AsRef<Path>) -> io::Result<Stamp> {
        let (parent, name) = self.parent(below.as_ref())?;
        Ok(Stamp::of(&fs::statat(parent.folder(), name, AtFlags::empty())?))
    }

    /// Whether the kernel lets this process do `how` with the entry at `below`, whatever grants that:
    /// owner, mode or an access control list. A symlink is followed.
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
            // A program that runs cannot be written now; that is no matter of rights.
            Err(Errno::TXTBSY) => Ok(true),
            Err(Errno::ACCESS | Errno::PERM | Errno::ROFS) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// The text of the symlink at `below`.
    ///
    /// # Errors
    /// As [`Dir::look`], and when it is no symlink.
    pub fn link(&self, below: impl AsRef<Path>) -> io::Result<Vec<u8>> {
        let (parent, name) = self.parent(below.as_ref())?;
        let text = fs::readlinkat(parent.folder(), name, Vec::with_capacity(256))?;
        Ok(text.into_bytes())
    }

    /// Opens the entry at `below` as itself: it can be looked at and given away, and not read.
    ///
    /// # Errors
    /// As [`Dir::look`].
    pub fn find(&self, below: impl AsRef<Path>) -> io::Result<OwnedFd> {
        self.open_below(below.as_ref(), ITSELF, 0)
    }

    /// The folder that the entry at `below` lies in, and its name there.
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
            // Not by a name in it, which a folder that is closed to us does not have.
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

    /// [`Dir::open_below`] without a trace in the time of last access, where the kernel allows that:
    /// it does to the owner.
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

/// A folder that an entry lies in.
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

/// Whether `path` is one of plain names below a folder, or empty.
pub fn is_plain(path: &[u8]) -> bool {
    let is_name = |part: &[u8]| !matches!(part, b"" | b"." | b"..");
    path.is_empty() || path.split(|byte| *byte == b'/').all(is_name)
}

/// A name for an open entry, by which the kernel finds that very entry.
pub fn name_of(entry: impl AsFd) -> String {
    format!("/proc/self/fd/{}", entry.as_fd().as_raw_fd())
}

/// What an open file is, if it is a regular one.
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
    fn a_plain_path_never_leads_up_or_away() {
        for path in ["", "a", "a/b", ".a/..b", "-", "a\n:,\"b", "..."] {
            assert!(is_plain(path.as_bytes()), "{path:?}");
        }
        for path in ["/", "/a", "a/", "a//b", ".", "./a", "..", "a/../b", "a/.."] {
            assert!(!is_plain(path.as_bytes()), "{path:?}");
        }
    }

    #[test]
    fn entries_are_found_and_no_symlink_is_followed() {
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
    fn a_closed_folder_itself_can_be_looked_at() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o000)).unwrap();
        let dir = Dir::open_itself(folder.path()).unwrap();
        assert_eq!(dir.look("").unwrap().mode, 0);
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
    }

    #[test]
    fn a_folder_behind_a_symlink_is_opened_only_by_choice() {
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
