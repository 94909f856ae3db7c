//! The changes that a repair can make.

use std::{ffi::OsString, path::PathBuf, time::Duration};

use contract::hub::SET_ASIDE;

/// A change of a cache, with paths below it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Fix {
    /// Changes the owner of entries to the user. Symlinks are not followed.
    Reclaim {
        /// The entries.
        paths: Vec<PathBuf>,
    },
    /// Sets the permissions of a file or folder.
    Mode {
        /// The entry.
        path: PathBuf,
        /// Permission bits.
        mode: u32,
    },
    /// Removes an unused file or folder.
    Remove {
        /// The file or folder.
        path: PathBuf,
        /// Lock of the processes that use the file.
        lock: Option<PathBuf>,
        /// Minimum time since the last change.
        idle: Duration,
    },
    /// Moves a file to the repo's `.set-aside`, so that it is downloaded again.
    Quarantine {
        /// The file.
        path: PathBuf,
        /// The repo's folder.
        repo: PathBuf,
    },
    /// Sets the text of a symlink, or replaces a file that holds the text.
    Link {
        /// The symlink or file.
        path: PathBuf,
        /// The text of the symlink.
        text: OsString,
    },
    /// Removes a symlink, not its target.
    Unlink {
        /// The symlink.
        path: PathBuf,
    },
    /// Writes the commit to a ref.
    WriteRef {
        /// The ref.
        path: PathBuf,
        /// The commit.
        commit: String,
    },
    /// Renames the only copy of a file.
    Rename {
        /// The copy.
        path: PathBuf,
        /// The new name.
        to: PathBuf,
    },
    /// Copies a blob from another repo.
    Copy {
        /// The other repo's blob.
        from: PathBuf,
        /// The missing blob.
        path: PathBuf,
    },
}

impl Fix {
    /// Changed entries, below the cache. For a move, the second one is the destination.
    pub(crate) fn touched(&self) -> Vec<PathBuf> {
        match self {
            Self::Reclaim { paths } => paths.clone(),
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

    /// Description for the user.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Reclaim { paths } => format!("makes {} entries yours", paths.len()),
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
