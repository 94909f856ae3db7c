//! A snapshot's files, as the Hub client in a container finds them.

use std::{
    collections::HashMap,
    fs::File,
    io,
    path::{Path, PathBuf},
};

use crate::loading::{Files, Look};
use crate::{
    layout::{
        dir::Kind,
        link_target::LinkTarget,
        repo::{BLOBS, NO_EXIST, Repo},
        snapshot::{Content, Snapshot, SnapshotFile},
    },
    location::out_of_sight,
};

/// How the files of a snapshot are loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loader {
    /// Whether in a container, which sees the cache alone.
    pub contained: bool,
    /// Whether by the Hub client, which looks at its markers of what the Hub does not have.
    pub(crate) by_client: bool,
}

/// The files of a snapshot, or of a folder in it.
#[derive(Debug)]
pub struct Cached<'a> {
    repo: &'a Repo,
    snapshot: &'a Snapshot,
    by_name: HashMap<String, &'a SnapshotFile>,
    loader: Loader,
}

impl<'a> Cached<'a> {
    /// The files of `snapshot` in its folder `below`, which is empty for all of them.
    pub fn new(repo: &'a Repo, snapshot: &'a Snapshot, below: &Path, loader: Loader) -> Self {
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

    /// Whether a container would have to leave the cache for the file.
    fn leads_out(&self, file: &SnapshotFile) -> bool {
        let place = match &file.content {
            Content::Blob { absolute: true, .. } => return self.loader.contained,
            Content::Blob { name, .. } => match self.repo.blob(name) {
                Some(blob) if blob.leads_astray() => self.repo.path.join(BLOBS).join(name),
                _ => return false,
            },
            Content::Link { .. } => self.repo.path.join(&self.snapshot.place).join(&file.path),
            Content::Entry(_) => return false,
        };
        let hub = self.repo.path.parent().unwrap_or(&self.repo.path);
        self.loader.contained && out_of_sight(hub, &place).is_some()
    }
}

impl Files for Cached<'_> {
    fn look(&self, name: &str) -> Look {
        let Some(file) = self.by_name.get(name) else { return Look::Missing };
        if let Some(marker) = self.marker(name) {
            return Look::Hidden(marker);
        }
        if self.leads_out(file) {
            return Look::LeadsOut;
        }
        match self.repo.target(file) {
            LinkTarget::Found(stamp) if stamp.kind == Kind::File => Look::There(stamp.size),
            LinkTarget::Found(_) => Look::Missing,
            LinkTarget::Missing => Look::Dangling,
            LinkTarget::Unknown(_) => Look::OutOfSight,
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
