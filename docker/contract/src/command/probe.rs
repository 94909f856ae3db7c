//! `probe`: what the entrypoint reports about the mounts and the home that it sees.

use serde::{Deserialize, Serialize};

/// What the entrypoint prints, as one JSON object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Whether the entrypoint was built with the `native` backend.
    pub native: bool,
    /// User id of the process.
    pub uid: u32,
    /// Group id of the process.
    pub gid: u32,
    /// Home folder of the user.
    pub home: Home,
    /// Every folder on the command line.
    pub mounts: Vec<Mount>,
}

/// The home folder that `$HOME` names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Home {
    /// Path, if `$HOME` is set.
    pub path: Option<String>,
    /// Whether a file can be created there.
    pub writable: bool,
}

/// A mount that was tested by writing a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// Path in the container.
    pub path: String,
    /// Whether the file was written, read back and deleted.
    pub ok: bool,
    /// The reason why not.
    pub error: Option<String>,
    /// Owner of the file, as the container sees it.
    pub owner_uid: Option<u32>,
}
