//! Entries below a folder, reached without following a single link or leaving its file system.

use std::{
    cell::Cell,
    ffi::OsStr,
    os::{
        fd::{AsFd, AsRawFd as _, OwnedFd},
        unix::ffi::OsStrExt as _,
    },
};

use rustix::{
    fs::{self, Mode, OFlags, ResolveFlags, Stat},
    io::{Errno, Result},
};

/// An open folder.
#[derive(Debug)]
pub(crate) struct Beneath {
    folder: OwnedFd,
    /// Its file system.
    device: u64,
    /// Whether the kernel looks for a path in one call, which it does since Linux 5.6. Some
    /// engines' filters do not let it.
    in_one_call: Cell<bool>,
}

/// An entry as itself: it can be looked at and given away, and not read.
const ITSELF: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

impl Beneath {
    /// Opens `folder`, which must not be a link.
    pub(crate) fn open(folder: &str) -> Result<Self> {
        let folder = fs::open(folder, ITSELF | OFlags::DIRECTORY, Mode::empty())?;
        let device = fs::fstat(&folder)?.st_dev;
        Ok(Self { folder, device, in_one_call: Cell::new(true) })
    }

    /// The folder's own data.
    pub(crate) fn stat(&self) -> Result<Stat> {
        fs::fstat(&self.folder)
    }

    /// Opens the entry at `path`, a [plain](is_plain) one, as itself. `LOOP` and `NOTDIR` where the
    /// way there is a link, `XDEV` where it leaves the file system.
    pub(crate) fn find(&self, path: &[u8]) -> Result<OwnedFd> {
        if path.is_empty() {
            return rustix::io::fcntl_dupfd_cloexec(&self.folder, 0);
        }
        if self.in_one_call.get() {
            match self.find_in_one_call(path) {
                // Filters that do not know the call answer so; it has no permission of its own.
                Err(Errno::NOSYS | Errno::PERM) => self.in_one_call.set(false),
                found => return found,
            }
        }
        self.find_part_by_part(path)
    }

    fn find_in_one_call(&self, path: &[u8]) -> Result<OwnedFd> {
        let resolve = ResolveFlags::BENEATH
            | ResolveFlags::NO_SYMLINKS
            | ResolveFlags::NO_MAGICLINKS
            | ResolveFlags::NO_XDEV;
        fs::openat2(&self.folder, path, ITSELF, Mode::empty(), resolve)
    }

    fn find_part_by_part(&self, path: &[u8]) -> Result<OwnedFd> {
        let mut parts = path.split(|byte| *byte == b'/').map(OsStr::from_bytes).peekable();
        let mut here = rustix::io::fcntl_dupfd_cloexec(&self.folder, 0)?;
        while let Some(part) = parts.next() {
            let on_the_way = parts.peek().is_some();
            let kind = if on_the_way { OFlags::DIRECTORY } else { OFlags::empty() };
            here = fs::openat(&here, part, ITSELF | kind, Mode::empty())?;
            if fs::fstat(&here)?.st_dev != self.device {
                return Err(Errno::XDEV);
            }
        }
        Ok(here)
    }
}

/// Whether `path` is a path below a folder, of names alone, or empty.
pub(crate) fn is_plain(path: &[u8]) -> bool {
    let is_name = |part: &[u8]| !matches!(part, b"" | b"." | b"..");
    path.is_empty() || path.split(|byte| *byte == b'/').all(is_name)
}

/// A name for an open entry, by which the kernel finds that very entry.
pub(crate) fn name_of(entry: impl AsFd) -> String {
    format!("/proc/self/fd/{}", entry.as_fd().as_raw_fd())
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::fs::{MetadataExt as _, symlink},
    };

    use rustix::io::Errno;

    use super::{Beneath, is_plain};

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
    fn both_ways_find_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        fs::create_dir_all(at("a/b")).unwrap();
        fs::write(at("a/b/file"), "").unwrap();
        symlink("b", at("a/link")).unwrap();
        symlink("nowhere", at("dangling")).unwrap();
        let beneath = Beneath::open(folder.path().to_str().unwrap()).unwrap();
        type Way = fn(&Beneath, &[u8]) -> rustix::io::Result<std::os::fd::OwnedFd>;
        for way in [Beneath::find_in_one_call as Way, Beneath::find_part_by_part] {
            for path in ["a", "a/b", "a/b/file", "a/link", "dangling"] {
                let found = way(&beneath, path.as_bytes()).unwrap();
                let inode = rustix::fs::fstat(found).unwrap().st_ino;
                assert_eq!(inode, fs::symlink_metadata(at(path)).unwrap().ino(), "{path}");
            }
            for path in ["a/link/file", "dangling/x"] {
                let error = way(&beneath, path.as_bytes()).unwrap_err();
                assert!([Errno::LOOP, Errno::NOTDIR].contains(&error), "{path}: {error}");
            }
            assert_eq!(way(&beneath, b"a/none").unwrap_err(), Errno::NOENT);
        }
        let other = Beneath::open("/").unwrap();
        for way in [Beneath::find_in_one_call as Way, Beneath::find_part_by_part] {
            assert_eq!(way(&other, b"proc/self/fd").unwrap_err(), Errno::XDEV);
        }
    }

    #[test]
    fn a_folder_behind_a_link_is_not_opened() {
        let folder = tempfile::tempdir().unwrap();
        symlink("/tmp", folder.path().join("link")).unwrap();
        assert!(Beneath::open(folder.path().join("link").to_str().unwrap()).is_err());
    }
}
