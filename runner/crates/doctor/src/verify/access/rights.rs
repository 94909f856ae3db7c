//! Permissions of a user on an entry of a cache.

use std::path::Path;

use hub::layout::{Dir, Stamp};
use rustix::fs::Access;

/// The user whose permissions are checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct User<'a> {
    /// User id.
    pub uid: u32,
    /// Primary group.
    pub gid: u32,
    /// Supplementary groups. A run warns if the engine does not pass them on.
    pub groups: &'a [u32],
}

/// Permissions as the three bits of a mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rights(pub(super) u32);

impl Rights {
    /// Permissions of this process on the entry at `path`, by the kernel; `None` if it was removed.
    pub(super) fn of_kernel(hub: &Dir, path: &Path) -> Option<Self> {
        let bits = [(Access::READ_OK, 0o4), (Access::WRITE_OK, 0o2), (Access::EXEC_OK, 0o1)];
        let mut rights = 0;
        for (access, bit) in bits {
            if hub.may(path, access).ok()? {
                rights |= bit;
            }
        }
        Some(Self(rights))
    }

    /// Permissions of another user than this process, by the mode of the entry.
    pub(super) fn of(stamp: &Stamp, user: User<'_>) -> Self {
        Self(if user.uid == 0 {
            0o7
        } else if stamp.uid == user.uid {
            stamp.mode >> 6 & 0o7
        } else if stamp.gid == user.gid || user.groups.contains(&stamp.gid) {
            stamp.mode >> 3 & 0o7
        } else {
            stamp.mode & 0o7
        })
    }

    pub(super) const fn read(self) -> bool {
        self.0 & 0o4 != 0
    }

    pub(super) const fn write(self) -> bool {
        self.0 & 0o2 != 0
    }

    pub(super) const fn search(self) -> bool {
        self.0 & 0o1 != 0
    }
}
