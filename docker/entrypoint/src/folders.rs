//! Whether the mounts are the folders that the runner means, before anything is written to them.

use std::{
    ffi::{OsStr, OsString},
    fs, io,
    io::Write as _,
    os::unix::fs::MetadataExt as _,
    path::Path,
};

use contract::mounts::{
    ActualMount, BOOT_ID, ExpectedMount, MAX_LIST_BYTES, Mismatch, MountList, Sample,
};
use untrusted::{Dir, Kind};

/// What the comparison says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// These are other folders.
    Others,
    /// Nothing is known to differ.
    Fine {
        /// Whether the runner has this kernel, where both are known.
        same_kernel: Option<bool>,
    },
}

/// Compares the mounts with the list `named` of the folder `results`; without a list nothing was
/// asked for. The list goes, or makes room for the answer.
pub(crate) fn compare(results: &Path, named: Option<OsString>) -> Verdict {
    let unknown = Verdict::Fine { same_kernel: None };
    let Some(name) = named.filter(|name| !name.is_empty()) else { return unknown };
    // What is closed is told when it is written to.
    let Ok(dir) = Dir::open(results) else { return unknown };
    match dir.read_if_there(&name, MAX_LIST_BYTES) {
        Ok(Some(text)) => match serde_json::from_slice(&text) {
            Ok(told) => judge(&dir, &name, &told),
            // A runner of another version wrote it.
            Err(_) => unknown,
        },
        Ok(None) => Verdict::Others,
        Err(_) => unknown,
    }
}

fn judge(results: &Dir, name: &OsStr, told: &MountList) -> Verdict {
    let ours = fs::read_to_string(BOOT_ID).ok();
    let same_kernel = told.kernel.as_ref().zip(ours).map(|(told, ours)| *told == ours);
    let differs = |mount: &&ExpectedMount| !is_same(mount, same_kernel);
    let different: Vec<_> = told.mounts.iter().filter(differs).collect();
    if different.is_empty() {
        // The runner deletes what stays.
        let _ = results.remove(name);
        return Verdict::Fine { same_kernel };
    }
    let different = different.into_iter().map(|mount| mount.target.clone()).collect();
    // Without an answer the runner says less.
    let _ = answer(results, name, &Mismatch { different });
    Verdict::Others
}

/// Whether a mount is what was told. One that cannot be looked at is told when it is used.
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

/// Writes the answer in place: the folder may be full.
fn answer(results: &Dir, name: &OsStr, answer: &Mismatch) -> io::Result<()> {
    let text = serde_json::to_vec(answer)?;
    let mut file = results.file_to_write(name)?;
    file.set_len(0)?;
    file.write_all(&text)
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::MetadataExt as _};

    use contract::mounts::{BOOT_ID, ExpectedMount, Mismatch, MountList};

    use super::{Verdict, compare};

    const LIST: &str = ".aienergyscore-new-x";

    fn told(target: &std::path::Path, kernel: &str) -> MountList {
        let data = fs::metadata(target).unwrap();
        let target = target.to_str().unwrap().to_owned();
        let mount =
            ExpectedMount { target, device: data.dev(), inode: data.ino(), samples: vec![] };
        MountList { kernel: Some(kernel.to_owned()), mounts: vec![mount] }
    }

    #[test]
    fn mounts_are_compared_with_the_list_in_the_results_folder() {
        let results = tempfile::tempdir().unwrap();
        let cache = tempfile::tempdir().unwrap();
        let list = results.path().join(LIST);
        let kernel = fs::read_to_string(BOOT_ID).unwrap();
        let compared = |told: &MountList| {
            fs::write(&list, serde_json::to_vec(told).unwrap()).unwrap();
            compare(results.path(), Some(LIST.into()))
        };
        let same = told(cache.path(), &kernel);
        assert_eq!(compared(&same), Verdict::Fine { same_kernel: Some(true) });
        assert!(!list.exists(), "the list goes");
        let mut other = same.clone();
        other.mounts[0].inode += 1;
        assert_eq!(compared(&other), Verdict::Others);
        let answer: Mismatch = serde_json::from_slice(&fs::read(&list).unwrap()).unwrap();
        assert_eq!(answer.different, [other.mounts[0].target.clone()]);
        assert_eq!(compared(&told(cache.path(), "x")), Verdict::Fine { same_kernel: Some(false) });
        let mut missing = same;
        missing.mounts[0].target = "/nowhere at all".to_owned();
        assert_eq!(compared(&missing), Verdict::Others);
    }

    #[test]
    fn a_results_folder_without_the_list_is_another() {
        let results = tempfile::tempdir().unwrap();
        assert_eq!(compare(results.path(), Some(LIST.into())), Verdict::Others);
        let unknown = Verdict::Fine { same_kernel: None };
        assert_eq!(compare(results.path(), None), unknown);
        fs::write(results.path().join(LIST), "of another version").unwrap();
        assert_eq!(compare(results.path(), Some(LIST.into())), unknown);
    }
}
