//! Judges what lies in a repo's `blobs/`, apart from its bytes.

use std::{
    ffi::{OsStr, OsString},
    io,
    os::unix::ffi::OsStrExt as _,
    path::Path,
    time::Duration,
};

use super::Judge;
use crate::hub_cache::{
    belongs::LOCKS,
    breakage::{A_DAY, AN_HOUR, Fix, What},
    dir::{Stamp, age},
    link::{self, BlobLink},
    names::{BlobName, etag_of_incomplete, replaced},
    reached::Reached,
    repair::is_unfinished,
    repo::{BLOBS, Blob, Repo, Trouble, in_store},
};

impl Judge<'_> {
    /// Judges all of it. Snapshots come before: they tell what is used.
    pub(super) fn blobs(&mut self) {
        let mut names: Vec<_> = self.repo.blobs.iter().collect();
        names.sort_unstable_by_key(|(name, _)| *name);
        for (name, blob) in names {
            let path = Path::new(BLOBS).join(name);
            match blob {
                Blob::Unseen(error) => {
                    self.trouble(&Trouble { path, error: io::Error::from(error.kind()) });
                }
                Blob::Shared { payload, reached } => self.shared(name, &path, payload, reached),
                Blob::Astray { text, reached: _ } => {
                    if let Some(right) = self.to_store(text) {
                        let fix = Fix::Relink { path: self.folder.join(&path), text: right };
                        let evidence = "its text is none that leads to the store from any place";
                        self.add_fixed(What::AbsoluteLink, &path, 0, evidence.into(), vec![fix]);
                        continue;
                    }
                    if self.repo.keeps(&path, text) && self.repo.look_through_blob(name).is_ok() {
                        continue;
                    }
                    // Without it those dangle that lead to it.
                    let users = self.led_astray.remove(name).unwrap_or_default();
                    let links = std::iter::once(&path).chain(&users);
                    let fixes = links.map(|link| Fix::Unlink { path: self.folder.join(link) });
                    let fixes = fixes.collect();
                    let evidence = format!("it leads to `{}`", String::from_utf8_lossy(text));
                    self.add_fixed(What::EscapingLink, &path, 0, evidence, fixes);
                }
                Blob::Odd => {
                    let evidence = "it is no file and no link".to_owned();
                    self.add(What::ForeignFile, &path, 0, evidence);
                }
                Blob::Bytes(stamp) => self.blob(name, stamp, &path),
            }
        }
    }

    /// What a link of a blob should say that leads to a payload of the store in other words.
    fn to_store(&self, text: &[u8]) -> Option<OsString> {
        let blobs = self.repo.path.join(BLOBS);
        let payload = blobs.join(OsStr::from_bytes(text)).canonicalize().ok()?;
        let below = payload.strip_prefix(self.repo.path.parent()?).ok()?;
        let right = Path::new("../..").join(below).into_os_string();
        matches!(link::blob(right.as_bytes()), BlobLink::Store(_)).then_some(right)
    }

    fn shared(&mut self, name: &OsStr, path: &Path, payload: &OsStr, reached: &Reached) {
        let evidence = match reached {
            Reached::There(_) if reached.file().is_some() => return,
            Reached::There(_) => format!("`{}` of the store is no file", payload.display()),
            Reached::OutOfSight(error) => {
                let (path, error) = (path.to_owned(), io::Error::from(error.kind()));
                self.trouble(&Trouble { path, error });
                return;
            }
            // It may have come since the repo was listed.
            Reached::Nothing if self.repo.look_through_blob(name).is_ok() => return,
            Reached::Nothing => format!("the store has no `{}`", payload.display()),
        };
        self.add(What::DanglingStoreLink, path, 0, evidence);
    }

    fn blob(&mut self, name: &OsString, stamp: &Stamp, path: &Path) {
        let below = self.folder.join(path);
        let used = self.judged.used.contains(name);
        let bytes = stamp.size;
        if let Some(payload) = self.store_link(name, stamp) {
            return self.store_link_as_text(name, &payload, path);
        }
        match BlobName::of(name.as_encoded_bytes()) {
            BlobName::Named(_) if used || self.is_blind || self.listed.contains(name) => {}
            BlobName::Named(_) => {
                self.add(What::OrphanBlob, path, bytes, "no snapshot leads to it".to_owned());
            }
            BlobName::Incomplete { unique } => self.unfinished(name, unique, stamp, path),
            BlobName::UmaskProbe | BlobName::Replacement { old: false } => {
                let fix = Fix::Remove { path: below, lock: None, idle: AN_HOUR };
                let evidence = "a temporary file".to_owned();
                self.add_fixed(What::Leftover, path, bytes, evidence, vec![fix]);
            }
            BlobName::Replacement { old: true } => self.replaced(name, path, bytes),
            BlobName::Lock => {
                let fix =
                    Fix::Remove { path: below.clone(), lock: Some(below), idle: Duration::ZERO };
                let evidence = "a lock of a client before 0.19".to_owned();
                self.add_fixed(What::Leftover, path, bytes, evidence, vec![fix]);
            }
            BlobName::Other if is_unfinished(name) => {
                let fix = Fix::Remove { path: below, lock: None, idle: Duration::ZERO };
                let evidence = "a file that a repair was making".to_owned();
                self.add_fixed(What::Leftover, path, bytes, evidence, vec![fix]);
            }
            BlobName::Other if used || self.is_blind || self.listed.contains(name) => {}
            BlobName::Other => {
                let evidence = "its name is no digest, and no snapshot leads to it".to_owned();
                self.add(What::ForeignFile, path, bytes, evidence);
            }
        }
    }

    /// The payload that a blob names which was a link to the store before a copy made a text of it.
    fn store_link(&self, name: &OsStr, stamp: &Stamp) -> Option<OsString> {
        if stamp.size > link::LARGEST_TEXT
            || !matches!(BlobName::of(name.as_bytes()), BlobName::Named(_))
        {
            return None;
        }
        let bytes = self.repo.blob_at(name)?.read(link::LARGEST_TEXT).ok()?;
        match link::blob(&link::of_text(&bytes)?) {
            BlobLink::Store(payload) => Some(payload),
            BlobLink::Elsewhere => None,
        }
    }

    fn store_link_as_text(&mut self, name: &OsStr, payload: &OsStr, path: &Path) {
        let store = in_store(payload);
        let hub = self.repo.path.parent().unwrap_or(Path::new("/"));
        let fix = hub.join(&store).is_file().then(|| Fix::Link {
            path: self.folder.join(path),
            text: Path::new("../..").join(&store).into_os_string(),
        });
        let lacks = if fix.is_some() { "" } else { ", which the store lacks" };
        let evidence = format!("it names `{}`{lacks}", store.display());
        self.add_fixed(What::LinkAsText, path, 0, evidence, fix.into_iter().collect());
        self.judged.texts.insert(name.to_owned(), payload.to_owned());
    }

    /// A download that did not end. A client that resumes it wants it, and one that is at work does.
    fn unfinished(&mut self, name: &OsStr, unique: bool, stamp: &Stamp, path: &Path) {
        let age = age(stamp, self.now);
        let fix = (unique && age >= A_DAY).then(|| Fix::Remove {
            path: self.folder.join(path),
            lock: etag_of_incomplete(name.as_encoded_bytes()).map(|etag| {
                let mut file = etag.to_owned();
                file.push(".lock");
                Path::new(LOCKS).join(&self.folder).join(file)
            }),
            idle: A_DAY,
        });
        let evidence = match (unique, &fix) {
            (false, _) => "huggingface_hub before 1.18 and the Rust client resume it",
            (true, None) => "it changed in the last 24 hours, a download may be running",
            (true, Some(_)) => "a download that did not end",
        };
        let fixes = fix.into_iter().collect();
        self.add_fixed(What::IncompleteDownload, path, stamp.size, evidence.to_owned(), fixes);
    }

    /// `.<etag>.<8hex>.old`, what a replacement took away: the only copy if it was cut short.
    fn replaced(&mut self, name: &OsStr, path: &Path, bytes: u64) {
        let Some(etag) = replaced(name) else { return };
        let from = self.folder.join(path);
        let fix = if self.repo.blobs.contains_key(etag) {
            Fix::Remove { path: from, lock: None, idle: AN_HOUR }
        } else {
            Fix::Rename { path: from, to: self.folder.join(BLOBS).join(etag) }
        };
        let evidence = format!("what was replaced as `{}`", etag.display());
        self.add_fixed(What::Leftover, path, bytes, evidence, vec![fix]);
    }
}

/// Takes a blob's bytes away: of one that lies in the store, the store's.
pub(crate) fn set_aside(repo: &Repo, folder: &Path, name: &OsStr) -> Fix {
    let path = match repo.blobs.get(name) {
        Some(Blob::Shared { payload, .. }) => in_store(payload),
        _ => folder.join(BLOBS).join(name),
    };
    Fix::SetAside { path, repo: folder.to_owned() }
}
