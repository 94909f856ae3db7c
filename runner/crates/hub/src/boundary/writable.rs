//! The folders that the user's containers can write to.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use contract::output::MARKS;
use host::{machine::Host, users::subids::Ids};

/// Folders that the user's containers can write to, and results folders of earlier runs anywhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WritableFolders {
    /// The folders, canonical.
    pub folders: Vec<PathBuf>,
    /// The owners of files that the user's runs leave.
    pub(super) ids: Ids,
}

impl WritableFolders {
    /// The existing ones of `folders`.
    pub fn of<'a>(folders: impl IntoIterator<Item = &'a Path>, host: &Host) -> Self {
        let real = folders.into_iter().filter_map(|folder| folder.canonicalize().ok());
        Self { folders: real.collect(), ids: Ids::of_this_machine(host) }
    }

    /// Whether a container may have written to `folder`, a canonical path.
    pub fn contains(&self, folder: &Path) -> bool {
        self.folders.iter().any(|other| folder.starts_with(other))
            || self.results_folder(folder).is_some()
    }

    /// The results folder of an earlier run that is `folder` or contains it.
    pub(super) fn results_folder<'a>(&self, folder: &'a Path) -> Option<&'a Path> {
        folder.ancestors().find(|folder| MARKS.iter().any(|mark| self.is_mark(&folder.join(mark))))
    }

    /// Whether a run of this user left the file. In a shared folder it may be another user's.
    fn is_mark(&self, file: &Path) -> bool {
        let owner = fs::symlink_metadata(file).map(|data| data.uid());
        owner.is_ok_and(|owner| owner == self.ids.user || self.ids.is_container(owner))
    }
}
