//! Whether content is what its name says: what is remembered, what must be read, what it means.

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

/// What was checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Files whose content was read and compared.
    pub hashed: u64,
    /// Their bytes.
    pub(crate) hashed_bytes: u64,
    /// Files that have not changed since an earlier check.
    pub remembered: u64,
    /// Files whose checksum is unknown.
    pub unverifiable: u64,
    /// Files that could not be read, changed meanwhile or were not reached.
    pub unchecked: u64,
}

/// A file whose content should have a digest.
#[derive(Debug)]
pub(super) struct Check {
    /// Its path below the cache.
    pub path: PathBuf,
    /// The repo that it is in.
    pub repo: Option<RepoName>,
    /// Where its content is.
    pub at: RootedPath,
    /// The same below the cache, if a repair may move it away.
    pub content: Option<PathBuf>,
    /// Its size and times.
    pub stamp: Stamp,
    /// What its digest should be.
    pub expected: Digest,
    /// What is wrong if its digest is another, where a commit's list contradicts the file already.
    pub doubt: Option<Finding>,
}

/// One file of the disk, and what its digest should be.
type FileKey = (u64, u64, Digest);

impl Check {
    fn key(&self) -> FileKey {
        (self.stamp.device, self.stamp.inode, self.expected)
    }

    fn finding(&self, problem: Problem, evidence: impl Into<String>) -> Finding {
        Finding {
            problem,
            path: self.path.clone(),
            repo: self.repo.clone(),
            bytes: self.stamp.size,
            evidence: evidence.into(),
            details: Details::None,
        }
    }

    /// What is wrong, now that its digest is known to be another than expected.
    fn mismatch(&self, digest: Digest) -> Finding {
        if let Some(doubt) = &self.doubt {
            return doubt.clone();
        }
        let is_shared = self.content.as_ref().is_some_and(|content| content.starts_with(STORE));
        let whose = if is_shared { "the store's bytes have" } else { "its bytes have" };
        let found = self.finding(Problem::CorruptBlob, format!("{whose} the digest {digest}"));
        Finding { details: self.content.clone().map_or(Details::None, Details::Content), ..found }
    }
}

/// Files to read, each once, however many checks need it.
#[derive(Debug, Default)]
pub(super) struct Reading {
    /// What to read.
    pub jobs: Vec<HashJob>,
    at: HashMap<FileKey, usize>,
}

/// The files of a repo or of the store that must be checked.
#[derive(Debug)]
pub(super) struct Batch {
    verified: DigestCache,
    /// The file that remembers earlier checks.
    memory: Option<PathBuf>,
    /// Files that have not changed since they were found right.
    remembered: u64,
    pending: Vec<Check>,
}

impl Batch {
    /// What of `checks` must be read. With `full`, what `memory` remembers does not count.
    pub(super) fn new(checks: Vec<Check>, memory: Option<PathBuf>, full: bool) -> Self {
        let mut verified = memory.as_deref().map(DigestCache::load).unwrap_or_default();
        // What is read again must not be kept for right when it cannot be read. Only one reading of a
        // file is remembered, and its name may mean another.
        let is_known = |check: &Check| {
            !full && verified.get(&check.stamp, check.expected) == Some(check.expected)
        };
        let (known, pending): (Vec<_>, Vec<_>) = checks.into_iter().partition(is_known);
        Self { verified, memory, remembered: known.len() as u64, pending }
    }

    /// Asks for the files that must be read.
    pub(super) fn ask(&self, reading: &mut Reading) {
        for check in &self.pending {
            let at = reading.jobs.len();
            if *reading.at.entry(check.key()).or_insert(at) == at {
                let (file, size) = (check.at.clone(), check.stamp.size);
                reading.jobs.push(HashJob { file, like: check.expected, size });
            }
        }
    }

    /// Compares what was read, and remembers it. `now` is a time before that.
    pub(super) fn finish(
        mut self,
        reading: &Reading,
        hashed: &[Hashed],
        now: SystemTime,
        findings: &mut Vec<Finding>,
        tally: &mut Tally,
    ) {
        tally.remembered += self.remembered;
        for check in &self.pending {
            let error = match &hashed[reading.at[&check.key()]] {
                Hashed::Is(digest, stamp) => {
                    self.verified.insert(stamp, *digest, now);
                    tally.hashed += 1;
                    tally.hashed_bytes += stamp.size;
                    if *digest != check.expected {
                        findings.push(check.mismatch(*digest));
                    }
                    continue;
                }
                Hashed::Interrupted => {
                    // It keeps what is remembered of it, if anything is.
                    self.verified.get(&check.stamp, check.expected);
                    None
                }
                Hashed::Changing => {
                    Some((Problem::Changing, "it changed while it was read".into()))
                }
                Hashed::Failed(error) if is_not_found(error) => {
                    Some((Problem::Changing, "it was removed before it was read".into()))
                }
                // That was found by its owner and mode.
                Hashed::Failed(error) if error.kind() == io::ErrorKind::PermissionDenied => None,
                Hashed::Failed(error) => Some((Problem::DiskError, error.to_string())),
            };
            tally.unchecked += 1;
            findings.extend(error.map(|(problem, evidence)| check.finding(problem, evidence)));
        }
        if let Some(memory) = &self.memory {
            // Without a memory the next check only takes longer.
            let _ = self.verified.save(memory);
        }
    }
}

/// Files that are reported together.
#[derive(Debug, Default)]
pub(super) struct Summary {
    /// How many they are.
    pub count: u64,
    bytes: u64,
    first: PathBuf,
}

impl Summary {
    /// Adds the file at `path`, below the cache.
    pub(super) fn add(&mut self, path: &Path, bytes: u64) {
        if self.count == 0 {
            self.first = path.to_owned();
        }
        self.count += 1;
        self.bytes += bytes;
    }

    /// One finding for all of them, if there are any.
    pub(super) fn finding(
        &self,
        problem: Problem,
        repo: Option<&RepoName>,
        what: &str,
    ) -> Option<Finding> {
        (self.count > 0).then(|| Finding {
            problem,
            path: self.first.clone(),
            repo: repo.cloned(),
            bytes: self.bytes,
            evidence: format!("{} file(s) {what}", self.count),
            details: Details::None,
        })
    }
}
