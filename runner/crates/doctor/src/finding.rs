//! Problems found in a cache. A finding is never changed: `repair` alone chooses the fixes.

mod problem;

use std::{
    ffi::{OsStr, OsString},
    path::PathBuf,
    time::Duration,
};

use hub::RepoName;

pub use problem::Problem;

/// A problem of one entry of the cache, or a note about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Kind of the problem.
    pub problem: Problem,
    /// Path below the cache. Empty for the cache itself, absolute outside of it.
    pub path: PathBuf,
    /// Repo of the entry.
    pub repo: Option<RepoName>,
    /// Size of the entry, or of what is missing.
    pub bytes: u64,
    /// Observation that proves the problem, for the user.
    pub evidence: String,
    /// What a repair needs to know.
    pub details: Details,
}

impl Finding {
    /// A finding without size, repo and repair.
    pub(crate) fn new(
        problem: Problem,
        path: impl Into<PathBuf>,
        evidence: impl Into<String>,
    ) -> Self {
        let (path, evidence) = (path.into(), evidence.into());
        Self { problem, path, repo: None, bytes: 0, evidence, details: Details::None }
    }
}

/// What a repair needs to know about a finding. Paths are below the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Details {
    /// Not repairable: the user must decide or download.
    None,
    /// Entries of Hub clients that belong to another user.
    Owned(Vec<PathBuf>),
    /// Correct mode of the entry.
    Mode(u32),
    /// File with the wrong content.
    Content(PathBuf),
    /// Correct text of the symlink.
    LinkText(OsString),
    /// Symlinks that no client can use. A repair removes them.
    Links(Vec<PathBuf>),
    /// Name of the missing blob that the symlink points to.
    MissingBlob(OsString),
    /// Commit of the ref.
    Commit(String),
    /// A file that is unused if nobody holds its lock and nobody changed it for a while.
    Unused {
        /// Lock of the processes that use the file.
        lock: Option<PathBuf>,
        /// Minimum time since the last change.
        idle: Duration,
    },
    /// Blob of which the file is the only copy.
    OnlyCopyOf(PathBuf),
}

/// Minimum age of a leftover without a lock.
pub(crate) const HOUR: Duration = Duration::from_secs(3600);
/// Minimum age of a file that a process in another container or on another host may use.
pub(crate) const DAY: Duration = Duration::from_secs(24 * 3600);

/// Prefix of unfinished files of a repair.
pub(crate) const UNFINISHED: &str = ".aienergyscore-";

/// Whether `name` is an unfinished file of a repair.
pub(crate) fn is_unfinished(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(UNFINISHED.as_bytes())
}
