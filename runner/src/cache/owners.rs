//! Changing owners in the Hub cache through a container.

use std::{
    collections::BTreeSet,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use doctor::repair::Ownership;
use engine::EngineChoice;
use host::{machine::Host, paths::host_path::HostPath, users::subids::Ids};
use ownership::{Failure, find_engine, reclaim_listed, sudo_line, why_protected, why_skipped};
use untrusted::Dir;

/// Changes owners by the container of `aienergyscore reclaim`.
pub(super) struct ContainerOwners<'a> {
    pub(super) host: &'a Host,
    pub(super) engine: EngineChoice,
    pub(super) ids: Ids,
}

impl Ownership for ContainerOwners<'_> {
    fn why_protected(&self, folder: &HostPath, path: &Path) -> Option<String> {
        if let Some(why) = why_protected(folder.as_path(), self.host.home.as_deref()) {
            return Some(format!("the Hub cache `{folder}` {why}"));
        }
        // The container checks an entry that the user cannot see.
        why_skipped(&Dir::open_itself(folder.as_path()).ok()?.look(path).ok()?, &self.ids)
    }

    fn reclaim(&self, folder: &HostPath, paths: &[PathBuf]) -> anyhow::Result<Vec<Failure>> {
        let engine = find_engine(self.engine, self.host)?;
        reclaim_listed(&engine, self.host, folder, &self.ids, paths)
    }

    fn sudo_line(&self, folder: &HostPath, paths: &[PathBuf]) -> String {
        let owner = |path: &PathBuf| {
            let data = folder.as_path().join(path).symlink_metadata();
            data.map_or(0, |data| data.uid())
        };
        // Top-level folders only: other entries of the cache may not belong to the Hub client.
        let places: BTreeSet<_> = paths.iter().map(|path| path.iter().next()).collect();
        let places: Vec<_> = places
            .into_iter()
            .map(|top| top.map_or(folder.as_path().to_owned(), |top| folder.as_path().join(top)))
            .collect();
        sudo_line(self.host.uid, &places, &paths.iter().map(owner).collect())
    }
}
