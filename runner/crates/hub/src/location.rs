//! The location of the Hub cache, as huggingface_hub finds it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use contract::{
    env,
    hub::{BLOBS, SNAPSHOTS},
};
use host::{
    exit::Usage,
    machine::Host,
    paths::{
        expand::{expand, expand_again},
        host_path::HostPath,
    },
};

/// The HuggingFace home and the Hub cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubCache {
    /// `HF_HOME`, with the token, datasets, modules, and usually the Hub cache.
    pub home: HostPath,
    /// `HF_HUB_CACHE`, with the repos.
    pub hub: HostPath,
}

impl HubCache {
    /// Finds both folders as huggingface_hub 2.4 does (`constants.py`). Only an empty variable counts as unset:
    /// there it makes the paths relative.
    ///
    /// # Errors
    /// When neither a variable nor a home folder is set, or no engine can mount the path.
    pub fn locate(host: &Host) -> Result<Self, Usage> {
        let text = |name: &str| match host.env.get(name) {
            None => Ok(None),
            Some(value) => match value.to_str() {
                Some(text) => Ok(Some(text)),
                None => Err(Usage(format!("{name} names a folder that is not UTF-8: {value:?}"))),
            },
        };
        let home = match (text(env::HF_HOME)?, text(env::XDG_CACHE_HOME)?) {
            (Some(home), _) => expand(home, host),
            // Joined before it is expanded, as in the client: an empty `$NAME` gives `/huggingface`.
            (None, Some(cache)) => expand(&format!("{cache}/huggingface"), host),
            (None, None) => match &host.home {
                Some(home) => home.join(".cache/huggingface"),
                None => {
                    return Err(Usage(
                        "the HuggingFace cache cannot be found: neither HF_HOME nor HOME is set, \
                         and the user database names no home folder; set HF_HOME"
                            .to_owned(),
                    ));
                }
            },
        };
        let hub = match (text(env::HF_HUB_CACHE)?, text(env::HUGGINGFACE_HUB_CACHE)?) {
            (Some(hub), _) | (None, Some(hub)) => expand(hub, host),
            (None, None) => expand_again(home.join("hub"), host),
        };
        Ok(Self {
            home: HostPath::new("HuggingFace home", &home, &host.cwd)?,
            hub: HostPath::new("Hub cache", &hub, &host.cwd)?,
        })
    }

    /// Resolves the symlinks of the Hub cache. A cache that is a symlink to another disk would dangle in the
    /// container.
    ///
    /// # Errors
    /// When no engine can mount the target.
    pub fn resolve_hub(mut self) -> Result<Self, Usage> {
        let real = |path: &Path| fs::canonicalize(path).ok();
        if let (Some(home), Some(hub)) = (real(self.home.as_path()), real(self.hub.as_path()))
            && hub != home.join("hub")
        {
            self.hub = HostPath::new("Hub cache", &hub, Path::new("/"))?;
        }
        Ok(self)
    }

    /// Repos of the Hub cache, and folders of them, that are symlinks to a path outside of it. A container does
    /// not see their targets, because only the cache is mounted.
    pub fn repos_outside_mount(&self) -> Vec<PathBuf> {
        let Ok(hub) = self.hub.as_path().canonicalize() else { return vec![] };
        let Ok(entries) = fs::read_dir(&hub) else { return vec![] };
        let folders = entries.flatten().flat_map(|entry| {
            let repo = entry.path();
            [repo.join(BLOBS), repo.join(SNAPSHOTS), repo]
        });
        let mut links: Vec<_> =
            folders.filter(|folder| outside_mount(&hub, folder).is_some()).collect();
        links.sort();
        links
    }

    /// The Hub cache, if it is not `hub` in the HuggingFace home.
    pub fn hub_outside_home(&self) -> Option<&HostPath> {
        (self.hub.as_path() != self.home.as_path().join("hub")).then_some(&self.hub)
    }

    /// Both folders with their names in messages, the outer one first.
    pub const fn folders(&self) -> [(&'static str, &HostPath); 2] {
        [("HuggingFace home", &self.home), ("Hub cache", &self.hub)]
    }
}

/// The target of the symlink at `path`, if a container in which only the cache `hub` is mounted cannot see it.
pub fn outside_mount(hub: &Path, path: &Path) -> Option<PathBuf> {
    let text = fs::read_link(path).ok()?;
    let real = path.canonicalize().ok()?;
    (text.is_absolute() || !real.starts_with(hub)).then_some(real)
}

#[cfg(test)]
mod tests {
    use std::{os::unix::ffi::OsStringExt as _, path::Path};

    use super::HubCache;
    use host::testing::host;

    #[test]
    fn folders_follow_the_variables_in_huggingface_hubs_order() {
        type Case = (&'static [(&'static str, &'static str)], &'static str, &'static str);
        let cases: [Case; 14] = [
            (&[], "/home/ada/.cache/huggingface", "/home/ada/.cache/huggingface/hub"),
            (&[("XDG_CACHE_HOME", "/x")], "/x/huggingface", "/x/huggingface/hub"),
            (&[("HF_HOME", "/hf"), ("XDG_CACHE_HOME", "/x")], "/hf", "/hf/hub"),
            (
                &[("HF_HOME", "")],
                "/home/ada/.cache/huggingface",
                "/home/ada/.cache/huggingface/hub",
            ),
            (&[("HF_HOME", "~/hf")], "/home/ada/hf", "/home/ada/hf/hub"),
            (&[("HF_HOME", "$D/hf"), ("D", "/d")], "/d/hf", "/d/hf/hub"),
            (&[("HF_HOME", "$D/hf"), ("D", "")], "/hf", "/hf/hub"),
            (&[("XDG_CACHE_HOME", "$E"), ("E", "")], "/huggingface", "/huggingface/hub"),
            (&[("XDG_CACHE_HOME", "~")], "/home/ada/huggingface", "/home/ada/huggingface/hub"),
            (&[("HF_HOME", "$A/x"), ("A", "$D"), ("D", "/d")], "/home/ada/bench/$D/x", "/d/x/hub"),
            (&[("HF_HOME", "hf")], "/home/ada/bench/hf", "/home/ada/bench/hf/hub"),
            (&[("HF_HOME", "/hf"), ("HF_HUB_CACHE", "/w")], "/hf", "/w"),
            (&[("HF_HOME", "/hf"), ("HUGGINGFACE_HUB_CACHE", "/o")], "/hf", "/o"),
            (
                &[("HF_HOME", "/hf"), ("HF_HUB_CACHE", "/n"), ("HUGGINGFACE_HUB_CACHE", "/o")],
                "/hf",
                "/n",
            ),
        ];
        for (variables, home, hub) in cases {
            let mut host = host();
            host.env = variables.iter().copied().collect();
            let cache = HubCache::locate(&host).unwrap();
            assert_eq!((cache.home.as_str(), cache.hub.as_str()), (home, hub), "{variables:?}");
        }
    }

    #[test]
    fn missing_home_is_an_error_that_names_hf_home() {
        let mut host = host();
        host.home = None;
        let error = HubCache::locate(&host).unwrap_err().to_string();
        assert!(error.ends_with("set HF_HOME"), "{error}");
    }

    #[test]
    fn path_that_is_not_utf8_is_refused() {
        let mut host = host();
        let name = std::ffi::OsString::from_vec(b"/hf\xff".to_vec());
        host.env = [("HF_HOME", name)].into_iter().collect();
        let error = HubCache::locate(&host).unwrap_err().to_string();
        assert!(error.starts_with("HF_HOME names a folder that is not UTF-8"), "{error}");
    }

    #[test]
    fn hub_cache_behind_a_symlink_is_mounted_separately() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        std::fs::create_dir_all(root.join("disk")).unwrap();
        std::fs::create_dir_all(root.join("hf")).unwrap();
        std::os::unix::fs::symlink("../disk", root.join("hf/hub")).unwrap();
        let mut host = host();
        host.env = [("HF_HOME", root.join("hf"))].into_iter().collect();
        let cache = HubCache::locate(&host).unwrap();
        assert_eq!(cache.hub_outside_home(), None);
        let resolved = cache.resolve_hub().unwrap();
        assert_eq!(resolved.hub_outside_home().unwrap().as_path(), root.join("disk"));
        assert_eq!(resolved.repos_outside_mount(), [""; 0].map(Path::new));
        std::os::unix::fs::symlink("../other", root.join("disk/models--a--b")).unwrap();
        std::fs::create_dir(root.join("other")).unwrap();
        assert_eq!(resolved.repos_outside_mount(), [root.join("disk/models--a--b")]);
        let repo = root.join("disk/models--a--c");
        std::fs::create_dir_all(repo.join("refs")).unwrap();
        std::os::unix::fs::symlink(repo.join("refs"), repo.join("blobs")).unwrap();
        let expected = ["disk/models--a--b", "disk/models--a--c/blobs"].map(|path| root.join(path));
        assert_eq!(
            resolved.repos_outside_mount(),
            expected,
            "an absolute symlink is valid on the host only"
        );
    }
}
