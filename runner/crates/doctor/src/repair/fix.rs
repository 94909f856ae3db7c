//! What a repair does to one entry of a cache.

use std::{ffi::OsString, path::PathBuf, time::Duration};

use contract::hub::SET_ASIDE;

/// What a repair does. Paths are below the cache.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Fix {
    /// Makes these entries the user's: symlinks themselves, never what they lead to.
    TakeBack {
        /// The entries.
        paths: Vec<PathBuf>,
    },
    /// Gives a file or folder of the user's the permissions that it needs.
    Mode {
        /// The entry.
        path: PathBuf,
        /// Permission bits.
        mode: u32,
    },
    /// Removes what no program uses any more.
    Remove {
        /// The file or folder.
        path: PathBuf,
        /// The lock that a process holds as long as it uses the file.
        lock: Option<PathBuf>,
        /// How long nobody must have changed it.
        idle: Duration,
    },
    /// Moves a file to the repo's `.set-aside`, so that the Hub client downloads it again.
    Quarantine {
        /// The file.
        path: PathBuf,
        /// The repo's folder.
        repo: PathBuf,
    },
    /// Gives a symlink this text, or puts one in place of a file that holds the text.
    Link {
        /// The symlink or file.
        path: PathBuf,
        /// The text of the symlink.
        text: OsString,
    },
    /// Removes a symlink, and nothing that it leads to.
    Unlink {
        /// The symlink.
        path: PathBuf,
    },
    /// Writes the commit to a ref, and nothing else.
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
    /// Copies a blob that another repo has under the same digest.
    Copy {
        /// The other repo's blob.
        from: PathBuf,
        /// The missing blob.
        path: PathBuf,
    },
}

impl Fix {
    /// The entries that it changes, below the cache. Where it moves something, the second is where
    /// that goes.
    pub fn touched(&self) -> Vec<PathBuf> {
        match self {
            Self::TakeBack { paths } => paths.clone(),
            Self::Quarantine { path, repo } => vec![path.clone(), repo.join(SET_ASIDE)],
            Self::Rename { path, to } => vec![path.clone(), to.clone()],
            Self::Mode { path, .. }
            | Self::Remove { path, .. }
            | Self::Link { path, .. }
            | Self::Unlink { path }
            | Self::WriteRef { path, .. }
            | Self::Copy { path, .. } => vec![path.clone()],
        }
    }

    /// What it does, in words.
    pub fn describe(&self) -> String {
        match self {
            Self::TakeBack { paths } => format!("makes {} entries yours", paths.len()),
            Self::Mode { path, mode } => {
                format!("sets the mode of `{}` to {mode:04o}", path.display())
            }
            Self::Remove { path, .. } => format!("removes `{}` if nothing uses it", path.display()),
            Self::Quarantine { path, repo } => {
                format!("moves `{}` to `{}/.set-aside`", path.display(), repo.display())
            }
            Self::Link { path, text } => {
                format!("makes `{}` a symlink to `{}`", path.display(), text.display())
            }
            Self::Unlink { path } => format!("removes the symlink `{}` alone", path.display()),
            Self::WriteRef { path, commit } => format!("writes `{commit}` to `{}`", path.display()),
            Self::Rename { path, to } => {
                format!("renames `{}` to `{}`", path.display(), to.display())
            }
            Self::Copy { from, path } => {
                format!("copies `{}` to `{}`", from.display(), path.display())
            }
        }
    }
}
