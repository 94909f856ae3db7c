//! The files of a cached snapshot, as a loader sees them.

use std::{
    collections::HashMap,
    fs::File,
    io,
    path::{Path, PathBuf},
};

use crate::{
    layout::{BLOBS, Content, Kind, LinkTarget, NO_EXIST, Repo, Snapshot, SnapshotFile},
    loading::files::{FileState, Files},
    location::outside_mount,
};

/// How a snapshot is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loader {
    /// Whether a container loads it, which sees only the cache.
    pub contained: bool,
    /// Whether the Hub client looks the files up. It respects its `.no_exist` markers.
    pub(crate) uses_hub_client: bool,
}

/// The files of a snapshot, or of a folder in it.
#[derive(Debug)]
pub struct SnapshotFiles<'a> {
    repo: &'a Repo,
    snapshot: &'a Snapshot,
    by_name: HashMap<String, &'a SnapshotFile>,
    loader: Loader,
}

impl<'a> SnapshotFiles<'a> {
    /// The files of `snapshot` in its folder `below`. An empty path means all of them.
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

    /// The path of the `.no_exist` marker, because of which the Hub client treats a file as missing.
    fn marker(&self, name: &str) -> Option<String> {
        let marker: PathBuf = [NO_EXIST, &self.snapshot.commit, name].iter().collect();
        let is_there = self.loader.uses_hub_client
            && self.repo.has(NO_EXIST)
            && self.repo.dir.look(&marker).is_ok_and(|stamp| stamp.kind == Kind::File);
        is_there.then(|| self.repo.path.join(marker).to_string_lossy().into_owned())
    }

    /// Whether the file is a symlink to a path that the container does not see.
    fn is_outside_mount(&self, file: &SnapshotFile) -> bool {
        let path = match &file.content {
            Content::Blob { absolute: true, .. } => return self.loader.contained,
            Content::Blob { name, .. } => match self.repo.blob(name) {
                Some(blob) if blob.is_foreign_link() => self.repo.path.join(BLOBS).join(name),
                _ => return false,
            },
            Content::Link { .. } => self.repo.path.join(&self.snapshot.place).join(&file.path),
            Content::Entry(_) => return false,
        };
        let hub = self.repo.path.parent().unwrap_or(&self.repo.path);
        self.loader.contained && outside_mount(hub, &path).is_some()
    }
}

impl Files for SnapshotFiles<'_> {
    fn state(&self, name: &str) -> FileState {
        let Some(file) = self.by_name.get(name) else { return FileState::Missing };
        if let Some(marker) = self.marker(name) {
            return FileState::Hidden(marker);
        }
        if self.is_outside_mount(file) {
            return FileState::OutsideMount;
        }
        match self.repo.target(file) {
            LinkTarget::Found(stamp) if stamp.kind == Kind::File => FileState::Present(stamp.size),
            LinkTarget::Found(_) => FileState::Missing,
            LinkTarget::Missing => FileState::Dangling,
            LinkTarget::Unknown(_) => FileState::Unreachable,
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
