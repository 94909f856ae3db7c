//! Hashes many files on all processors.

use std::{
    cmp::Reverse,
    sync::atomic::{AtomicBool, Ordering},
};

use host::output::progress::Progress;

use crate::{
    digest::hash::{Buffer, Hashed, hash},
    layout::{Digest, RootedPath},
    parallel,
};

/// A file to hash.
#[derive(Debug, Clone)]
pub struct HashJob {
    /// The file.
    pub file: RootedPath,
    /// The expected digest. It decides the algorithm.
    pub expected: Digest,
    /// Its expected size: the largest files are hashed first.
    pub size: u64,
}

/// Hashes the files of `jobs` on all processors. Results come in the order of `jobs`. Once `stop` is set,
/// the remaining ones are [`Hashed::Interrupted`].
pub fn hash_all(jobs: &[HashJob], progress: &Progress, stop: &AtomicBool) -> Vec<Hashed> {
    hash_on(parallel::processors(), jobs, progress, stop)
}

fn hash_on(
    threads: usize,
    jobs: &[HashJob],
    progress: &Progress,
    stop: &AtomicBool,
) -> Vec<Hashed> {
    // A large file that is started last would keep the other processors waiting.
    let mut order: Vec<_> = jobs.iter().enumerate().collect();
    order.sort_by_key(|(_, job)| Reverse(job.size));
    let mut results = parallel::map(&order, threads, || {
        let mut buffer = Buffer::new();
        move |(index, HashJob { file, expected, size: _ })| {
            let hashed = match file.open() {
                _ if stop.load(Ordering::Relaxed) => Hashed::Interrupted,
                Ok(file) => {
                    hash(file, *expected, buffer.bytes(), &|bytes| progress.add(bytes), stop)
                }
                Err(error) => Hashed::Failed(error),
            };
            (*index, hashed)
        }
    });
    results.sort_unstable_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, hashed)| hashed).collect()
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::fs::symlink,
        path::Path,
        sync::{
            Arc,
            atomic::{AtomicBool, Ordering},
        },
    };

    use untrusted::{Dir, Refused};

    use super::{HashJob, RootedPath, hash_on};
    use host::output::progress::Progress;

    use crate::{digest::hash::Hashed, layout::Digest};

    fn job(file: &Path, size: u64) -> HashJob {
        let dir = Arc::new(Dir::open(file.parent().unwrap()).unwrap());
        let file = RootedPath { dir, below: file.file_name().unwrap().into() };
        HashJob { file, expected: Digest::Git([0; 20]), size }
    }

    #[test]
    fn results_are_in_the_order_of_the_jobs() {
        let folder = tempfile::tempdir().unwrap();
        let mut jobs = Vec::new();
        for size in [3_u64, 300_000, 0, 70_000, 5] {
            let path = folder.path().join(size.to_string());
            fs::write(&path, vec![b'x'; size as usize]).unwrap();
            jobs.push(job(&path, size));
        }
        let link = folder.path().join("link");
        symlink("0", &link).unwrap();
        jobs.push(job(&link, 0));
        jobs.push(job(&folder.path().join("none"), 9));
        for threads in [1, 3] {
            let progress = Progress::hidden();
            let results = hash_on(threads, &jobs, &progress, &AtomicBool::new(false));
            let sizes: Vec<_> = results
                .iter()
                .map(|hashed| match hashed {
                    Hashed::Is(_, stamp) => Some(stamp.size),
                    _ => None,
                })
                .collect();
            let expected = [Some(3), Some(300_000), Some(0), Some(70_000), Some(5), None, None];
            assert_eq!(sizes, expected);
            assert!(matches!(&results[6], Hashed::Failed(error)
                if error.kind() == std::io::ErrorKind::NotFound));
            assert!(matches!(&results[5], Hashed::Failed(error)
                if Refused::of(error) == Some(Refused::Symlink)));
            let Hashed::Is(empty, _) = &results[2] else { panic!("{:?}", results[2]) };
            assert_eq!(empty.to_string(), "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
            assert_eq!(progress.done(), 370_008);
        }
    }

    #[test]
    fn remaining_files_are_interrupted_once_stop_is_set() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "1").unwrap();
        let stop = AtomicBool::new(false);
        stop.store(true, Ordering::Relaxed);
        let results = hash_on(2, &[job(&path, 1), job(&path, 1)], &Progress::hidden(), &stop);
        assert!(results.iter().all(|hashed| matches!(hashed, Hashed::Interrupted)));
        assert_eq!(results.len(), 2);
    }
}
