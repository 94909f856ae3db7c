//! Finds other repos from which missing blobs can be copied.

use std::{
    collections::{HashMap, HashSet},
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
};

use hub::{
    cache::Cache,
    layout::{BLOBS, Digest, Kind},
};

use crate::finding::{Details, Finding, Problem};

/// Sources to copy missing blobs from, below the cache.
#[derive(Debug, Default)]
pub(super) struct CopySources(HashMap<OsString, PathBuf>);

impl CopySources {
    /// Searches all repos for the missing blobs in `findings`.
    pub(super) fn find(cache: &Cache, findings: &[Finding]) -> Self {
        let mut wanted: HashSet<&OsStr> = HashSet::new();
        for finding in findings {
            if let Details::MissingBlob(name) = &finding.details
                && Digest::of_name(name.as_encoded_bytes()).is_some()
            {
                wanted.insert(name);
            }
        }
        let corrupt: HashSet<&Path> = findings
            .iter()
            .filter(|found| matches!(found.problem, Problem::CorruptBlob | Problem::TruncatedBlob))
            .map(|found| found.path.as_path())
            .collect();
        let mut sources = HashMap::new();
        for repo in cache.repos.iter().take_while(|_| !wanted.is_empty()) {
            let blobs = Path::new(&repo.folder()).join(BLOBS);
            // Unreadable folders are reported elsewhere. A repair follows no symlink.
            let Ok(dir) = cache.dir.dir(&blobs) else { continue };
            let _ = dir.visit(|name, kind| {
                let path = blobs.join(name);
                if kind == Kind::File && wanted.contains(name) && !corrupt.contains(path.as_path())
                {
                    sources.entry(name.to_owned()).or_insert(path);
                }
            });
        }
        Self(sources)
    }

    /// Source of the blob `name`.
    pub(super) fn of(&self, name: &OsStr) -> Option<&Path> {
        self.0.get(name).map(PathBuf::as_path)
    }
}
