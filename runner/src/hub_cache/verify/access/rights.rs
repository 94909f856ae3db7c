//! What a user may do with an entry of a cache.

use std::path::Path;

use rustix::fs::Access;

use crate::hub_cache::dir::{Dir, Kind, Stamp};

/// Whose rights are judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Who<'a> {
    /// The user.
    pub(crate) uid: u32,
    /// The group.
    pub(crate) gid: u32,
    /// Other groups. Where an engine does not pass them on, a run says so.
    pub(crate) groups: &'a [u32],
}

/// What a user may do with an entry, in the bits of a mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rights(pub(super) u32);

impl Rights {
    /// What the kernel allows this process with the entry at `path`; nothing where it has gone.
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

    /// What the mode of `data` allows another user than this process runs as.
    pub(super) fn of(data: &Entry, who: Who<'_>) -> Self {
        Self(if who.uid == 0 {
            0o7
        } else if data.uid == who.uid {
            data.mode >> 6 & 0o7
        } else if data.gid == who.gid || who.groups.contains(&data.gid) {
            data.mode >> 3 & 0o7
        } else {
            data.mode & 0o7
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

/// What of an entry matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) kind: EntryKind,
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) size: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EntryKind {
    File,
    Folder,
    Other,
}

impl Entry {
    pub(super) fn of(stamp: &Stamp) -> Self {
        let kind = match stamp.kind {
            Kind::Folder => EntryKind::Folder,
            Kind::File => EntryKind::File,
            Kind::Link | Kind::Fifo | Kind::Device | Kind::Other => EntryKind::Other,
        };
        let size = if kind == EntryKind::File { stamp.size } else { 0 };
        Self { kind, mode: stamp.mode, uid: stamp.uid, gid: stamp.gid, size }
    }
}
