//! Symlinks that a container of an earlier run may have left on the way to a path.

use std::path::{Path, PathBuf};

use host::exit::Usage;
use untrusted::escape;

use super::{
    resolved_path::{Link, ResolvedPath},
    writable::WritableFolders,
};

/// The symlinks on the path of a Hub cache on another disk, which the user has accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HubLinks {
    links: Vec<PathBuf>,
    hub: PathBuf,
}

impl HubLinks {
    /// The symlinks on the path of the Hub cache `hub`.
    pub(super) fn of(hub: &Path) -> Self {
        let ResolvedPath { links, end } = ResolvedPath::of(hub);
        Self { links: links.into_iter().map(|link| link.path).collect(), hub: end }
    }
}

/// A symlink that a container may have created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct UntrustedLink {
    link: Link,
    /// The results folder that contains it, if any.
    results: Option<PathBuf>,
    /// The final path, all symlinks followed.
    end: PathBuf,
}

impl UntrustedLink {
    /// The first symlink on `path` that is in a writable folder and not accepted.
    pub(super) fn find(
        path: &Path,
        writable: &WritableFolders,
        accepted: Option<&HubLinks>,
    ) -> Option<Self> {
        let ResolvedPath { links, end } = ResolvedPath::of(path);
        // The user has accepted these symlinks for paths in the Hub cache only.
        let accepted = accepted.filter(|HubLinks { hub, .. }| {
            end.starts_with(hub) || links.iter().any(|link| link.folder.starts_with(hub))
        });
        let is_accepted = |link: &Link| {
            accepted.is_some_and(|accepted| accepted.links.contains(&link.path))
                || link.is_of_the_client()
        };
        let is_untrusted = |link: &&Link| writable.contains(&link.folder) && !is_accepted(link);
        let link = links.iter().find(is_untrusted)?.clone();
        let results = writable.results_folder(&link.folder).map(Path::to_owned);
        Some(Self { link, results, end })
    }

    /// Whether the path ends in this Hub cache.
    pub(super) fn ends_in(&self, hub: &HubLinks) -> bool {
        self.end.starts_with(&hub.hub)
    }

    /// The final path, all symlinks followed.
    pub(super) fn end(&self) -> &Path {
        &self.end
    }

    /// The folder of the symlink, canonical.
    pub(super) fn folder(&self) -> &Path {
        &self.link.folder
    }

    /// The path with symlinks followed up to this one, and as it was given from there on.
    pub(super) fn path(&self) -> PathBuf {
        join(&self.link.path, &self.link.rest)
    }

    /// The error that refuses `path`. `what` is its name in the message.
    pub(super) fn refusal(&self, what: &str, path: &Path) -> Usage {
        let shown = |path: &Path| escape(&path.to_string_lossy());
        let folder = match &self.results {
            Some(results) => format!("`{}`, the results folder of an earlier run", shown(results)),
            None => "a folder that containers write to".to_owned(),
        };
        // Only this symlink is followed: the client's own symlinks after it change the file's name.
        let meant = join(&ResolvedPath::of(&self.link.path).end, &self.link.rest);
        Usage(format!(
            "the {what} `{}` leads through the symlink `{}`, which a container may have made: it is in \
             {folder}; if you mean `{}`, name that",
            shown(path),
            shown(&self.link.path),
            shown(&meant)
        ))
    }
}

/// Joins two paths without a trailing slash.
fn join(path: &Path, rest: &Path) -> PathBuf {
    path.components().chain(rest.components()).collect()
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::fs::{chown, symlink},
        path::{Path, PathBuf},
    };

    use super::{HubLinks, UntrustedLink, WritableFolders};
    use host::{machine::Host, testing::host, users::subids::Ids};

    struct Disk(tempfile::TempDir);

    impl Disk {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn at(&self, path: &str) -> PathBuf {
            self.0.path().canonicalize().unwrap().join(path)
        }

        fn file(&self, path: &str) {
            fs::create_dir_all(self.at(path).parent().unwrap()).unwrap();
            fs::write(self.at(path), path).unwrap();
        }

        fn link(&self, to: impl AsRef<Path>, path: &str) {
            fs::create_dir_all(self.at(path).parent().unwrap()).unwrap();
            symlink(to, self.at(path)).unwrap();
        }

        fn refusal(&self, path: &str, accepted: Option<&HubLinks>) -> Option<String> {
            let folders = [self.at("home"), self.at("disk/hub")];
            let uid = rustix::process::geteuid().as_raw();
            let host = Host { uid, ..host() };
            let writable = WritableFolders::of(folders.iter().map(PathBuf::as_path), &host);
            let path = self.at(path);
            let found = UntrustedLink::find(&path, &writable, accepted)?;
            let refusal = found.refusal("model", &path).to_string();
            Some(refusal.replace(&*self.at("").to_string_lossy(), ""))
        }
    }

    #[test]
    fn only_symlinks_in_folders_of_runs_are_refused() {
        let disk = Disk::new();
        for file in ["results/.aienergyscore.lock", "results/previous/1/x", "far/deep/x"] {
            disk.file(file);
        }
        disk.link("../far", "results/planted");
        disk.link(disk.at("far"), "results/previous/1/planted");
        disk.link("nowhere", "results/dangling");
        disk.link("far", "own");
        disk.link("results/planted", "through");
        disk.link("loop", "loop");
        for path in [
            "results/planted",
            "results/planted/deep/new",
            "results/planted/../out",
            "results/previous/1/planted/x",
            "results/dangling",
            "far/../results/planted",
            "through",
            "through/deep",
        ] {
            let refusal = disk.refusal(path, None).unwrap_or_else(|| panic!("{path}"));
            assert!(refusal.contains("`results`, the results folder of an earlier"), "{refusal}");
        }
        fs::rename(disk.at("results/.aienergyscore.lock"), disk.at("results/RUN_COMPLETE.json"))
            .unwrap();
        assert!(disk.refusal("results/planted", None).is_some(), "a container deleted the lock");
        for path in ["results", "results/new/er", "own", "own/deep", "own/../x", "loop", "none"] {
            assert_eq!(disk.refusal(path, None), None, "{path}");
        }
    }

    #[test]
    fn results_folder_is_recognised_by_files_of_the_users_own_runs() {
        let disk = Disk::new();
        disk.file("scratch/ada/m/config.json");
        disk.link("m", "scratch/ada/link");
        for common in ["benchmark.log", "benchmark_report.json"] {
            disk.file(&format!("scratch/{common}"));
        }
        assert_eq!(disk.refusal("scratch/ada/link", None), None);
        let mark = disk.at("scratch/GPU_ENERGY_WH.txt");
        fs::write(&mark, "").unwrap();
        assert!(disk.refusal("scratch/ada/link", None).is_some());
        let WritableFolders { folders, ids } = WritableFolders::of([], &host());
        let own = rustix::process::geteuid().as_raw();
        let other = if own == 0 { 4343 } else { own };
        chown(&mark, Some(other), None).unwrap();
        let mut writable = WritableFolders { folders, ids: Ids { user: other + 1, ..ids } };
        let link = disk.at("scratch/ada/link");
        assert_eq!(UntrustedLink::find(&link, &writable, None), None, "another user's");
        writable.ids.container.push(other..other + 1);
        assert!(UntrustedLink::find(&link, &writable, None).is_some(), "a container's");
    }

    #[test]
    fn hint_replaces_the_refused_symlink_alone() {
        let disk = Disk::new();
        let blob = "1".repeat(40);
        disk.file(&format!("disk2/models--o--m/blobs/{blob}"));
        let snapshot = "models--o--m/snapshots/2";
        disk.link(format!("../../blobs/{blob}"), &format!("disk2/{snapshot}/m.gguf"));
        disk.link("../../disk2/models--o--m", "home/hub/models--o--m");
        let refusal = disk.refusal(&format!("home/hub/{snapshot}/m.gguf"), None).unwrap();
        let hint = format!("if you mean `disk2/{snapshot}/m.gguf`, name that");
        assert!(refusal.ends_with(&hint), "{refusal}");
        assert_eq!(disk.refusal(&format!("disk2/{snapshot}/m.gguf"), None), None);
    }

    #[test]
    fn untrusted_symlink_is_found_behind_a_trusted_one() {
        let disk = Disk::new();
        disk.file("home/a/b");
        disk.file("key.gguf");
        disk.link("../../key.gguf", "home/a/m.gguf");
        disk.link("home/a/m.gguf", "favourite.gguf");
        disk.link("home", "to home");
        insta::assert_snapshot!(disk.refusal("favourite.gguf", None).unwrap(), @"the model `favourite.gguf` leads through the symlink `home/a/m.gguf`, which a container may have made: it is in a folder that containers write to; if you mean `key.gguf`, name that");
        for path in ["home/a/m.gguf", "to home/a/m.gguf", "home/a/../a/m.gguf"] {
            assert!(disk.refusal(path, None).is_some(), "{path}");
        }
        for path in ["home/a/b", "to home/a", "home", "key.gguf"] {
            assert_eq!(disk.refusal(path, None), None, "{path}");
        }
    }

    #[test]
    fn symlinks_that_the_hub_client_makes_are_followed() {
        let disk = Disk::new();
        let payload = format!("blobs/ab/ab{}", "0".repeat(62));
        let repo = "home/hub/models--o--m";
        disk.file(&format!("home/hub/{payload}"));
        disk.file(&format!("{repo}/blobs/11"));
        disk.link(format!("../../{payload}"), &format!("{repo}/blobs/22"));
        disk.link("../../../key", &format!("{repo}/blobs/33"));
        for blob in ["11", "22", "33"] {
            disk.link(format!("../../blobs/{blob}"), &format!("{repo}/snapshots/1/{blob}.gguf"));
        }
        disk.link(disk.at(repo).join("snapshots/1/22.gguf"), "favourite.gguf");
        // In a copied cache, or with the cache named by a symlink of the user.
        disk.link("home", "own");
        for (of, name) in [("home", "abs"), ("own", "spelled")] {
            let blob = disk.at(&format!("{of}/hub/models--o--m/blobs/11"));
            disk.link(blob, &format!("{repo}/snapshots/1/{name}"));
        }
        let files = ["11.gguf", "22.gguf", "abs", "spelled"];
        for path in files.map(|file| format!("snapshots/1/{file}")) {
            assert_eq!(disk.refusal(&format!("{repo}/{path}"), None), None, "{path}");
        }
        assert_eq!(disk.refusal("favourite.gguf", None), None);
        assert!(disk.refusal(&format!("{repo}/snapshots/1/33.gguf"), None).is_some());
    }

    #[test]
    fn hub_cache_on_another_disk_is_followed_once_it_is_accepted() {
        let disk = Disk::new();
        disk.file("disk/hub/models--o--m/config.json");
        disk.file("disk/other/m.gguf");
        disk.link("../disk", "home/disk");
        disk.link("disk/hub", "home/hub");
        disk.link("home", "spelled");
        let accepted = HubLinks::of(&disk.at("home/hub"));
        for path in ["home/hub", "home/hub/models--o--m", "spelled/hub/models--o--m"] {
            assert!(disk.refusal(path, None).is_some(), "{path}");
            assert_eq!(disk.refusal(path, Some(&accepted)), None, "{path}");
        }
        for path in ["home/hub/../other/m.gguf", "home/disk/other/m.gguf"] {
            assert!(disk.refusal(path, Some(&accepted)).is_some(), "{path}");
        }
        disk.link("../other/m.gguf", "disk/hub/planted.gguf");
        assert!(disk.refusal("home/hub/planted.gguf", Some(&accepted)).is_some());
    }
}
