//! Judges links that stay in their repo, and files that were links before a copy.

use std::{ffi::OsString, os::unix::ffi::OsStrExt as _, path::Path};

use super::{Judge, snapshot::Found};
use crate::hub_cache::{
    breakage::{Fix, What},
    dir::Stamp,
    link::{self, Pointer},
    names::Digest,
    reached::Reached,
    repo::{BLOBS, Blob},
    snapshot::{Snapshot, SnapshotFile},
    tree::TreeFile,
};

impl Judge<'_> {
    /// A link to another file of the repo, which is somebody's own.
    pub(super) fn sibling(&mut self, text: &[u8], reached: &Reached, path: &Path) -> Found {
        let evidence = || format!("it leads to `{}`", String::from_utf8_lossy(text));
        match reached {
            Reached::There(_) => {
                if text.starts_with(b"/") {
                    self.add(What::AbsoluteLink, path, 0, evidence());
                }
                reached.file().map_or(Found::Nothing, |_| Found::Bytes)
            }
            Reached::Nothing => {
                self.add(What::DanglingPointer, path, 0, evidence());
                Found::Missing
            }
            Reached::OutOfSight(_) => Found::OutOfSight,
        }
    }

    /// The blob that a file names which was a link before a copy made a text of it.
    pub(super) fn text_of_link(
        &self,
        snapshot: &Snapshot,
        file: &SnapshotFile,
        stamp: &Stamp,
        entry: Option<&TreeFile>,
    ) -> Option<OsString> {
        let is_itself = entry.is_some_and(|entry| entry.size() == stamp.size);
        if is_itself || stamp.size > link::LARGEST_TEXT {
            return None;
        }
        let bytes = self.repo.file_at(snapshot, file)?.read(link::LARGEST_TEXT).ok()?;
        match link::pointer(&link::of_text(&bytes)?, file.folders, &self.repo.path) {
            Pointer::Blob(name) | Pointer::AbsoluteBlob(name) => {
                let is_blob = self.repo.blobs.contains_key(&name);
                (is_blob || Digest::of_name(name.as_bytes()).is_some()).then_some(name)
            }
            Pointer::Elsewhere => None,
        }
    }

    pub(super) fn link_as_text(&mut self, name: OsString, file: &SnapshotFile, path: &Path) {
        let fix = self.repo.blobs.get(&name).and_then(Blob::stamp).map(|_| Fix::Link {
            path: self.folder.join(path),
            text: link::canonical(file.folders, &name),
        });
        let lacks = if fix.is_some() { "" } else { ", and there is no such blob" };
        let evidence = format!("it names `{BLOBS}/{}`{lacks}", name.display());
        self.add_fixed(What::LinkAsText, path, 0, evidence, fix.into_iter().collect());
        self.judged.used.insert(name);
    }
}
