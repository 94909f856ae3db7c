//! The folders that a container may write to. What it may have left there, the host does not follow:
//! a symlink on the way to a folder that is mounted next, or a token beside the weights.

pub mod planted;
pub mod trust;

use std::path::Path;

use host::{
    exit::Usage,
    machine::Host,
    paths::{host_path::HostPath, results_folder::results_folder},
};
use serde::Serialize;

use crate::{
    HubCache,
    boundary::{
        planted::{HubLinks, Planted, Writable},
        trust::Trust,
    },
    token,
};

/// Folders that containers may write to, and what is known of the Hub cache among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Boundary {
    /// Those of any run of the user's with these folders: an earlier one may have had more than this one
    /// has.
    writable: Writable,
    hub: HubLinks,
    /// What is known of the Hub cache, where a container could have replaced it.
    trust: Option<Trust>,
}

impl Boundary {
    /// The boundary of runs with these folders.
    pub fn of(results: &HostPath, cache: &HubCache, host: &Host) -> Self {
        let HubCache { home, hub } = cache;
        let around = Writable::of([results, home].map(HostPath::as_path), host);
        let trust = Trust::look(hub.as_path(), &around, host);
        let writable = Writable::of([results, home, hub].map(HostPath::as_path), host);
        Self { writable, hub: HubLinks::of(hub.as_path()), trust }
    }

    /// Makes sure that the user chose what `path` leads to, and no container of an earlier run.
    ///
    /// # Errors
    /// When a symlink that a container may have made is on the way.
    pub fn check(&self, what: &str, path: &Path) -> Result<(), Usage> {
        let trust = self.trust.as_ref().map_or(Ok(()), Trust::check);
        let accepted = trust.is_ok().then_some(&self.hub);
        let Some(planted) = Planted::find(path, &self.writable, accepted) else { return Ok(()) };
        if planted.ends_in(&self.hub) {
            // With the command that accepts it.
            trust?;
        }
        Err(planted.refusal(what, path))
    }

    /// The same for the folders of the cache. What is known of the Hub cache is the answer, if a
    /// container could have replaced it.
    ///
    /// # Errors
    /// As those of [`Boundary::check`].
    pub fn check_cache(&self, cache: &HubCache) -> Result<(), Usage> {
        self.check_turns(cache)?;
        self.check("HuggingFace home", cache.home.as_path())?;
        self.trust.as_ref().map_or(Ok(()), Trust::check)
    }

    /// Makes sure that no `..` in the folders of the cache is behind a symlink that a container may have
    /// made: nobody can confirm a place that is not named.
    ///
    /// # Errors
    /// As those of [`Boundary::check`].
    pub fn check_turns(&self, cache: &HubCache) -> Result<(), Usage> {
        for (what, folder) in cache.folders() {
            let path = folder.as_path();
            let up = path.ancestors().find(|path| path.ends_with(".."));
            if up.is_some_and(|up| Planted::find(up, &self.writable, None).is_some())
                && let Some(planted) = Planted::find(path, &self.writable, None)
            {
                return Err(planted.refusal(what, path));
            }
        }
        Ok(())
    }

    /// What is known of the Hub cache, where a container could have replaced it.
    pub const fn known(&self) -> Option<&Trust> {
        self.trust.as_ref()
    }

    /// What is known of the Hub cache, if a run may remember it.
    pub fn trust(self) -> Option<Trust> {
        self.trust.filter(|trust| trust.check().is_ok())
    }
}

/// Makes sure that the user chose what `path` leads to, for a command that is of no run.
///
/// # Errors
/// As those of [`Boundary::check`].
pub fn check_named(what: &str, path: &Path, host: &Host) -> Result<(), Usage> {
    let path = host.cwd.join(path);
    let (results, cache) = (results_folder(None, host)?, HubCache::locate(host).ok());
    let cache = cache.iter().flat_map(HubCache::folders).map(|(_, folder)| folder);
    let writable = Writable::of([&results].into_iter().chain(cache).map(HostPath::as_path), host);
    Planted::find(&path, &writable, None).map_or(Ok(()), |found| Err(found.refusal(what, &path)))
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
pub fn secrets<'a>(
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

    use super::{Boundary, secrets};
    use host::{machine::Host, paths::host_path::HostPath, testing::host};

    use crate::HubCache;

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
        fs::create_dir_all(root.join("ssh/hub")).unwrap();
        symlink("../ssh", hf.join("results")).unwrap();
        symlink("hf/results", root.join("own")).unwrap();
        let (host, cache) = at_home(&root, &[("HF_HOME", &hf)]);
        let check = |results: &Path| {
            let results = path(results);
            Boundary::of(&results, &cache, &host).check("results folder", results.as_path())
        };
        for results in [hf.join("results"), root.join("own"), root.join("own/new")] {
            let refused = check(&results).unwrap_err().to_string();
            assert!(refused.starts_with("the results folder `"), "{refused}");
        }
        fs::create_dir(hf.join("own")).unwrap();
        assert_eq!(check(&hf.join("own")), Ok(()));
        fs::rename(&hf, root.join("other")).unwrap();
        fs::create_dir(root.join("results")).unwrap();
        symlink("../other", root.join("results/hf")).unwrap();
        let refused = |variables: &[(&str, &Path)]| {
            let (host, cache) = at_home(&root, variables);
            let results = path(&root.join("results"));
            let refused = Boundary::of(&results, &cache, &host).check_cache(&cache);
            refused.unwrap_err().to_string()
        };
        let home = refused(&[("HF_HOME", &root.join("results/hf"))]);
        assert!(home.starts_with("the HuggingFace home `"), "{home}");
        // A folder above the cache.
        fs::remove_file(root.join("results/hf")).unwrap();
        symlink("../ssh", root.join("results/hf")).unwrap();
        fs::write(root.join("ssh/hub/id_rsa"), "").unwrap();
        let hub = refused(&[("HF_HUB_CACHE", &root.join("results/hf/hub"))]);
        assert!(hub.contains("that folder is not a Hub cache"), "{hub}");
    }
}
