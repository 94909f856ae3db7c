//! The boundary between the host and folders that a container can write to. Symlinks in these folders are not
//! followed on the way to a mounted folder, and token files below the mounts are masked.

mod resolved_path;
mod trust;
mod untrusted_link;
mod writable;

pub use self::{trust::Trust, writable::WritableFolders};

use std::path::Path;

use host::{
    exit::Usage,
    machine::Host,
    paths::{host_path::HostPath, results_folder::results_folder},
};
use serde::Serialize;

use crate::{
    HubCache,
    boundary::untrusted_link::{HubLinks, UntrustedLink},
    token,
};

/// The folders that containers can write to, and whether the Hub cache among them is trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Boundary {
    /// The folders of any run of the user: an earlier run may have mounted more of them.
    writable: WritableFolders,
    hub: HubLinks,
    /// The record of the Hub cache, if a container could have replaced it.
    trust: Option<Trust>,
}

impl Boundary {
    /// The boundary of runs with these folders.
    pub fn of(results: &HostPath, cache: &HubCache, host: &Host) -> Self {
        let HubCache { home, hub } = cache;
        let around_hub = WritableFolders::of([results, home].map(HostPath::as_path), host);
        let trust = Trust::read(hub.as_path(), &around_hub, host);
        let writable = WritableFolders::of([results, home, hub].map(HostPath::as_path), host);
        Self { writable, hub: HubLinks::of(hub.as_path()), trust }
    }

    /// Checks that no symlink on `path` may have been created by a container.
    ///
    /// # Errors
    /// When one may have been.
    pub fn check(&self, what: &str, path: &Path) -> Result<(), Usage> {
        let trust = self.trust.as_ref().map_or(Ok(()), Trust::check);
        let accepted = trust.is_ok().then_some(&self.hub);
        let Some(link) = UntrustedLink::find(path, &self.writable, accepted) else { return Ok(()) };
        if link.ends_in(&self.hub) {
            // This error names the command that accepts the symlink.
            trust?;
        }
        Err(link.refusal(what, path))
    }

    /// Checks the folders of the cache, and that the Hub cache is trusted.
    ///
    /// # Errors
    /// As [`Boundary::check`].
    pub fn check_cache(&self, cache: &HubCache) -> Result<(), Usage> {
        self.check_parent_dirs(cache)?;
        self.check("HuggingFace home", cache.home.as_path())?;
        self.trust.as_ref().map_or(Ok(()), Trust::check)
    }

    /// Checks that no `..` in the folders of the cache follows an untrusted symlink. Such a path does not name
    /// its target, so the user cannot accept it.
    ///
    /// # Errors
    /// As [`Boundary::check`].
    pub fn check_parent_dirs(&self, cache: &HubCache) -> Result<(), Usage> {
        for (what, folder) in cache.folders() {
            let path = folder.as_path();
            let up = path.ancestors().find(|path| path.ends_with(".."));
            if up.is_some_and(|up| UntrustedLink::find(up, &self.writable, None).is_some())
                && let Some(link) = UntrustedLink::find(path, &self.writable, None)
            {
                return Err(link.refusal(what, path));
            }
        }
        Ok(())
    }

    /// The record of the Hub cache, if a container could have replaced it.
    pub const fn trust(&self) -> Option<&Trust> {
        self.trust.as_ref()
    }

    /// The record of the Hub cache, if a run may save it.
    pub fn into_trusted(self) -> Option<Trust> {
        self.trust.filter(|trust| trust.check().is_ok())
    }
}

/// Checks `path` as [`Boundary::check`] does, for a command outside of a run.
///
/// # Errors
/// As [`Boundary::check`].
pub fn check_path(what: &str, path: &Path, host: &Host) -> Result<(), Usage> {
    let path = host.cwd.join(path);
    let (results, cache) = (results_folder(None, host)?, HubCache::locate(host).ok());
    let cache = cache.iter().flat_map(HubCache::folders).map(|(_, folder)| folder);
    let writable =
        WritableFolders::of([&results].into_iter().chain(cache).map(HostPath::as_path), host);
    UntrustedLink::find(&path, &writable, None)
        .map_or(Ok(()), |link| Err(link.refusal(what, &path)))
}

/// A file with a token below a mounted folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Secret {
    /// The mounted folder.
    pub folder: HostPath,
    /// The path of the file below it.
    pub below: String,
}

/// The files with tokens below each of `folders`.
///
/// # Errors
/// When an engine cannot mount over one of them.
pub fn secrets<'a>(
    folders: impl IntoIterator<Item = &'a HostPath>,
    cache: &HubCache,
    host: &Host,
) -> Result<Vec<Secret>, Usage> {
    let files = token::token_files(cache, host);
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
    fn token_is_found_below_every_folder_that_contains_it() {
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
    fn folder_behind_an_untrusted_symlink_is_refused() {
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
        // A symlink of a folder above the cache.
        fs::remove_file(root.join("results/hf")).unwrap();
        symlink("../ssh", root.join("results/hf")).unwrap();
        fs::write(root.join("ssh/hub/id_rsa"), "").unwrap();
        let hub = refused(&[("HF_HUB_CACHE", &root.join("results/hf/hub"))]);
        assert!(hub.contains("that folder is not a Hub cache"), "{hub}");
    }
}
