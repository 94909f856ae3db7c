//! What in a folder is not the user's, and what of that may be taken.

use std::{
    io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use walkdir::WalkDir;

use crate::give_back::{Entry, Ids, leave, shared_group};

/// What is in a folder.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Survey {
    /// Entries, as far as they can be seen.
    pub(super) entries: usize,
    /// What is to be the user's.
    pub(super) foreign: Vec<Foreign>,
    /// What is not the user's and left alone, with the reason.
    pub(super) left: Vec<(PathBuf, String)>,
    /// Folders that cannot be looked into.
    pub(super) closed: Vec<Closed>,
}

/// An entry that is to be the user's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Foreign {
    /// Where, below the folder; empty for the folder itself.
    pub(super) path: PathBuf,
    /// Whose it is.
    pub(super) owner: u32,
    /// Whether it is a folder.
    pub(super) is_folder: bool,
    /// Its size, if it is a file.
    pub(super) bytes: u64,
    /// Permissions that its owner needs and would lack.
    pub(super) mode: Option<u32>,
    /// The group that users share it by, if they do.
    pub(super) group: Option<u32>,
}

impl Foreign {
    /// What is to be given back.
    pub(super) fn entry(&self) -> Entry {
        Entry {
            path: self.path.clone(),
            mode: self.mode,
            owner: Some(self.owner),
            group: self.group,
        }
    }
}

/// A folder that cannot be looked into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Closed {
    /// Where, below the folder.
    pub(super) path: PathBuf,
    /// Why.
    pub(super) error: String,
}

impl Survey {
    /// Walks through `folder`, never following a link or leaving its file system.
    ///
    /// # Errors
    /// When the folder itself cannot be looked at.
    pub(super) fn take(folder: &Path, ids: &Ids) -> anyhow::Result<Self> {
        let looking = || format!("looking at `{}`", folder.display());
        let device = folder.symlink_metadata().with_context(looking)?.dev();
        let mut survey = Self::default();
        let walk = WalkDir::new(folder).same_file_system(true).sort_by_file_name();
        for found in walk {
            let seen = found.and_then(|entry| Ok((entry.metadata()?, entry.into_path())));
            match seen {
                // What is mounted in the folder is not of it.
                Ok((data, _)) if data.dev() != device => {}
                Ok((data, path)) => survey.add(folder, below(folder, &path), &data, ids),
                Err(error) => survey.add_closed(folder, &error),
            }
        }
        Ok(survey)
    }

    fn add(&mut self, folder: &Path, path: PathBuf, data: &std::fs::Metadata, ids: &Ids) {
        self.entries += 1;
        let owner = data.uid();
        if owner == ids.user {
            return;
        }
        if let Some(why) = leave(data, ids) {
            self.left.push((path, why));
            return;
        }
        self.foreign.push(Foreign {
            group: shared_group(folder, &path),
            path,
            owner,
            is_folder: data.is_dir(),
            bytes: if data.is_file() { data.len() } else { 0 },
            mode: lacking(data),
        });
    }

    fn add_closed(&mut self, folder: &Path, error: &walkdir::Error) {
        // What vanished in the meantime needs no repair.
        if error.io_error().is_some_and(|error| error.kind() == io::ErrorKind::NotFound) {
            return;
        }
        let path = error.path().map(|path| below(folder, path)).unwrap_or_default();
        let why = error.io_error().map_or_else(|| error.to_string(), io::Error::to_string);
        self.closed.push(Closed { path, error: why });
    }

    /// Whether everything is seen to be the user's.
    pub(super) fn is_fine(&self) -> bool {
        self.foreign.is_empty() && self.left.is_empty() && self.closed.is_empty()
    }
}

fn below(folder: &Path, path: &Path) -> PathBuf {
    path.strip_prefix(folder).unwrap_or(path).to_owned()
}

/// The mode of a file or folder whose owner may not read and write it: root never noticed.
fn lacking(data: &std::fs::Metadata) -> Option<u32> {
    let needed = if data.is_dir() {
        0o700
    } else if data.is_file() {
        0o600
    } else {
        return None;
    };
    // A new owner ends the set-id bits of a file.
    let kept = data.mode() & if data.is_dir() { 0o7777 } else { 0o1777 };
    (kept & needed != needed).then_some(kept | needed)
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink},
        path::Path,
    };

    use super::{Ids, Survey};

    #[test]
    fn what_is_not_the_users_is_told_by_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        fs::create_dir(at("sub")).unwrap();
        fs::write(at("sub/file"), "1234").unwrap();
        fs::set_permissions(at("sub/file"), fs::Permissions::from_mode(0o444)).unwrap();
        fs::hard_link(at("sub/file"), at("hard")).unwrap();
        fs::write(at("plain"), "12").unwrap();
        fs::set_permissions(at("plain"), fs::Permissions::from_mode(0o444)).unwrap();
        symlink("/etc", at("link")).unwrap();
        let owner = fs::metadata(folder.path()).unwrap().uid();
        let stranger = owner + 1;
        let take = |user, container: &[_]| {
            let ids = Ids { user, container: container.to_vec() };
            Survey::take(folder.path(), &ids).unwrap()
        };

        let mine = take(owner, &[]);
        assert!(mine.is_fine() && mine.entries == 6, "{mine:?}");

        let container = owner..stranger;
        let theirs = take(stranger, &[container]);
        let paths: Vec<_> = theirs.foreign.iter().map(|found| found.path.as_path()).collect();
        assert_eq!(paths, ["", "link", "plain", "sub"].map(Path::new));
        assert_eq!(theirs.foreign.iter().map(|found| found.bytes).sum::<u64>(), 2);
        assert_eq!(theirs.foreign[2].mode, Some(0o644));
        assert_eq!(theirs.left.len(), 2);
        assert!(theirs.left[0].1.contains("2 names"), "{theirs:?}");
    }

    #[test]
    fn what_is_another_users_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let owner = fs::metadata(folder.path()).unwrap().uid();
        let found = Survey::take(folder.path(), &Ids { user: owner + 1, container: vec![] });
        let found = found.unwrap();
        // Root's are always taken, and tests may be root's.
        assert_eq!(
            (found.foreign.len(), found.left.len()),
            if owner == 0 { (1, 0) } else { (0, 1) }
        );
    }
}
