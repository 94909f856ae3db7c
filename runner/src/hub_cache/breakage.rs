//! What can be wrong in a cache: data, with what would mend it.

mod kind;

use std::{ffi::OsString, path::PathBuf, time::Duration};

pub use kind::What;

use super::names::RepoName;

/// Where a repair puts what it takes away.
pub(crate) use contract::hub::SET_ASIDE;

/// Something wrong, or something worth knowing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breakage {
    /// Its kind.
    pub what: What,
    /// Where, below the cache; empty for the cache itself, absolute for what lies elsewhere.
    pub path: PathBuf,
    /// In which repo, if in one.
    pub repo: Option<RepoName>,
    /// Bytes that it holds, or holds back.
    pub bytes: u64,
    /// What was seen.
    pub evidence: String,
    /// What repairs it; none where a person must decide, or the Hub must help.
    pub fixes: Vec<Fix>,
}

/// A leftover that no lock speaks for is left alone until nobody has changed it for so long.
pub(crate) const AN_HOUR: Duration = Duration::from_secs(3600);
/// The same for what a process on another host or in another container may be using.
pub(crate) const A_DAY: Duration = Duration::from_secs(24 * 3600);

/// What a repair does. Paths are below the cache.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Fix {
    /// Makes these entries the user's, links themselves and never what they lead to.
    TakeBack {
        /// Which.
        paths: Vec<PathBuf>,
    },
    /// Gives a file or folder of the user's the permissions that it needs.
    Mode {
        /// Which.
        path: PathBuf,
        /// Permission bits.
        mode: u32,
    },
    /// Removes what no program uses any more.
    Remove {
        /// What.
        path: PathBuf,
        /// The lock that a user of it would hold, if there is one.
        lock: Option<PathBuf>,
        /// For how long nobody must have changed it.
        idle: Duration,
    },
    /// Moves bytes to the repo's `.set-aside`, so that the Hub client fetches them again.
    SetAside {
        /// Which.
        path: PathBuf,
        /// Of which repo.
        repo: PathBuf,
    },
    /// Makes a link say this instead.
    Relink {
        /// The link.
        path: PathBuf,
        /// Its text from then on.
        text: OsString,
    },
    /// Makes a link of a file that holds the link's text and nothing else.
    Link {
        /// The file.
        path: PathBuf,
        /// The link's text.
        text: OsString,
    },
    /// Removes a link, and nothing that it leads to.
    Unlink {
        /// The link.
        path: PathBuf,
    },
    /// Makes a ref name its commit and nothing else.
    WriteRef {
        /// The ref.
        path: PathBuf,
        /// The commit.
        commit: String,
    },
    /// Gives the only copy of a file its name again.
    Rename {
        /// The copy.
        path: PathBuf,
        /// Its name.
        to: PathBuf,
    },
    /// Makes a copy of bytes that another repo has under the same digest.
    Copy {
        /// Theirs.
        from: PathBuf,
        /// Where they are missing.
        path: PathBuf,
    },
}

impl Fix {
    /// The entries that it changes, below the cache: nothing else is another thing afterwards. Where
    /// it moves something, the second is where that goes.
    pub(crate) fn touched(&self) -> Vec<PathBuf> {
        match self {
            Self::TakeBack { paths } => paths.clone(),
            Self::SetAside { path, repo } => vec![path.clone(), repo.join(SET_ASIDE)],
            Self::Rename { path, to } => vec![path.clone(), to.clone()],
            Self::Mode { path, .. }
            | Self::Remove { path, .. }
            | Self::Relink { path, .. }
            | Self::Link { path, .. }
            | Self::Unlink { path }
            | Self::WriteRef { path, .. }
            | Self::Copy { path, .. } => vec![path.clone()],
        }
    }
}

impl Fix {
    /// What it does, in words.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::TakeBack { paths } => format!("makes {} entries yours", paths.len()),
            Self::Mode { path, mode } => {
                format!("sets the mode of `{}` to {mode:04o}", path.display())
            }
            Self::Remove { path, .. } => format!("removes `{}` if nothing uses it", path.display()),
            Self::SetAside { path, repo } => {
                format!("moves `{}` to `{}/.set-aside`", path.display(), repo.display())
            }
            Self::Relink { path, text } => {
                format!("makes the link `{}` say `{}`", path.display(), text.display())
            }
            Self::Link { path, text } => {
                format!("makes `{}` a link to `{}` again", path.display(), text.display())
            }
            Self::Unlink { path } => format!("removes the link `{}` alone", path.display()),
            Self::WriteRef { path, commit } => format!("writes `{commit}` to `{}`", path.display()),
            Self::Rename { path, to } => {
                format!("names `{}` `{}` again", path.display(), to.display())
            }
            Self::Copy { from, path } => {
                format!("copies `{}` to `{}`", from.display(), path.display())
            }
        }
    }
}
