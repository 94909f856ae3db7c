//! Blobs that one repo lacks and another has.

use std::{
    collections::{HashMap, HashSet},
    ffi::{OsStr, OsString},
    os::unix::ffi::OsStringExt as _,
    path::{Path, PathBuf},
};

use crate::hub_cache::{
    breakage::{Breakage, Fix, What},
    cache::Cache,
    dir::Kind,
    names::{Digest, RepoName},
    repo::BLOBS,
};

/// A missing blob that another repo has whole is copied from there instead of being unlinked.
pub(super) fn mend(cache: &Cache, breakages: &mut [Breakage]) {
    let mut wanted = Vec::new();
    for (at, breakage) in breakages.iter().enumerate() {
        if let Some((repo, name)) = missing(cache, breakage) {
            wanted.push((at, repo, name));
        }
    }
    let names: HashSet<&OsStr> = wanted.iter().map(|(_, _, name)| name.as_os_str()).collect();
    let corrupt: HashSet<&Path> = breakages
        .iter()
        .filter(|breakage| matches!(breakage.what, What::CorruptBlob | What::TruncatedBlob))
        .map(|breakage| breakage.path.as_path())
        .collect();
    let found = find(cache, &names, &corrupt);
    for (at, repo, name) in wanted {
        if let Some(from) = found.get(&name) {
            let path = Path::new(&repo.folder()).join(BLOBS).join(&name);
            // It may have come meanwhile.
            if *from != path {
                breakages[at].fixes = vec![Fix::Copy { from: from.clone(), path }];
            }
        }
    }
}

/// The repo and the name of a blob that a link of a snapshot names, and nothing is there.
fn missing(cache: &Cache, breakage: &Breakage) -> Option<(RepoName, OsString)> {
    let (What::DanglingPointer, Some(repo), [Fix::Unlink { path }]) =
        (breakage.what, &breakage.repo, breakage.fixes.as_slice())
    else {
        return None;
    };
    // A link that has gone meanwhile wants nothing.
    let text = PathBuf::from(OsString::from_vec(cache.dir.link(path).ok()?));
    let name = text.file_name()?;
    Digest::of_name(name.as_encoded_bytes())?;
    Some((repo.clone(), name.to_owned()))
}

/// Where the first whole blob of each of these names is, below the cache. Every repo is listed once,
/// however many blobs are missing.
fn find(
    cache: &Cache,
    names: &HashSet<&OsStr>,
    corrupt: &HashSet<&Path>,
) -> HashMap<OsString, PathBuf> {
    let mut found = HashMap::new();
    for repo in &cache.repos {
        if found.len() == names.len() {
            break;
        }
        let folder = repo.folder();
        let blobs = Path::new(&folder).join(BLOBS);
        // What is closed was told by its owner and mode, and gives nothing. A repair follows no link.
        let Ok(dir) = cache.dir.dir(&blobs) else { continue };
        let _ = dir.visit(|name, kind| {
            if kind == Kind::File && names.contains(name) {
                let path = blobs.join(name);
                if !corrupt.contains(path.as_path()) {
                    found.entry(name.to_owned()).or_insert(path);
                }
            }
        });
    }
    found
}
