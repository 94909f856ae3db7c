//! `reclaim`: request and answer, and the entries whose owner both sides keep.

use serde::{Deserialize, Serialize};
use untrusted::{Kind, Stamp};

/// The request, one argument in JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The folder.
    pub folder: String,
    /// Inode number of the folder. The entrypoint does nothing in another folder, which an engine
    /// on another machine would mount.
    pub inode: u64,
    /// The new owner.
    pub uid: u32,
    /// The new group, except in a set-group-id folder.
    pub gid: u32,
    /// Owners whose entries change: the first and the last id of each range.
    pub owners: Vec<(u32, u32)>,
    /// Whether to change only the entries on standard input, NUL-terminated paths below the folder,
    /// and to keep their modes. Otherwise everything in the folder changes.
    #[serde(default)]
    pub listed: bool,
}

/// The answer, one JSON object on standard output.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Answer {
    /// Number of entries that got a new owner.
    pub reclaimed: usize,
    /// Entries whose owner should have changed.
    pub failed: Vec<Failed>,
}

/// An entry whose owner did not change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    /// Its path below the folder, with replacement characters for what is not UTF-8.
    pub path: String,
    /// The reason.
    pub error: String,
}

/// Why an entry keeps its owner although a container created it: a new owner could reach more than
/// this entry.
pub fn refusal(entry: &Stamp) -> Option<String> {
    match entry.kind {
        Kind::Folder => None,
        Kind::Device => {
            Some("it is a device, which its owner could read and write; delete it".to_owned())
        }
        _ if entry.links > 1 => Some(format!(
            "it has {} names (hard links), and the others may lie outside of the folder; put a \
             copy in its place, which will be yours",
            entry.links
        )),
        _ => None,
    }
}
