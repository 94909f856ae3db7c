//! `reclaim`: what the runner asks of the entrypoint, the answer, and which entries both leave alone.

use serde::{Deserialize, Serialize};
use untrusted::{Kind, Stamp};

/// What the entrypoint is asked for, as one argument in JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The folder.
    pub folder: String,
    /// Number of the folder's inode. The entrypoint does nothing when another folder is mounted, as
    /// by an engine of another machine.
    pub inode: u64,
    /// The new owner.
    pub uid: u32,
    /// The new group, unless the folder of an entry hands on its own.
    pub gid: u32,
    /// Owners whose entries are taken: the first and the last id of each range.
    pub owners: Vec<(u32, u32)>,
    /// Whether to take only the entries on standard input, each a path below the folder and a NUL,
    /// and to leave their modes. Otherwise the whole folder is taken.
    #[serde(default)]
    pub listed: bool,
}

/// What the entrypoint prints, as one JSON object.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Answer {
    /// Number of entries that got a new owner.
    pub reclaimed: usize,
    /// Entries that should have got one.
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

/// Why an entry keeps its owner although a container made it: it may be more than an entry of its
/// folder.
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
