//! Whether bytes are what their names say: what is remembered, what must be read, what it means.

use std::{
    collections::HashMap,
    ffi::{OsStr, OsString},
    io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use super::layout::{Copy, Doubt, Judged, set_aside};
use crate::hub_cache::{
    breakage::{Breakage, Fix, What},
    dir::Stamp,
    hash::Hashed,
    hashing::Job,
    names::{BlobName, Digest, RepoName},
    reached::is_gone,
    repo::{At, BLOBS, Blob, Repo},
    verified::Verified,
};

/// What was checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Files whose bytes were read and compared.
    pub hashed: u64,
    /// Their bytes.
    pub hashed_bytes: u64,
    /// Files that have not changed since an earlier check.
    pub remembered: u64,
    /// Files whose names are no digest.
    pub unverifiable: u64,
    /// Files that could not be read, changed meanwhile or were not reached.
    pub unchecked: u64,
}

impl Tally {
    /// Adds another.
    pub(crate) fn add(&mut self, other: Self) {
        let Self { hashed, hashed_bytes, remembered, unverifiable, unchecked } = other;
        self.hashed += hashed;
        self.hashed_bytes += hashed_bytes;
        self.remembered += remembered;
        self.unverifiable += unverifiable;
        self.unchecked += unchecked;
    }
}

/// The files of a repo that must be checked.
#[derive(Debug)]
pub(crate) struct Content {
    repo: RepoName,
    folder: PathBuf,
    verified: Verified,
    memory: Option<PathBuf>,
    /// Files that have not changed since they were found sound.
    known: u64,
    pending: Vec<Item>,
    others: Others,
    /// Payloads of the store that this repo's links name.
    pub(crate) linked: Vec<OsString>,
    /// Whether some of its links are out of sight.
    pub(crate) is_blind: bool,
}

/// Files that nothing tells the digest of, and files in place of links.
#[derive(Debug, Default)]
struct Others {
    first: Option<PathBuf>,
    count: u64,
    bytes: u64,
    copies: (u64, u64, Option<PathBuf>),
}

/// A file to check.
#[derive(Debug)]
struct Item {
    /// Where, below the repo.
    path: PathBuf,
    /// Where its bytes are.
    at: At,
    /// What it should be.
    name: Digest,
    stamp: Stamp,
    /// Where to put it if it is something else.
    fix: Fix,
    /// Whether the bytes are the store's, which other repos may share.
    shared: bool,
    /// What is wrong if it is something else, where that is known already.
    doubt: Option<Breakage>,
}

/// One file of the disk, by its numbers there, and what its digest should be.
type FileKey = (u64, u64, Digest);

/// Files to read, each once, whoever asks for it.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    /// What to read.
    pub(crate) jobs: Vec<Job>,
    at: HashMap<FileKey, usize>,
}

impl Content {
    /// What of `repo` must be checked. `memory` is the file that remembers earlier checks; with
    /// `full`, what it remembers does not count.
    pub(crate) fn of(repo: &Repo, judged: &Judged, memory: Option<PathBuf>, full: bool) -> Self {
        let verified = memory.as_deref().map(Verified::load).unwrap_or_default();
        let folder = PathBuf::from(repo.name.folder());
        let mut content = Self {
            repo: repo.name.clone(),
            verified,
            memory,
            known: 0,
            pending: vec![],
            others: Others::default(),
            linked: vec![],
            is_blind: repo.hides(BLOBS),
            folder,
        };
        for (name, blob) in &repo.blobs {
            content.blob(repo, judged, name, blob, full);
        }
        for Doubt { blob, etag, is_likely_right: _, breakage } in &judged.doubts {
            content.doubt(repo, blob, *etag, breakage, full);
        }
        for Copy { path, at, stamp, etag } in &judged.copies {
            let (count, bytes, first) = &mut content.others.copies;
            *count += 1;
            *bytes += stamp.size;
            first.get_or_insert_with(|| path.clone());
            let digest = etag.as_ref().and_then(|etag| Digest::of_name(etag.as_bytes()));
            match digest {
                Some(name) => {
                    let fix = Fix::SetAside {
                        path: content.folder.join(path),
                        repo: content.folder.clone(),
                    };
                    let (path, at, stamp) = (path.clone(), at.clone(), *stamp);
                    let shared = false;
                    content.item(Item { path, at, name, stamp, fix, shared, doubt: None }, full);
                }
                None => content.others.unverifiable(path, stamp.size),
            }
        }
        content
    }

    fn blob(&mut self, repo: &Repo, judged: &Judged, name: &OsString, blob: &Blob, full: bool) {
        if let Blob::Shared { payload, .. } = blob {
            self.linked.push(payload.clone());
        }
        let (stamp, shared) = match blob {
            Blob::Bytes(stamp) => (stamp, false),
            Blob::Shared { reached, .. } => match reached.file() {
                Some(stamp) => (stamp, true),
                None => return,
            },
            Blob::Unseen(_) => {
                self.is_blind = true;
                return;
            }
            Blob::Astray { .. } | Blob::Odd => return,
        };
        if let Some(payload) = judged.texts.get(name) {
            self.linked.push(payload.clone());
            return;
        }
        let path = Path::new(BLOBS).join(name);
        match BlobName::of(name.as_encoded_bytes()) {
            BlobName::Named(digest) => {
                let Some(at) = repo.blob_at(name) else { return };
                let fix = set_aside(repo, &self.folder, name);
                let doubt = judged.wrong_size.get(name).cloned();
                self.item(Item { path, at, name: digest, stamp: *stamp, fix, shared, doubt }, full);
            }
            BlobName::Other if judged.used.contains(name) => {
                self.others.unverifiable(&path, stamp.size);
            }
            _ => {}
        }
    }

    /// A link to another blob than the commit's list says: its bytes may be the right ones.
    fn doubt(&mut self, repo: &Repo, blob: &OsStr, name: Digest, breakage: &Breakage, full: bool) {
        let stamp = repo.blobs.get(blob).and_then(Blob::stamp);
        let (Some(at), Some(stamp)) = (repo.blob_at(blob), stamp) else { return };
        let (path, fix) = (Path::new(BLOBS).join(blob), set_aside(repo, &self.folder, blob));
        let doubt = Some(breakage.clone());
        self.item(Item { path, at, name, stamp: *stamp, fix, shared: false, doubt }, full);
    }

    fn item(&mut self, item: Item, full: bool) {
        // What is read again must not be kept for sound when it cannot be read.
        let known = if full { None } else { self.verified.recall(&item.stamp, item.name) };
        match known {
            Some(digest) if digest == item.name => self.known += 1,
            // Only one reading of a file is remembered, and a name may mean another.
            _ => self.pending.push(item),
        }
    }

    /// Asks for the files that must be read.
    pub(crate) fn ask(&self, reading: &mut Reading) {
        for item in &self.pending {
            let at = reading.jobs.len();
            let is_new = *reading.at.entry(item.key()).or_insert(at) == at;
            if is_new {
                let file = item.at.clone();
                reading.jobs.push(Job { file, like: item.name, size: item.stamp.size });
            }
        }
    }

    /// Judges what was read, and remembers it. `now` is a time before that.
    pub(crate) fn finish(
        mut self,
        reading: &Reading,
        hashed: &[Hashed],
        now: SystemTime,
    ) -> (Vec<Breakage>, Tally) {
        let mut tally = Tally { remembered: self.known, ..Tally::default() };
        let mut found = Vec::new();
        for item in std::mem::take(&mut self.pending) {
            let at = reading.at[&item.key()];
            match &hashed[at] {
                Hashed::Is(digest, stamp) => {
                    self.verified.remember(stamp, *digest, now);
                    tally.hashed += 1;
                    tally.hashed_bytes += stamp.size;
                    found.extend(self.compare(&item, *digest));
                }
                Hashed::Changing => {
                    tally.unchecked += 1;
                    let evidence = "it changed while it was read".to_owned();
                    found.push(self.breakage(What::Changing, &item, evidence, vec![]));
                }
                Hashed::Interrupted => {
                    // It keeps what is remembered of it, if anything is.
                    self.verified.recall(&item.stamp, item.name);
                    tally.unchecked += 1;
                }
                Hashed::Failed(error) if is_gone(error) => {
                    tally.unchecked += 1;
                    let evidence = "it went before it was read".to_owned();
                    found.push(self.breakage(What::Changing, &item, evidence, vec![]));
                }
                // Who may not read it was found by its owner and mode.
                Hashed::Failed(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                    tally.unchecked += 1;
                }
                Hashed::Failed(error) => {
                    tally.unchecked += 1;
                    found.push(self.breakage(What::DiskError, &item, error.to_string(), vec![]));
                }
            }
        }
        tally.unverifiable = self.others.count;
        found.extend(self.others.breakages(&self.repo, &self.folder));
        if let Some(memory) = &self.memory {
            // Without a memory the next check only takes longer.
            let _ = self.verified.save(memory);
        }
        (found, tally)
    }

    fn compare(&self, item: &Item, digest: Digest) -> Option<Breakage> {
        if digest == item.name {
            return None;
        }
        if item.doubt.is_some() {
            return item.doubt.clone();
        }
        let whose = if item.shared { "the store's bytes have" } else { "its bytes have" };
        let evidence = format!("{whose} the digest {digest}");
        Some(self.breakage(What::CorruptBlob, item, evidence, vec![item.fix.clone()]))
    }

    fn breakage(&self, what: What, item: &Item, evidence: String, fixes: Vec<Fix>) -> Breakage {
        Breakage {
            what,
            path: self.folder.join(&item.path),
            repo: Some(self.repo.clone()),
            bytes: item.stamp.size,
            evidence,
            fixes,
        }
    }
}

impl Item {
    fn key(&self) -> FileKey {
        let Stamp { device, inode, .. } = self.stamp;
        (device, inode, self.name)
    }
}

impl Others {
    fn unverifiable(&mut self, path: &Path, bytes: u64) {
        self.count += 1;
        self.bytes += bytes;
        self.first.get_or_insert_with(|| path.to_owned());
    }

    fn breakages(&self, repo: &RepoName, folder: &Path) -> Vec<Breakage> {
        let breakage = |what, path: &Option<PathBuf>, bytes, evidence| Breakage {
            what,
            path: path.as_ref().map_or_else(|| folder.to_owned(), |path| folder.join(path)),
            repo: Some(repo.clone()),
            bytes,
            evidence,
            fixes: vec![],
        };
        let (count, bytes, first) = &self.copies;
        let copies = (*count > 0).then(|| {
            let evidence = format!("{count} file(s) where links should be");
            breakage(What::Copies, first, *bytes, evidence)
        });
        let unverifiable = (self.count > 0).then(|| {
            let evidence = format!("{} file(s) whose digest nothing tells", self.count);
            breakage(What::Unverifiable, &self.first, self.bytes, evidence)
        });
        copies.into_iter().chain(unverifiable).collect()
    }
}
