//! What a run adds to the Hub cache: its blobs before and after.

use std::{
    collections::{BTreeSet, HashMap},
    io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use contract::summary::CacheDelta;
use walkdir::WalkDir;

use super::{dir::DEEPEST, names::RepoName, reached::is_passing};

/// Every file of a Hub cache that holds a repo's bytes, with what changes when it is written
/// again. Links, refs, locks and notes about missing files are left out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Inventory {
    hub: PathBuf,
    files: HashMap<PathBuf, Stamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    bytes: u64,
    modified: (i64, i64),
}

impl Inventory {
    /// Walks the cache; one that does not exist is empty. Folders that are closed to this user are
    /// passed over: a container of this user's cannot write there either.
    ///
    /// # Errors
    /// When the file system fails.
    pub(crate) fn take(hub: &Path) -> io::Result<Self> {
        if !hub.is_dir() {
            return Ok(Self::default());
        }
        let mut files = HashMap::new();
        // Below, no program would find a file again.
        let walk = WalkDir::new(hub).max_depth(DEEPEST).into_iter().filter_entry(|entry| {
            let name = entry.file_name().as_encoded_bytes();
            let bookkeeping: [&[u8]; 4] = [b".locks", b".no_exist", b"refs", b"trees"];
            !(entry.file_type().is_dir() && bookkeeping.contains(&name) && entry.depth() <= 2)
        });
        for entry in walk {
            let entry = match entry {
                Err(error) if error.io_error().is_some_and(is_passing) => continue,
                entry => entry?,
            };
            if !entry.file_type().is_file() || entry.depth() < 2 || is_of_store(entry.path()) {
                continue;
            }
            let data = match entry.metadata() {
                Err(error) if error.io_error().is_some_and(is_passing) => continue,
                data => data?,
            };
            let stamp = Stamp { bytes: data.len(), modified: (data.mtime(), data.mtime_nsec()) };
            files.insert(entry.into_path(), stamp);
        }
        Ok(Self { hub: hub.to_owned(), files })
    }

    /// What `later` has that this one has not, or has in another state.
    pub(crate) fn added_in(&self, later: &Self) -> CacheDelta {
        let mut delta = CacheDelta::default();
        let mut repos = BTreeSet::new();
        for (path, stamp) in &later.files {
            if self.files.get(path) == Some(stamp) {
                continue;
            }
            delta.blobs_added += 1;
            delta.bytes_added += stamp.bytes;
            let below = path.strip_prefix(&later.hub).unwrap_or(path);
            let folder = below.iter().next().and_then(|folder| folder.to_str());
            repos.extend(folder.and_then(RepoName::of_folder).map(|repo| repo.to_string()));
        }
        delta.repos = repos.into_iter().collect();
        delta
    }
}

/// A lock or a list of users of a payload in the shared store, which is no payload.
fn is_of_store(path: &Path) -> bool {
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
        assert_eq!(before.added_in(&before), CacheDelta::default());

        fs::write(repo.join("blobs/new"), "333").unwrap();
        let again = fs::File::options().write(true).open(repo.join("blobs/again")).unwrap();
        again.set_modified(SystemTime::UNIX_EPOCH).unwrap();
        std::os::unix::fs::symlink("../../blobs/new", repo.join("snapshots/c/new")).unwrap();
        for note in ["refs/main", ".no_exist/c/x", "trees/c.json"] {
            fs::write(repo.join(note), "note").unwrap();
        }
        fs::write(hub.join(".locks/models--a--b/new.lock"), "").unwrap();
        fs::write(hub.join("version.txt"), "1").unwrap();
        // A payload of the store is linked from the repo, and counted where its bytes are.
        fs::create_dir_all(hub.join("blobs/ab")).unwrap();
        fs::write(hub.join("blobs/ab/ab0"), "4444").unwrap();
        fs::write(hub.join("blobs/ab/ab0.refs"), "models--a--b/blobs/x").unwrap();
        fs::write(hub.join("blobs/ab/ab0.lock"), "").unwrap();
        let after = Inventory::take(&hub).unwrap();
        let repos = vec!["model/a/b".to_owned()];
        let expected = CacheDelta { blobs_added: 3, bytes_added: 9, repos };
        assert_eq!(before.added_in(&after), expected);
    }
}
