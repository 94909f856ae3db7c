//! Compares the mounts with the folders that the runner meant, before anything is written to them.

use std::{
    ffi::OsStr,
    fs,
    io::{self, Write as _},
    os::unix::fs::MetadataExt as _,
    path::Path,
};

use contract::mounts::{
    ActualMount, BOOT_ID, ExpectedMount, MAX_LIST_BYTES, Mismatch, MountList, Sample,
};
use untrusted::{Dir, Kind};

/// Result of the comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mounts {
    /// A mount is another folder than the runner meant.
    Different,
    /// No mount is known to differ.
    Same {
        /// Whether the runner has the same kernel, if both are known.
        same_kernel: Option<bool>,
    },
}

/// Compares the mounts with the runner's list, a file called `list` in the folder `results`.
/// Deletes the list, or overwrites it with the answer if mounts differ. Without a name nothing is
/// compared.
pub(super) fn compare(results: &Path, list: Option<&OsStr>) -> Mounts {
    let unknown = Mounts::Same { same_kernel: None };
    let Some(list) = list else { return unknown };
    // A folder that cannot be opened is an error later, when it is written to.
    let Ok(dir) = Dir::open(results) else { return unknown };
    match dir.read_if_there(list, MAX_LIST_BYTES) {
        Ok(Some(text)) => match serde_json::from_slice(&text) {
            Ok(told) => compare_with(&told, &dir, list),
            // A runner of another version wrote the list.
            Err(_) => unknown,
        },
        Ok(None) => Mounts::Different,
        Err(_) => unknown,
    }
}

fn compare_with(told: &MountList, results: &Dir, list: &OsStr) -> Mounts {
    let kernel = fs::read_to_string(BOOT_ID).ok();
    let same_kernel = told.kernel.as_ref().zip(kernel).map(|(told, kernel)| *told == kernel);
    let differs = |mount: &&ExpectedMount| !is_same(mount, same_kernel);
    let different: Vec<_> = told.mounts.iter().filter(differs).collect();
    if different.is_empty() {
        // The runner deletes a list that cannot be deleted here.
        let _ = results.remove(list);
        return Mounts::Same { same_kernel };
    }
    let different = different.into_iter().map(|mount| mount.target.clone()).collect();
    // Without an answer the runner's message does not name the mounts.
    let _ = answer(results, list, &Mismatch { different });
    Mounts::Different
}

/// Whether a mount is the folder that the runner meant. Permission denied counts as the same: using
/// the mount reports it.
fn is_same(told: &ExpectedMount, same_kernel: Option<bool>) -> bool {
    match seen(told) {
        Ok(seen) => told.matches(&seen, same_kernel),
        Err(error) => error.kind() != io::ErrorKind::NotFound,
    }
}

fn seen(told: &ExpectedMount) -> io::Result<ActualMount> {
    let data = fs::metadata(&told.target)?;
    let is_there = |sample: &&Sample| match Dir::open(&told.target) {
        Ok(dir) => dir.look(&sample.path).is_ok_and(|stamp| match sample.file {
            Some(file) => stamp.kind == Kind::File && (stamp.size, stamp.modified.0) == file,
            None => stamp.kind == Kind::Folder,
        }),
        Err(_) => {
            sample.path.is_empty()
                && data.is_file()
                && sample.file == Some((data.len(), data.mtime()))
        }
    };
    let found = told.samples.iter().filter(is_there).cloned().collect();
    Ok(ActualMount { device: data.dev(), inode: data.ino(), found })
}

/// Writes the answer in place, because the disk may be full.
fn answer(results: &Dir, list: &OsStr, answer: &Mismatch) -> io::Result<()> {
    let text = serde_json::to_vec(answer)?;
    let mut file = results.file_to_write(list)?;
    file.set_len(0)?;
    file.write_all(&text)
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::MetadataExt as _};

    use contract::mounts::{BOOT_ID, ExpectedMount, Mismatch, MountList};

    use super::{Mounts, compare};

    const LIST: &str = ".aienergyscore-new-x";

    fn told(target: &std::path::Path, kernel: &str) -> MountList {
        let data = fs::metadata(target).unwrap();
        let target = target.to_str().unwrap().to_owned();
        let mount =
            ExpectedMount { target, device: data.dev(), inode: data.ino(), samples: vec![] };
        MountList { kernel: Some(kernel.to_owned()), mounts: vec![mount] }
    }

    #[test]
    fn each_mount_must_have_the_listed_inode() {
        let results = tempfile::tempdir().unwrap();
        let cache = tempfile::tempdir().unwrap();
        let list = results.path().join(LIST);
        let kernel = fs::read_to_string(BOOT_ID).unwrap();
        let compared = |told: &MountList| {
            fs::write(&list, serde_json::to_vec(told).unwrap()).unwrap();
            compare(results.path(), Some(LIST.as_ref()))
        };
        let same = told(cache.path(), &kernel);
        assert_eq!(compared(&same), Mounts::Same { same_kernel: Some(true) });
        assert!(!list.exists(), "the list is deleted");
        let mut other = same.clone();
        other.mounts[0].inode += 1;
        assert_eq!(compared(&other), Mounts::Different);
        let answer: Mismatch = serde_json::from_slice(&fs::read(&list).unwrap()).unwrap();
        assert_eq!(answer.different, [other.mounts[0].target.clone()]);
        assert_eq!(compared(&told(cache.path(), "x")), Mounts::Same { same_kernel: Some(false) });
        let mut missing = same;
        missing.mounts[0].target = "/nowhere at all".to_owned();
        assert_eq!(compared(&missing), Mounts::Different);
    }

    #[test]
    fn results_folder_without_the_list_is_another_folder() {
        let results = tempfile::tempdir().unwrap();
        assert_eq!(compare(results.path(), Some(LIST.as_ref())), Mounts::Different);
        let unknown = Mounts::Same { same_kernel: None };
        assert_eq!(compare(results.path(), None), unknown);
        fs::write(results.path().join(LIST), "of another version").unwrap();
        assert_eq!(compare(results.path(), Some(LIST.as_ref())), unknown);
    }
}
