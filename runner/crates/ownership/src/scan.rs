//! Entries of a folder that belong to another user, and whether their owner may be changed.

use std::{io, path::Path};

use anyhow::Context as _;
use contract::reclaim::{Failed, refusal};
use host::users::subids::Ids;
use serde::Serialize;
use untrusted::{Dir, Found, Kind, Refused, Stamp};

/// Owners of the entries of a folder.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Scan {
    /// Number of visible entries, with the folder itself.
    pub(super) entries: usize,
    /// Entries whose owner is to be changed.
    pub(super) foreign: Vec<ForeignEntry>,
    /// Entries of other users that keep their owner.
    pub(super) skipped: Vec<Skipped>,
    /// Folders whose entries cannot be listed.
    pub(super) unreadable: Vec<Failed>,
}

/// An entry whose owner is to be changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct ForeignEntry {
    /// Path below the folder, empty for the folder itself. In all paths of a scan, replacement characters
    /// stand for what is not UTF-8.
    pub(super) path: String,
    /// User id of the owner.
    #[serde(rename = "uid")]
    pub(super) owner: u32,
    /// Whether it is a folder.
    #[serde(rename = "folder")]
    pub(super) is_folder: bool,
    /// Size of a regular file, otherwise 0.
    pub(super) bytes: u64,
}

/// An entry of another user that keeps its owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Skipped {
    /// Path below the folder.
    pub(super) path: String,
    /// Why its owner is not changed.
    pub(super) reason: String,
}

impl Scan {
    /// Walks through `folder` without following symlinks or leaving its file system.
    ///
    /// # Errors
    /// When the folder itself cannot be opened.
    pub(super) fn of(folder: &Path, ids: &Ids) -> anyhow::Result<Self> {
        let looking = || format!("looking at `{}`", folder.display());
        let dir = Dir::open_itself(folder).and_then(Dir::on_one_file_system);
        let dir = dir.with_context(looking)?;
        let mut scan = Self::default();
        scan.add(Path::new(""), &dir.look("").with_context(looking)?, ids);
        dir.walk(usize::MAX, |found| {
            match found {
                Found::Entry { path, stamp } => scan.add(path, &stamp, ids),
                Found::Closed { path, error } => scan.add_unreadable(path, &error),
            }
            true
        });
        Ok(scan)
    }

    fn add(&mut self, path: &Path, entry: &Stamp, ids: &Ids) {
        self.entries += 1;
        if entry.uid == ids.user {
            return;
        }
        let path = path.to_string_lossy().into_owned();
        if let Some(reason) = why_skipped(entry, ids) {
            self.skipped.push(Skipped { path, reason });
            return;
        }
        self.foreign.push(ForeignEntry {
            path,
            owner: entry.uid,
            is_folder: entry.kind == Kind::Folder,
            bytes: if entry.kind == Kind::File { entry.size } else { 0 },
        });
    }

    fn add_unreadable(&mut self, path: &Path, error: &io::Error) {
        // A folder that was deleted meanwhile needs no repair. A mount point belongs to another file
        // system.
        let is_elsewhere = Refused::of(error) == Some(Refused::OtherFileSystem);
        if error.kind() != io::ErrorKind::NotFound && !is_elsewhere {
            let path = path.to_string_lossy().into_owned();
            self.unreadable.push(Failed { path, error: error.to_string() });
        }
    }

    /// Whether every entry is visible and belongs to the user.
    pub(super) fn is_all_yours(&self) -> bool {
        self.foreign.is_empty() && self.skipped.is_empty() && self.unreadable.is_empty()
    }
}

/// Why an entry of another user keeps its owner.
pub fn why_skipped(entry: &Stamp, ids: &Ids) -> Option<String> {
    let owner = entry.uid;
    if !ids.is_container(owner) {
        return Some(format!(
            "it belongs to uid {owner}, who is neither root nor one of your containers; if it should \
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
    };

    use super::{Ids, Scan};

    #[test]
    fn entries_of_containers_are_foreign_and_hard_links_are_skipped() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        fs::create_dir(at("sub")).unwrap();
        fs::write(at("sub/file"), "1234").unwrap();
        fs::hard_link(at("sub/file"), at("hard")).unwrap();
        fs::write(at("plain"), "12").unwrap();
        symlink("/etc", at("link")).unwrap();
        let owner = fs::metadata(folder.path()).unwrap().uid();
        let stranger = owner + 1;
        let scan = |user, container: &[_]| {
            let ids = Ids { user, container: container.to_vec() };
            Scan::of(folder.path(), &ids).unwrap()
        };

        let mine = scan(owner, &[]);
        assert!(mine.is_all_yours() && mine.entries == 6, "{mine:?}");

        let container = owner..stranger;
        let theirs = scan(stranger, &[container]);
        let paths: Vec<_> = theirs.foreign.iter().map(|found| found.path.as_str()).collect();
        assert_eq!(paths, ["", "link", "plain", "sub"]);
        assert_eq!(theirs.foreign.iter().map(|found| found.bytes).sum::<u64>(), 2);
        assert_eq!(theirs.skipped.len(), 2);
        assert!(theirs.skipped[0].reason.contains("2 names"), "{theirs:?}");
    }

    #[test]
    fn entries_of_other_users_are_skipped() {
        let folder = tempfile::tempdir().unwrap();
        let owner = fs::metadata(folder.path()).unwrap().uid();
        let found = Scan::of(folder.path(), &Ids { user: owner + 1, container: vec![] });
        let found = found.unwrap();
        // Entries of root are always foreign, and the test may run as root.
        assert_eq!(
            (found.foreign.len(), found.skipped.len()),
            if owner == 0 { (1, 0) } else { (0, 1) }
        );
    }
}
