//! Metadata of an entry.

use std::{fmt, fs::File, io};

use rustix::fs::{FileType, Stat, fstat};

/// Type of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link.
    Link,
    /// A FIFO.
    Fifo,
    /// A block or character device.
    Device,
    /// A socket.
    Other,
}

impl Kind {
    pub(crate) fn of(kind: FileType) -> Self {
        match kind {
            FileType::RegularFile => Self::File,
            FileType::Directory => Self::Folder,
            FileType::Symlink => Self::Link,
            FileType::Fifo => Self::Fifo,
            FileType::BlockDevice | FileType::CharacterDevice => Self::Device,
            _ => Self::Other,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::File => "a regular file",
            Self::Folder => "a folder",
            Self::Link => "a symlink",
            Self::Fifo => "a FIFO",
            Self::Device => "a device",
            Self::Other => "a socket",
        })
    }
}

/// Seconds and nanoseconds since 1970.
pub type Time = (i64, u32);

/// Metadata of an entry. That of a symlink is its own, not its target's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Type.
    pub kind: Kind,
    /// Device number of the file system.
    pub device: u64,
    /// Inode number.
    pub inode: u64,
    /// Number of hard links.
    pub links: u64,
    /// Size in bytes.
    pub size: u64,
    /// Access time.
    pub accessed: Time,
    /// Modification time.
    pub modified: Time,
    /// Change time.
    pub changed: Time,
    /// Mode with set-uid, set-gid and sticky bits.
    pub mode: u32,
    /// User id of the owner.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
}

impl Stamp {
    /// Metadata of an open file.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn of_file(file: &File) -> io::Result<Self> {
        Ok(Self::of(&fstat(file)?))
    }

    #[allow(
        clippy::unnecessary_cast,
        clippy::useless_conversion,
        reason = "types differ by processor"
    )]
    pub(crate) fn of(stat: &Stat) -> Self {
        Self {
            kind: Kind::of(FileType::from_raw_mode(stat.st_mode)),
            device: stat.st_dev,
            inode: stat.st_ino,
            links: u64::from(stat.st_nlink),
            size: stat.st_size as u64,
            accessed: (stat.st_atime, stat.st_atime_nsec as u32),
            modified: (stat.st_mtime, stat.st_mtime_nsec as u32),
            changed: (stat.st_ctime, stat.st_ctime_nsec as u32),
            mode: stat.st_mode & 0o7777,
            uid: stat.st_uid,
            gid: stat.st_gid,
        }
    }
}
