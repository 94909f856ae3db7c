//! The folders that a container may write to. What it may have left there, the host does not follow:
//! a symlink on the way to a folder that is mounted next, or a token beside the weights.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::{
    exit::Usage,
    host::Host,
    host_path::HostPath,
    hub_cache::{HubCache, trust::Trust},
    planted::refuse_linked,
    token,
};

/// Folders of a run that its container may write to, canonical.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Writable {
    results: Option<PathBuf>,
    home: Option<PathBuf>,
    hub: Option<PathBuf>,
}

impl Writable {
    /// Those of a run; the cache only where the run `needs_cache`.
    pub(crate) fn of(results: &HostPath, cache: &HubCache, needs_cache: bool) -> Self {
        let real = |path: &HostPath| path.as_path().canonicalize().ok();
        let cached = |path: &HostPath| real(path).filter(|_| needs_cache);
        Self { results: real(results), home: cached(&cache.home), hub: cached(&cache.hub) }
    }

    /// That of the cache alone.
    pub(crate) fn home_of(cache: &HubCache) -> Vec<PathBuf> {
        cache.home.as_path().canonicalize().into_iter().collect()
    }

    /// All of them.
    pub(crate) fn all(&self) -> Vec<PathBuf> {
        let Self { results, home, hub } = self;
        [results, home, hub].into_iter().flatten().cloned().collect()
    }

    /// Makes sure that no container of an earlier run decides which folders are mounted next. What is
    /// known of the Hub cache is the answer, if it lies where a container could have replaced it.
    ///
    /// # Errors
    /// When a symlink that a container may have made leads to one of them.
    pub(crate) fn check(
        &self,
        results: &HostPath,
        cache: &HubCache,
        host: &Host,
    ) -> Result<Option<Trust>, Usage> {
        let Self { results: real_results, home, hub } = self;
        let others = |folders: [&Option<PathBuf>; 2]| -> Vec<PathBuf> {
            folders.into_iter().flatten().cloned().collect()
        };
        refuse_linked("results folder", results.as_path(), &others([home, hub]))?;
        if home.is_none() {
            return Ok(None);
        }
        refuse_linked("HuggingFace home", cache.home.as_path(), &others([real_results, hub]))?;
        let trust = Trust::look(cache.hub.as_path(), &others([real_results, home]), host);
        trust.as_ref().map_or(Ok(()), Trust::check)?;
        Ok(trust)
    }
}

/// A file with a token, below a folder that is mounted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Secret {
    /// The folder.
    pub folder: HostPath,
    /// The file's path below it.
    pub below: String,
}

/// The files with tokens below each of `folders`.
///
/// # Errors
/// When an engine cannot mount over the path of one.
pub(crate) fn secrets<'a>(
    folders: impl IntoIterator<Item = &'a HostPath>,
    cache: &HubCache,
    host: &Host,
) -> Result<Vec<Secret>, Usage> {
    let files = token::secrets(cache, host);
    let mut found: Vec<Secret> = vec![];
    for folder in folders {
        let Ok(real) = folder.as_path().canonicalize() else { continue };
        for file in &files {
            let Ok(below) = file.strip_prefix(&real) else { continue };
            if below.as_os_str().is_empty() {
                continue;
            }
            let whole = HostPath::new("token file", file, Path::new("/"))?;
            let at = whole.as_str().len() - below.as_os_str().len();
            let secret = Secret { folder: folder.clone(), below: whole.as_str()[at..].to_owned() };
            if !found.contains(&secret) {
                found.push(secret);
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink, path::Path};

    use super::{Writable, secrets};
    use crate::{host::Host, host_path::HostPath, hub_cache::HubCache, testing::host};

    fn path(path: &Path) -> HostPath {
        HostPath::new("folder", path, "/".as_ref()).unwrap()
    }

    fn at_home(root: &Path, variables: &[(&str, &Path)]) -> (Host, HubCache) {
        let env = variables.iter().copied().collect();
        let host = Host { home: Some(root.join("home")), env, ..host() };
        let cache = HubCache::locate(&host).unwrap();
        (host, cache)
    }

    #[test]
    fn tokens_are_found_below_every_folder_that_shows_them() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let hf = root.join("results/hf");
        fs::create_dir_all(&hf).unwrap();
        for name in ["token", "stored_tokens"] {
            fs::write(hf.join(name), "hf_x").unwrap();
        }
        let (host, cache) = at_home(&root, &[("HF_HOME", &hf), ("HF_HUB_CACHE", &hf)]);
        let results = path(&root.join("results"));
        let found = secrets([&results, &cache.home, &cache.hub], &cache, &host).unwrap();
        let found: Vec<_> = found.iter().map(|it| (it.folder.as_path(), &*it.below)).collect();
        let results = results.as_path();
        let expected = [
            (results, "hf/stored_tokens"),
            (results, "hf/token"),
            (hf.as_path(), "stored_tokens"),
            (hf.as_path(), "token"),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn folder_behind_a_symlink_that_a_container_may_have_made_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let hf = root.join("hf");
        fs::create_dir_all(hf.join("hub")).unwrap();
        fs::create_dir_all(root.join("ssh")).unwrap();
        symlink("../ssh", hf.join("results")).unwrap();
        let (host, cache) = at_home(&root, &[("HF_HOME", &hf)]);
        let check = |results: &Path| {
            let results = path(results);
            Writable::of(&results, &cache, true).check(&results, &cache, &host).map(drop)
        };
        let refused = check(&hf.join("results")).unwrap_err().to_string();
        assert!(refused.starts_with("the results folder `"), "{refused}");
        fs::create_dir(hf.join("own")).unwrap();
        assert_eq!(check(&hf.join("own")), Ok(()));
        fs::rename(&hf, root.join("other")).unwrap();
        fs::create_dir(root.join("results")).unwrap();
        symlink("../other", root.join("results/hf")).unwrap();
        let (host, cache) = at_home(&root, &[("HF_HOME", &root.join("results/hf"))]);
        let results = path(&root.join("results"));
        let refused = Writable::of(&results, &cache, true).check(&results, &cache, &host);
        assert!(refused.unwrap_err().to_string().starts_with("the HuggingFace home `"));
    }
}
