//! What a verification finds in a cache: data that nobody changes afterwards.

mod problem;

use std::{ffi::OsString, path::PathBuf, time::Duration};

use hub::RepoName;

pub use problem::Problem;

/// Something wrong, or something worth knowing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Its kind.
    pub problem: Problem,
    /// The path below the cache; empty for the cache itself, absolute for what lies elsewhere.
    pub path: PathBuf,
    /// The repo that it is in.
    pub repo: Option<RepoName>,
    /// Bytes that it holds, or that are missing.
    pub bytes: u64,
    /// What was seen.
    pub evidence: String,
    /// What a repair needs to know.
    pub details: Details,
}

/// What a repair needs to know of a finding. Paths are below the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Details {
    /// Nothing: a person must decide, or the Hub must help.
    None,
    /// These entries, made by Hub clients, belong to another user.
    Owned(Vec<PathBuf>),
    /// The entry should have this mode.
    Mode(u32),
    /// The wrong content lies here.
    Content(PathBuf),
    /// The symlink should have this text.
    LinkText(OsString),
    /// These symlinks are of no use.
    Links(Vec<PathBuf>),
    /// The symlink leads to a blob of this name, which is missing.
    MissingBlob(OsString),
    /// The ref means this commit.
    Commit(String),
    /// No process uses the file, if none holds the lock or has changed the file for this time.
    Unused {
        /// The lock that a process holds as long as it uses the file.
        lock: Option<PathBuf>,
        /// How long nobody must have changed it.
        idle: Duration,
    },
    /// The file was the only copy of this blob.
    OnlyCopyOf(PathBuf),
}

/// How long nobody must have changed a leftover that no lock protects.
pub(crate) const AN_HOUR: Duration = Duration::from_secs(3600);
/// The same for what a process on another host or in another container may be using.
pub(crate) const A_DAY: Duration = Duration::from_secs(24 * 3600);

/// How the names of files begin that a repair has not finished.
pub(crate) const UNFINISHED: &str = ".aienergyscore-";

/// Whether a repair was making the entry `name`.
pub fn is_unfinished(name: &std::ffi::OsStr) -> bool {
    name.as_encoded_bytes().starts_with(UNFINISHED.as_bytes())
}
