//! What a run adds to the Hub cache: its blobs before and after.

use std::{
    collections::HashMap,
    io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use contract::summary::CacheDelta;
use walkdir::WalkDir;

/// Every file of a Hub cache that holds a repo's bytes, with what changes when it is written
/// again. Links, refs, locks and notes about missing files are left out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Inventory(HashMap<PathBuf, Stamp>);

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
        let walk = WalkDir::new(hub).into_iter().filter_entry(|entry| {
            let name = entry.file_name().as_encoded_bytes();
            let bookkeeping: [&[u8]; 4] = [b".locks", b".no_exist", b"refs", b"trees"];
            !(entry.file_type().is_dir() && bookkeeping.contains(&name) && entry.depth() <= 2)
        });
        for entry in walk {
            let entry = match entry {
                Err(error) if error.io_error().is_some_and(is_passing) => continue,
                entry => entry?,
            };
            if !entry.file_type().is_file() || entry.depth() < 2 {
                continue;
            }
            let data = match entry.metadata() {
                Err(error) if error.io_error().is_some_and(is_passing) => continue,
                data => data?,
            };
            let stamp = Stamp { bytes: data.len(), modified: (data.mtime(), data.mtime_nsec()) };
            files.insert(entry.into_path(), stamp);
        }
        Ok(Self(files))
    }

    /// What `later` has that this one has not, or has in another state.
    pub(crate) fn added_in(&self, later: &Self) -> CacheDelta {
        let added = later.0.iter().filter(|(path, stamp)| self.0.get(*path) != Some(stamp));
        let bytes = added.map(|(_, stamp)| stamp.bytes);
        let (blobs_added, bytes_added) = bytes.fold((0, 0), |(n, sum), b| (n + 1, sum + b));
        CacheDelta { blobs_added, bytes_added }
    }
}

/// Closed to this user, or gone since its folder was listed.
fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::NotFound)
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
        assert_eq!(before.added_in(&before), CacheDelta { blobs_added: 0, bytes_added: 0 });

        fs::write(repo.join("blobs/new"), "333").unwrap();
        let again = fs::File::options().write(true).open(repo.join("blobs/again")).unwrap();
        again.set_modified(SystemTime::UNIX_EPOCH).unwrap();
        std::os::unix::fs::symlink("../../blobs/new", repo.join("snapshots/c/new")).unwrap();
        for note in ["refs/main", ".no_exist/c/x", "trees/c.json"] {
            fs::write(repo.join(note), "note").unwrap();
        }
        fs::write(hub.join(".locks/models--a--b/new.lock"), "").unwrap();
        fs::write(hub.join("version.txt"), "1").unwrap();
        let after = Inventory::take(&hub).unwrap();
        assert_eq!(before.added_in(&after), CacheDelta { blobs_added: 2, bytes_added: 5 });
    }
}
