//! Many files hashed on all processors.

use std::{
    cmp::Reverse,
    sync::{
        OnceLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

use host::output::progress::Progress;

use crate::{
    digest::hash::{Buffer, Hashed, hash},
    layout::{dir::At, names::Digest},
};

/// A file to hash.
#[derive(Debug, Clone)]
pub struct Job {
    /// Where it is.
    pub file: At,
    /// What its digest should be.
    pub like: Digest,
    /// Its bytes, as far as known: the largest files are begun first.
    pub size: u64,
}

/// Hashes the files of `jobs` on all processors; the results in their order. Told to `stop`, what is
/// not done is [`Hashed::Interrupted`].
pub fn run(jobs: &[Job], progress: &Progress, stop: &AtomicBool) -> Vec<Hashed> {
    let processors = thread::available_parallelism().map_or(1, usize::from);
    run_on(processors.min(jobs.len()), jobs, progress, stop)
}

/// [`run`] on `workers` threads, this one included.
fn run_on(workers: usize, jobs: &[Job], progress: &Progress, stop: &AtomicBool) -> Vec<Hashed> {
    // Largest first: a large one that is begun last would keep all other processors waiting.
    let mut order: Vec<usize> = (0..jobs.len()).collect();
    order.sort_by_key(|at| Reverse(jobs[*at].size));
    let next = AtomicUsize::new(0);
    let mut results: Vec<OnceLock<Hashed>> = jobs.iter().map(|_| OnceLock::new()).collect();
    let work = || {
        let mut buffer = Buffer::new();
        while !stop.load(Ordering::Relaxed)
            && let Some(at) = order.get(next.fetch_add(1, Ordering::Relaxed))
        {
            let Job { file, like, size: _ } = &jobs[*at];
            let hashed = match file.open() {
                Ok(file) => hash(file, *like, buffer.bytes(), &|bytes| progress.add(bytes), stop),
                Err(error) => Hashed::Failed(error),
            };
            // Nobody else has this index.
            let _ = results[*at].set(hashed);
        }
    };
    thread::scope(|scope| {
        for _ in 1..workers {
            // Where no more threads are allowed, those that there are do it.
            if thread::Builder::new().spawn_scoped(scope, work).is_err() {
                break;
            }
        }
        work();
    });
    results.iter_mut().map(|result| result.take().unwrap_or(Hashed::Interrupted)).collect()
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

    use super::{At, Job, run_on};
    use host::output::progress::Progress;

    use crate::{digest::hash::Hashed, layout::names::Digest};

    fn job(file: &Path, size: u64) -> Job {
        let dir = Arc::new(Dir::open(file.parent().unwrap()).unwrap());
        let file = At { dir, below: file.file_name().unwrap().into() };
        Job { file, like: Digest::Git([0; 20]), size }
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
        for workers in [1, 3] {
            let progress = Progress::hidden();
            let results = run_on(workers, &jobs, &progress, &AtomicBool::new(false));
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
    fn what_is_left_when_told_to_stop_is_interrupted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "1").unwrap();
        let stop = AtomicBool::new(false);
        stop.store(true, Ordering::Relaxed);
        let results = run_on(2, &[job(&path, 1), job(&path, 1)], &Progress::hidden(), &stop);
        assert!(results.iter().all(|hashed| matches!(hashed, Hashed::Interrupted)));
        assert_eq!(results.len(), 2);
    }
}
