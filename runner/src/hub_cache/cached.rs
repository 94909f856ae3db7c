//! A snapshot's files, as the Hub client in a container finds them.

use std::{
    collections::HashMap,
    fs::File,
    io,
    path::{Path, PathBuf},
};

use super::{
    dir::Kind,
    location::out_of_sight,
    reached::{Reached, Seen},
    repo::{Blob, NO_EXIST, Repo},
    snapshot::{Content, Snapshot, SnapshotFile},
};
use crate::loading::{Files, Look};

/// How the files of a snapshot are loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Loader {
    /// Whether in a container, which sees the cache alone.
    pub(crate) contained: bool,
    /// Whether by the Hub client, which looks at its markers of what the Hub does not have.
    pub(crate) by_client: bool,
}

/// The files of a snapshot, or of a folder in it.
#[derive(Debug)]
pub(crate) struct Cached<'a> {
    repo: &'a Repo,
    snapshot: &'a Snapshot,
    by_name: HashMap<String, &'a SnapshotFile>,
    loader: Loader,
}

impl<'a> Cached<'a> {
    /// The files of `snapshot` in its folder `below`, which is empty for all of them.
    pub(crate) fn new(
        repo: &'a Repo,
        snapshot: &'a Snapshot,
        below: &Path,
        loader: Loader,
    ) -> Self {
        let named = |file: &'a SnapshotFile| {
            let name = file.path.strip_prefix(below).ok()?.to_str()?;
            Some((name.to_owned(), file))
        };
        let by_name = snapshot.files.iter().filter_map(named).collect();
        Self { repo, snapshot, by_name, loader }
    }

    /// The marker by which the Hub client takes a file for missing.
    fn marker(&self, name: &str) -> Option<String> {
        let marker: PathBuf = [NO_EXIST, &self.snapshot.commit, name].iter().collect();
        let is_there = self.loader.by_client
            && self.repo.has(NO_EXIST)
            && self.repo.dir.look(&marker).is_ok_and(|stamp| stamp.kind == Kind::File);
        is_there.then(|| self.repo.path.join(marker).to_string_lossy().into_owned())
    }

    fn leads_out(&self, place: &Path) -> bool {
        let hub = self.repo.path.parent().unwrap_or(&self.repo.path);
        self.loader.contained && out_of_sight(hub, place).is_some()
    }
}

impl Files for Cached<'_> {
    fn look(&self, name: &str) -> Look {
        let Some(file) = self.by_name.get(name) else { return Look::Missing };
        if let Some(marker) = self.marker(name) {
            return Look::Hidden(marker);
        }
        match &file.content {
            Content::Blob { absolute: true, .. } if self.loader.contained => Look::LeadsOut,
            Content::Blob { name, .. } => match self.repo.seen(name) {
                Seen::Listed { blob: Blob::Astray { .. }, .. }
                    if self.leads_out(&self.repo.path.join("blobs").join(name)) =>
                {
                    Look::LeadsOut
                }
                Seen::Listed { stamp, .. } => Look::There(stamp.size),
                Seen::Late { stamp, .. } => Look::There(stamp.size),
                Seen::Odd => Look::Missing,
                Seen::Missing => Look::Dangling,
                Seen::OutOfSight => Look::OutOfSight,
            },
            Content::Copy(stamp) => Look::There(stamp.size),
            Content::Astray { reached, .. } => match reached {
                Reached::There(stamp) if stamp.kind == Kind::File => {
                    let place = self.repo.path.join(&self.snapshot.place).join(&file.path);
                    if self.leads_out(&place) { Look::LeadsOut } else { Look::There(stamp.size) }
                }
                Reached::There(_) => Look::Missing,
                Reached::Nothing => Look::Dangling,
                Reached::OutOfSight(_) => Look::OutOfSight,
            },
            Content::Odd => Look::Missing,
        }
    }

    fn open(&self, name: &str) -> io::Result<Option<File>> {
        let at = self.by_name.get(name).and_then(|file| self.repo.file_at(self.snapshot, file));
        at.map(|at| at.open()).transpose()
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = self.by_name.keys().cloned().collect();
        names.sort();
        names
    }
}
