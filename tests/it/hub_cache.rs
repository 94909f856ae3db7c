//! huggingface_hub in several versions, and a local stub of the Hub.

mod peer;
mod stub;

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

pub(crate) use peer::{NEWEST, as_peers_do, peers, python};
pub(crate) use stub::{Hub, World, file, results, snapshot};

use crate::harness::workspace;

/// Versions that write caches differently: the newest, one before the shared store and the lists of
/// commits, and the last one before 1.0.
pub(crate) const VERSIONS: [&str; 3] = [NEWEST, "1.20.1", "0.36.2"];

/// A script of the folder of these tests.
pub(crate) fn script(name: &str) -> PathBuf {
    workspace().join("tests/it/hub_cache").join(name)
}

/// Mode, owner, size, times and link target of each path below a cache.
pub(crate) fn manifest(hub: &Path) -> BTreeMap<PathBuf, String> {
    let entries = walkdir::WalkDir::new(hub).into_iter().map(Result::unwrap);
    entries
        .map(|entry| {
            let data = entry.metadata().unwrap();
            let link = fs::read_link(entry.path()).unwrap_or_default();
            let times = if data.is_dir() { 0 } else { data.mtime_nsec() + data.mtime() };
            let path = entry.path().strip_prefix(hub).unwrap().to_owned();
            let what = format!(
                "{:o} {}:{} {} {times} {link:?}",
                data.mode(),
                data.uid(),
                data.gid(),
                if data.is_dir() { 0 } else { data.len() },
            );
            (path, what)
        })
        .collect()
}
