//! What in a folder is not the user's, and what of that may be taken.

use std::{
    io,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use contract::reclaim::refusal;
use host::users::subids::Ids;
use untrusted::{Dir, Found, Kind, Refused, Stamp};

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
    /// Its owner.
    pub(super) owner: u32,
    /// Whether it is a folder.
    pub(super) is_folder: bool,
    /// Its size, if it is a file.
    pub(super) bytes: u64,
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
        let dir = Dir::open_itself(folder).and_then(Dir::on_one_file_system);
        let dir = dir.with_context(looking)?;
        let mut survey = Self::default();
        survey.add(Path::new(""), &dir.look("").with_context(looking)?, ids);
        dir.walk(usize::MAX, |found| {
            match found {
                Found::Entry { path, stamp } => survey.add(path, &stamp, ids),
                Found::Closed { path, error } => survey.add_closed(path, &error),
            }
            true
        });
        Ok(survey)
    }

    fn add(&mut self, path: &Path, entry: &Stamp, ids: &Ids) {
        self.entries += 1;
        if entry.uid == ids.user {
            return;
        }
        if let Some(why) = leave(entry, ids) {
            self.left.push((path.to_owned(), why));
            return;
        }
        self.foreign.push(Foreign {
            path: path.to_owned(),
            owner: entry.uid,
            is_folder: entry.kind == Kind::Folder,
            bytes: if entry.kind == Kind::File { entry.size } else { 0 },
        });
    }

    fn add_closed(&mut self, path: &Path, error: &io::Error) {
        // What vanished in the meantime needs no repair, and what is mounted in the folder is not of
        // it.
        let is_elsewhere = Refused::of(error) == Some(Refused::OtherFileSystem);
        if error.kind() != io::ErrorKind::NotFound && !is_elsewhere {
            self.closed.push(Closed { path: path.to_owned(), error: error.to_string() });
        }
    }

    /// Whether everything is seen to be the user's.
    pub(super) fn is_fine(&self) -> bool {
        self.foreign.is_empty() && self.left.is_empty() && self.closed.is_empty()
    }
}

/// Why an entry that is not the user's is left alone.
pub fn leave(entry: &Stamp, ids: &Ids) -> Option<String> {
    let owner = entry.uid;
    if !ids.is_container(owner) {
        return Some(format!(
            "it belongs to uid {owner}, who is neither root nor a container of yours; if it should \
             be yours, `sudo chown -h {}` makes it so",
            ids.user
        ));
    }
    refusal(entry)
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::fs::{MetadataExt as _, symlink},
        path::Path,
    };

    use super::{Ids, Survey};

    #[test]
    fn what_is_not_the_users_is_told_by_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        fs::create_dir(at("sub")).unwrap();
        fs::write(at("sub/file"), "1234").unwrap();
        fs::hard_link(at("sub/file"), at("hard")).unwrap();
        fs::write(at("plain"), "12").unwrap();
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
