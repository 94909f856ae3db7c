//! Entries that this crate refuses although the kernel would open them.

use std::{error::Error, fmt, io};

use super::stamp::Kind;

/// Reason of a refusal, inside an [`io::Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// The entry or one of its parents is a symlink.
    Symlink,
    /// The entry is not a regular file.
    NotAFile(Kind),
    /// The file is larger than this number of bytes.
    TooLarge(u64),
    /// The entry is on another file system, outside the folder's limit.
    OtherFileSystem,
    /// The path is absolute, has `..` in it, or is not normalized.
    NotBelow,
}

impl Refused {
    /// The refusal in `error`, if there is one.
    pub fn of(error: &io::Error) -> Option<Self> {
        error.get_ref()?.downcast_ref().copied()
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Symlink => f.write_str("a symlink is in its path, and is not followed"),
            Self::NotAFile(kind) => write!(f, "it is {kind}, not a regular file"),
            Self::TooLarge(most) => match most >> 20 {
                0 => write!(f, "it is larger than {most} bytes"),
                mib => write!(f, "it is larger than {mib} MiB"),
            },
            Self::OtherFileSystem => f.write_str("it lies on another file system"),
            Self::NotBelow => f.write_str("its path does not lie below the folder"),
        }
    }
}

impl Error for Refused {}

impl From<Refused> for io::Error {
    fn from(refused: Refused) -> Self {
        let kind = match refused {
            Refused::TooLarge(_) => io::ErrorKind::FileTooLarge,
            Refused::OtherFileSystem => io::ErrorKind::CrossesDevices,
            Refused::Symlink | Refused::NotAFile(_) | Refused::NotBelow => {
                io::ErrorKind::InvalidInput
            }
        };
        Self::new(kind, refused)
    }
}
