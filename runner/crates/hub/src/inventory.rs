//! What a run adds to the Hub cache: the difference of its blobs before and after.

use std::{
    collections::{BTreeSet, HashMap},
    io,
    path::{Path, PathBuf},
};

use contract::summary::CacheDelta;
use untrusted::Found;

use crate::layout::{
    DEEPEST, Dir, Kind, LOCKS, NO_EXIST, REFS, RepoName, Stamp, TREES, Time, is_skippable,
};

/// The size and time of every file of a Hub cache that holds content of a repo. Symlinks, refs, locks and
/// `.no_exist` markers are left out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Inventory {
    hub: PathBuf,
    /// The device and inode of the cache's folder. `None` when it does not exist.
    folder: Option<(u64, u64)>,
    /// Size and time of last change.
    files: HashMap<PathBuf, (u64, Time)>,
}

/// Folders of a cache or repo without content.
const BOOKKEEPING: [&str; 4] = [LOCKS, NO_EXIST, REFS, TREES];

impl Inventory {
    /// Walks the cache. A missing cache is empty. Folders without permission are skipped, because a container
    /// of this user cannot write there either.
    ///
    /// # Errors
    /// When the file system fails.
    pub fn take(hub: &Path) -> io::Result<Self> {
        let dir = match Dir::open(hub) {
            Ok(dir) => dir,
            Err(error) if is_skippable(&error) || error.kind() == io::ErrorKind::NotADirectory => {
                return Ok(Self::default());
            }
            Err(error) => return Err(error),
        };
        let Stamp { device, inode, .. } = dir.look("")?;
        let mut files = HashMap::new();
        let mut failure = None;
        dir.walk(DEEPEST, |found| {
            let (path, stamp) = match found {
                Found::Entry { path, stamp } => (path, stamp),
                Found::Closed { error, .. } if is_skippable(&error) => return false,
                Found::Closed { error, .. } => {
                    failure.get_or_insert(error);
                    return false;
                }
            };
            let depth = path.iter().count();
            if stamp.kind == Kind::File && depth > 1 && !is_store_metadata(path) {
                files.insert(hub.join(path), (stamp.size, stamp.modified));
            }
            let name = path.file_name().unwrap_or_default();
            depth > 2 || !BOOKKEEPING.iter().any(|known| name == *known)
        });
        let folder = Some((device, inode));
        failure.map_or(Ok(Self { hub: hub.to_owned(), folder, files }), Err)
    }

    /// The files that are new or changed in `later`. `None` when the cache was moved or replaced, or files were
    /// removed from it.
    pub fn added_in(&self, later: &Self) -> Option<CacheDelta> {
        let is_another = self.folder.is_some() && self.folder != later.folder;
        // A finished download is renamed to its blob.
        let is_partial = |path: &Path| path.extension().is_some_and(|end| end == "incomplete");
        let is_lost = |path: &PathBuf| !later.files.contains_key(path) && !is_partial(path);
        if is_another || self.files.keys().any(is_lost) {
            return None;
        }
        let mut delta = CacheDelta::default();
        let mut repos = BTreeSet::new();
        for (path, state) in &later.files {
            if self.files.get(path) == Some(state) {
                continue;
            }
            delta.blobs_added += 1;
            delta.bytes_added += state.0;
            let below = path.strip_prefix(&later.hub).unwrap_or(path);
            let folder = below.iter().next().and_then(|folder| folder.to_str());
            repos.extend(folder.and_then(RepoName::of_folder).map(|repo| repo.to_string()));
        }
        delta.repos = repos.into_iter().collect();
        Some(delta)
    }
}

/// Whether the file is the lock or the reference list of a payload in the shared store.
fn is_store_metadata(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "lock" || ending == "refs")
}

#[cfg(test)]
mod tests {
    use std::{fs, time::SystemTime};

    use super::{CacheDelta, Inventory};

    #[test]
    fn new_and_rewritten_blobs_count_and_bookkeeping_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let hub = folder.path().join("hub");
        assert_eq!(Inventory::take(&hub).unwrap(), Inventory::default());
        let repo = hub.join("models--a--b");
        for name in ["blobs", "refs", "snapshots/c", ".no_exist/c", "trees"] {
            fs::create_dir_all(repo.join(name)).unwrap();
        }
        fs::create_dir_all(hub.join(".locks/models--a--b")).unwrap();
        fs::write(repo.join("blobs/kept"), "1").unwrap();
        fs::write(repo.join("blobs/again"), "22").unwrap();
        let before = Inventory::take(&hub).unwrap();
        assert_eq!(before.added_in(&before), Some(CacheDelta::default()));

        fs::write(repo.join("blobs/new"), "333").unwrap();
        let again = fs::File::options().write(true).open(repo.join("blobs/again")).unwrap();
        again.set_modified(SystemTime::UNIX_EPOCH).unwrap();
        std::os::unix::fs::symlink("../../blobs/new", repo.join("snapshots/c/new")).unwrap();
        for note in ["refs/main", ".no_exist/c/x", "trees/c.json"] {
            fs::write(repo.join(note), "note").unwrap();
        }
        fs::write(hub.join(".locks/models--a--b/new.lock"), "").unwrap();
        fs::write(hub.join("version.txt"), "1").unwrap();
        // A payload of the store is counted there, not at the symlink in the repo.
        fs::create_dir_all(hub.join("blobs/ab")).unwrap();
        fs::write(hub.join("blobs/ab/ab0"), "4444").unwrap();
        fs::write(hub.join("blobs/ab/ab0.refs"), "models--a--b/blobs/x").unwrap();
        fs::write(hub.join("blobs/ab/ab0.lock"), "").unwrap();
        let after = Inventory::take(&hub).unwrap();
        let repos = vec!["model/a/b".to_owned()];
        let expected = CacheDelta { blobs_added: 3, bytes_added: 9, repos };
        assert_eq!(before.added_in(&after), Some(expected));
    }

    #[test]
    fn difference_is_unknown_after_files_were_moved_or_removed() {
        let folder = tempfile::tempdir().unwrap();
        let hub = folder.path().join("hub");
        let missing = Inventory::take(&hub).unwrap();
        let blobs = hub.join("models--a--b/blobs");
        fs::create_dir_all(&blobs).unwrap();
        fs::write(blobs.join("a"), "1").unwrap();
        fs::write(blobs.join("b.incomplete"), "1").unwrap();
        let before = Inventory::take(&hub).unwrap();
        assert_eq!(missing.added_in(&before).unwrap().blobs_added, 2);
        fs::rename(blobs.join("b.incomplete"), blobs.join("b")).unwrap();
        let after = Inventory::take(&hub).unwrap();
        assert_eq!(before.added_in(&after).unwrap().blobs_added, 1);
        fs::remove_file(blobs.join("a")).unwrap();
        assert_eq!(before.added_in(&Inventory::take(&hub).unwrap()), None);
        fs::rename(&hub, folder.path().join("away")).unwrap();
        assert_eq!(before.added_in(&Inventory::take(&hub).unwrap()), None);
        fs::create_dir(&hub).unwrap();
        assert_eq!(before.added_in(&Inventory::take(&hub).unwrap()), None);
    }
}
