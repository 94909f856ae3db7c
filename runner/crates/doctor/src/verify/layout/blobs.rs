//! Inspects the `blobs` folder of a repo, and adds a check of the digest for each blob.

use std::{
    ffi::{OsStr, OsString},
    io,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use contract::hub::in_store;
use hub::layout::{
    BLOBS, Blob, BlobLink, BlobName, Digest, Kind, LOCKS, LinkTarget, ReadError, Stamp, age, link,
};

use super::{Check, Inspector};
use crate::finding::{DAY, Details, Problem, is_unfinished};

impl Inspector<'_> {
    /// Inspects all blobs. Runs after the snapshots, which show which blobs are used.
    pub(super) fn blobs(&mut self) {
        let mut names: Vec<_> = self.repo.blobs.iter().collect();
        names.sort_unstable_by_key(|(name, _)| *name);
        for (name, blob) in names {
            let path = Path::new(BLOBS).join(name);
            match (&blob.link, blob.target) {
                (None, LinkTarget::Unknown(kind)) => {
                    self.found.has_unknown_links = true;
                    self.read_error(&ReadError { path, error: io::Error::from(kind) });
                }
                (None, LinkTarget::Found(stamp)) if stamp.kind == Kind::File => {
                    self.blob_file(name, blob, &stamp, &path);
                }
                (None, _) => self.foreign(&path, 0, "it is no file and no link"),
                (Some(BlobLink::Store(payload)), target) => {
                    self.found.linked.push(payload.clone());
                    self.store_blob(name, blob, &path, payload, target);
                }
                (Some(BlobLink::Elsewhere(text)), _) => self.escaping_blob(name, &path, text),
            }
        }
        // The remaining blobs have no digest to check, so the size in the file list decides.
        self.found.findings.extend(self.wrong_size.drain().map(|(_, found)| found));
    }

    /// Inspects a symlink to a path outside of the store.
    fn escaping_blob(&mut self, name: &OsStr, path: &Path, text: &[u8]) {
        if let Some(right) = self.store_link_text(text) {
            let evidence = "its text leads to the store only from this path";
            self.add(Problem::AbsoluteLink, path, 0, evidence, Details::LinkText(right));
        } else if !self.repo.contains_target(path, text)
            || self.repo.blob_target(name).file().is_none()
        {
            // Symlinks to this one would dangle without it, so a repair removes them, too.
            let users = self.users_of_escaping.remove(name).unwrap_or_default();
            let links = std::iter::once(self.below(path)).chain(users).collect();
            let evidence = format!("it leads to `{}`", String::from_utf8_lossy(text));
            self.add(Problem::EscapingLink, path, 0, evidence, Details::Links(links));
        }
    }

    /// Correct text of a symlink that points to the store by another path.
    fn store_link_text(&self, text: &[u8]) -> Option<OsString> {
        let blobs = self.repo.path.join(BLOBS);
        let payload = blobs.join(OsStr::from_bytes(text)).canonicalize().ok()?;
        let below = payload.strip_prefix(self.repo.path.parent()?).ok()?;
        let right = Path::new("../..").join(below).into_os_string();
        in_store(right.as_bytes()).map(|_| right)
    }

    /// Inspects a symlink to a payload of the shared store.
    fn store_blob(
        &mut self,
        name: &OsStr,
        blob: &Blob,
        path: &Path,
        payload: &Path,
        target: LinkTarget,
    ) {
        let evidence = match target {
            LinkTarget::Found(stamp) if stamp.kind == Kind::File => {
                return self.check(name, blob, &stamp, path);
            }
            LinkTarget::Found(_) => format!("`{}` is no file", payload.display()),
            LinkTarget::Unknown(kind) => {
                let (path, error) = (path.to_owned(), io::Error::from(kind));
                return self.read_error(&ReadError { path, error });
            }
            // A download may have ended since the repo was listed.
            LinkTarget::Missing if self.repo.blob_target(name).file().is_some() => return,
            LinkTarget::Missing => format!("the store has no `{}`", payload.display()),
        };
        self.report(Problem::DanglingPointer, path, evidence);
    }

    /// Inspects a blob that is a regular file.
    fn blob_file(&mut self, name: &OsStr, blob: &Blob, stamp: &Stamp, path: &Path) {
        let bytes = stamp.size;
        if let Some(payload) = self.store_link(name, stamp) {
            return self.store_link_as_text(name, payload, path);
        }
        let is_wanted =
            self.has_unread_snapshots || self.used.contains(name) || self.listed.contains(name);
        match BlobName::of(name) {
            BlobName::Named(_) => {
                if !is_wanted {
                    let evidence = "no snapshot leads to it";
                    self.add(Problem::OrphanBlob, path, bytes, evidence, Details::None);
                }
            }
            BlobName::Incomplete { etag, unique } => self.unfinished(etag, unique, stamp, path),
            BlobName::UmaskProbe | BlobName::Replacement => {
                self.leftover(path, bytes, "a temporary file");
            }
            BlobName::Replaced { etag } if self.repo.blobs.contains_key(etag) => {
                self.leftover(path, bytes, &format!("what was replaced as `{}`", etag.display()));
            }
            BlobName::Replaced { etag } => {
                let evidence = format!("what was replaced as `{}`", etag.display());
                let details = Details::OnlyCopyOf(self.below(&Path::new(BLOBS).join(etag)));
                self.add(Problem::Leftover, path, bytes, evidence, details);
            }
            BlobName::Lock => {
                let lock = Some(self.below(path));
                let details = Details::Unused { lock, idle: Duration::ZERO };
                let evidence = "a lock of a client before 0.19";
                self.add(Problem::Leftover, path, bytes, evidence, details);
            }
            BlobName::Other if is_unfinished(name) => {
                let details = Details::Unused { lock: None, idle: Duration::ZERO };
                let evidence = "a file that a repair was making";
                self.add(Problem::Leftover, path, bytes, evidence, details);
            }
            BlobName::Other if is_wanted => {}
            BlobName::Other => {
                self.foreign(path, bytes, "its name is no digest, and no snapshot leads to it");
            }
        }
        self.check(name, blob, stamp, path);
    }

    /// Adds a check of the digest if the name of the blob is one.
    fn check(&mut self, name: &OsStr, blob: &Blob, stamp: &Stamp, path: &Path) {
        if let Some(expected) = Digest::of_name(name.as_bytes()) {
            let Some(at) = self.repo.blob_at(name) else { return };
            let suspected = self.wrong_size.remove(name);
            self.found.suspected.extend(suspected.as_ref().map(super::unproven));
            self.found.checks.push(Check {
                path: self.below(path),
                repo: Some(self.repo.name.clone()),
                at,
                content: Some(self.content_of(name, blob)),
                stamp: *stamp,
                expected,
                suspected,
            });
        } else if BlobName::of(name) == BlobName::Other && self.used.contains(name) {
            self.found.unverifiable.add(&self.below(path), stamp.size);
        }
    }

    /// Path of a blob's content, below the cache.
    pub(super) fn content_of(&self, name: &OsStr, blob: &Blob) -> PathBuf {
        match &blob.link {
            Some(BlobLink::Store(payload)) => payload.clone(),
            _ => self.below(&Path::new(BLOBS).join(name)),
        }
    }

    /// The payload of the store that a text file names, if the file was a symlink before a copy.
    fn store_link(&self, name: &OsStr, stamp: &Stamp) -> Option<PathBuf> {
        if stamp.size > link::MAX_TEXT || Digest::of_name(name.as_bytes()).is_none() {
            return None;
        }
        let bytes = self.repo.blob_at(name)?.read(link::MAX_TEXT).ok()?;
        in_store(&link::text_in_file(&bytes)?)
    }

    /// Reports a blob that was a symlink to the store and became a text file in a copy.
    fn store_link_as_text(&mut self, name: &OsStr, payload: PathBuf, path: &Path) {
        let hub = self.repo.path.parent().unwrap_or(Path::new("/"));
        let (lacks, details) = if hub.join(&payload).is_file() {
            ("", Details::LinkText(Path::new("../..").join(&payload).into_os_string()))
        } else {
            (", which the store lacks", Details::None)
        };
        let evidence = format!("it names `{}`{lacks}", payload.display());
        self.add(Problem::LinkAsText, path, 0, evidence, details);
        self.wrong_size.remove(name);
        self.found.linked.push(payload);
    }

    /// Reports an unfinished download, which may be running or be resumed.
    fn unfinished(&mut self, etag: &OsStr, unique: bool, stamp: &Stamp, path: &Path) {
        let is_old = age(stamp, self.now) >= DAY;
        let evidence = match (unique, is_old) {
            (false, _) => "huggingface_hub before 1.18 and the Rust client resume it",
            (true, false) => "it changed in the last 24 hours, a download may be running",
            (true, true) => "a download that did not end",
        };
        let details = if unique && is_old {
            let mut lock = etag.to_owned();
            lock.push(".lock");
            let lock = Some(Path::new(LOCKS).join(&self.folder).join(lock));
            Details::Unused { lock, idle: DAY }
        } else {
            Details::None
        };
        self.add(Problem::IncompleteDownload, path, stamp.size, evidence, details);
    }
}
