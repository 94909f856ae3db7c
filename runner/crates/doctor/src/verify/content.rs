//! Compares file contents with their digests. Files that are unchanged since an earlier check are not read.

use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use hub::{
    RepoName,
    digest::{DigestCache, HashJob, Hashed},
    layout::{Digest, RootedPath, STORE, Stamp, is_not_found},
};

use crate::finding::{Details, Finding, Problem};

/// Counts of checked files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Tally {
    /// Files that were read and compared.
    pub(crate) hashed: u64,
    /// Bytes of these files.
    pub(crate) hashed_bytes: u64,
    /// Files unchanged since an earlier check.
    pub(crate) remembered: u64,
    /// Files whose checksum is unknown.
    pub(crate) unverifiable: u64,
    /// Files that were unreadable, changed while they were read, or were not reached.
    pub(crate) unchecked: u64,
}

/// A file to compare with its digest.
#[derive(Debug)]
pub(super) struct Check {
    /// Path below the cache.
    pub path: PathBuf,
    /// Repo of the file.
    pub repo: Option<RepoName>,
    /// Path of the content, opened without following symlinks.
    pub at: RootedPath,
    /// Path of the content below the cache, if a repair may move it.
    pub content: Option<PathBuf>,
    /// Size and times.
    pub stamp: Stamp,
    /// Digest that the content should have.
    pub expected: Digest,
    /// The finding for a wrong digest, if the file already contradicts the commit's file list.
    pub suspected: Option<Finding>,
}

/// Device, inode and expected digest of a file.
type FileKey = (u64, u64, Digest);

impl Check {
    fn key(&self) -> FileKey {
        (self.stamp.device, self.stamp.inode, self.expected)
    }

    fn finding(&self, problem: Problem, evidence: impl Into<String>) -> Finding {
        let (repo, bytes) = (self.repo.clone(), self.stamp.size);
        Finding { repo, bytes, ..Finding::new(problem, &self.path, evidence) }
    }

    /// The finding for a wrong digest.
    fn mismatch(&self, digest: Digest) -> Finding {
        if let Some(suspected) = &self.suspected {
            return suspected.clone();
        }
        let is_shared = self.content.as_ref().is_some_and(|content| content.starts_with(STORE));
        let subject = if is_shared { "the store's bytes have" } else { "its bytes have" };
        let found = self.finding(Problem::CorruptBlob, format!("{subject} the digest {digest}"));
        Finding { details: self.content.clone().map_or(Details::None, Details::Content), ..found }
    }
}

/// Files to read, each once for all checks that need it.
#[derive(Debug, Default)]
pub(super) struct HashJobs {
    /// Files in the order of their results.
    pub jobs: Vec<HashJob>,
    /// Index of each file in `jobs`.
    index: HashMap<FileKey, usize>,
}

/// Checks of a repo or of the store.
#[derive(Debug)]
pub(super) struct Batch {
    digests: DigestCache,
    /// File of the digest cache.
    cache_file: Option<PathBuf>,
    /// Number of files whose digest was verified earlier and that are unchanged since.
    remembered: u64,
    pending: Vec<Check>,
}

impl Batch {
    /// Splits `checks` by the digests in `cache_file`. With `full`, all files are read again.
    pub(super) fn new(checks: Vec<Check>, cache_file: Option<PathBuf>, full: bool) -> Self {
        let mut digests = cache_file.as_deref().map(DigestCache::load).unwrap_or_default();
        // `full` must not ask the digest cache, as `get` keeps an entry even if its file cannot be read
        // now. One digest is remembered per file, and the expected one may be of another kind.
        let is_known = |check: &Check| {
            !full && digests.get(&check.stamp, check.expected) == Some(check.expected)
        };
        let (known, pending): (Vec<_>, Vec<_>) = checks.into_iter().partition(is_known);
        Self { digests, cache_file, remembered: known.len() as u64, pending }
    }

    /// Adds the files that must be read to `jobs`, each once.
    pub(super) fn add_jobs(&self, jobs: &mut HashJobs) {
        for check in &self.pending {
            let next = jobs.jobs.len();
            if *jobs.index.entry(check.key()).or_insert(next) == next {
                let (file, size) = (check.at.clone(), check.stamp.size);
                jobs.jobs.push(HashJob { file, expected: check.expected, size });
            }
        }
    }

    /// Compares the digests and remembers them. `now` is a time before the files were read.
    pub(super) fn finish(
        mut self,
        jobs: &HashJobs,
        hashed: &[Hashed],
        now: SystemTime,
        findings: &mut Vec<Finding>,
        tally: &mut Tally,
    ) {
        tally.remembered += self.remembered;
        for check in &self.pending {
            let error = match &hashed[jobs.index[&check.key()]] {
                Hashed::Is(digest, stamp) => {
                    self.digests.insert(stamp, *digest, now);
                    tally.hashed += 1;
                    tally.hashed_bytes += stamp.size;
                    if *digest != check.expected {
                        findings.push(check.mismatch(*digest));
                    }
                    continue;
                }
                Hashed::Interrupted => {
                    // `get` marks the entry as used, so that `save` keeps it.
                    self.digests.get(&check.stamp, check.expected);
                    None
                }
                Hashed::Changing => {
                    Some((Problem::Changing, "it changed while it was read".into()))
                }
                Hashed::Failed(error) if is_not_found(error) => {
                    Some((Problem::Changing, "it was removed before it was read".into()))
                }
                // The check of owners and modes reports unreadable files.
                Hashed::Failed(error) if error.kind() == io::ErrorKind::PermissionDenied => None,
                Hashed::Failed(error) => Some((Problem::DiskError, error.to_string())),
            };
            tally.unchecked += 1;
            findings.extend(error.map(|(problem, evidence)| check.finding(problem, evidence)));
        }
        if let Some(cache_file) = &self.cache_file {
            // Without a digest cache the next check only takes longer.
            let _ = self.digests.save(cache_file);
        }
    }
}

/// Files that share one finding.
#[derive(Debug, Default)]
pub(super) struct FileGroup {
    /// Number of files.
    pub count: u64,
    bytes: u64,
    first: PathBuf,
}

impl FileGroup {
    /// Adds a file. `path` is below the cache.
    pub(super) fn add(&mut self, path: &Path, bytes: u64) {
        if self.count == 0 {
            self.first = path.to_owned();
        }
        self.count += 1;
        self.bytes += bytes;
    }

    /// The finding for all files, if there are any.
    pub(super) fn finding(
        &self,
        problem: Problem,
        repo: Option<&RepoName>,
        what: &str,
    ) -> Option<Finding> {
        let finding = Finding::new(problem, &self.first, format!("{} file(s) {what}", self.count));
        (self.count > 0).then(|| Finding { repo: repo.cloned(), bytes: self.bytes, ..finding })
    }
}
