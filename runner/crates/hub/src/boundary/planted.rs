//! Symlinks on the way to a path that an earlier run's container may have left there.

use std::{
    collections::VecDeque,
    ffi::OsString,
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Component, Path, PathBuf},
};

use contract::{
    hub::{BLOBS, is_of_the_client},
    output::MARKS,
};
use host::{exit::Usage, machine::Host, users::subids::Ids};
use untrusted::escape;

/// Symlinks after which the kernel follows no more.
const MOST_LINKS: usize = 40;

/// The way to a path, each symlink followed.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Way {
    links: Vec<Link>,
    end: PathBuf,
}

/// A symlink on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Link {
    /// The folder that it lies in, canonical.
    folder: PathBuf,
    /// Its own path.
    place: PathBuf,
    /// What it says.
    target: PathBuf,
    /// The way on from where it leads.
    rest: PathBuf,
}

impl Way {
    fn to(path: &Path) -> Self {
        let names = |path: &Path| -> Vec<OsString> {
            path.components().map(|part| part.as_os_str().to_owned()).collect()
        };
        let mut ahead = VecDeque::from(names(path));
        let (mut end, mut links) = (PathBuf::new(), vec![]);
        while let Some(name) = ahead.pop_front() {
            match Path::new(&name).components().next() {
                // What it was is followed already, so its parent is the real one.
                Some(Component::ParentDir) => {
                    end.pop();
                    continue;
                }
                Some(Component::CurDir) | None => continue,
                Some(_) => {}
            }
            let place = end.join(&name);
            // What is missing or out of reach is told when it is used.
            let Ok(target) = fs::read_link(&place) else {
                end = place;
                continue;
            };
            let rest = ahead.iter().collect();
            for part in names(&target).into_iter().rev() {
                ahead.push_front(part);
            }
            links.push(Link { folder: end.clone(), place, target, rest });
            if links.len() > MOST_LINKS {
                end.push(name);
                break;
            }
        }
        Self { links, end }
    }
}

impl Link {
    /// Whether the Hub's client makes such a symlink. One of a cache that was copied names the repo by a
    /// path of the user's, who may have symlinks on it.
    fn is_of_the_client(&self) -> bool {
        let repo =
            self.target.parent().filter(|blobs| blobs.ends_with(BLOBS)).and_then(Path::parent);
        let real = repo.filter(|repo| repo.is_absolute()).and_then(|repo| repo.canonicalize().ok());
        let real =
            real.zip(self.target.file_name()).map(|(repo, name)| repo.join(BLOBS).join(name));
        is_of_the_client(&self.folder, real.as_ref().unwrap_or(&self.target))
    }
}

/// What containers of the user's write to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Writable {
    /// Folders, canonical.
    pub folders: Vec<PathBuf>,
    /// Whose the files are that their runs leave.
    ids: Ids,
}

impl Writable {
    /// Those of the folders that are there.
    pub fn of<'a>(folders: impl IntoIterator<Item = &'a Path>, host: &Host) -> Self {
        let real = folders.into_iter().filter_map(|folder| folder.canonicalize().ok());
        Self { folders: real.collect(), ids: Ids::of_this_machine(host) }
    }

    /// Whether a container may have written to `folder`, which is canonical.
    pub fn holds(&self, folder: &Path) -> bool {
        self.folders.iter().any(|other| folder.starts_with(other)) || self.results(folder).is_some()
    }

    /// The results folder of an earlier run that `folder` is or lies in.
    fn results<'a>(&self, folder: &'a Path) -> Option<&'a Path> {
        folder.ancestors().find(|folder| MARKS.iter().any(|mark| self.is_mark(&folder.join(mark))))
    }

    /// Whether a run of the user's left the file. Another user may have put one into a folder of
    /// everybody's.
    fn is_mark(&self, file: &Path) -> bool {
        let owner = fs::symlink_metadata(file).map(|data| data.uid());
        owner.is_ok_and(|owner| owner == self.ids.user || self.ids.is_container(owner))
    }
}

/// The symlinks on the way to a Hub cache on another disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubLinks {
    places: Vec<PathBuf>,
    hub: PathBuf,
}

impl HubLinks {
    /// Those of the Hub cache `hub`.
    pub(crate) fn of(hub: &Path) -> Self {
        let way = Way::to(hub);
        Self { places: way.links.into_iter().map(|link| link.place).collect(), hub: way.end }
    }
}

/// A symlink that a container may have made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planted {
    link: Link,
    /// The results folder that it lies in, if it lies in one.
    results: Option<PathBuf>,
    /// Where the whole way ends.
    end: PathBuf,
}

impl Planted {
    /// The first on the way to `path` that lies where containers write.
    pub(crate) fn find(
        path: &Path,
        writable: &Writable,
        accepted: Option<&HubLinks>,
    ) -> Option<Self> {
        let Way { links, end } = Way::to(path);
        // They are for the Hub cache alone, not for what else lies where they lead.
        let accepted = accepted.filter(|HubLinks { hub, .. }| {
            end.starts_with(hub) || links.iter().any(|link| link.folder.starts_with(hub))
        });
        let is_accepted = |link: &Link| {
            let of_hub = accepted.is_some_and(|accepted| accepted.places.contains(&link.place));
            of_hub || link.is_of_the_client()
        };
        let is_planted = |link: &&Link| writable.holds(&link.folder) && !is_accepted(link);
        let link = links.iter().find(is_planted)?.clone();
        let results = writable.results(&link.folder).map(Path::to_owned);
        Some(Self { link, results, end })
    }

    /// Whether the way ends in this Hub cache.
    pub(crate) fn ends_in(&self, hub: &HubLinks) -> bool {
        self.end.starts_with(&hub.hub)
    }

    /// Where the whole way ends.
    pub(crate) fn end(&self) -> &Path {
        &self.end
    }

    /// The folder that the symlink lies in, canonical.
    pub(crate) fn folder(&self) -> &Path {
        &self.link.folder
    }

    /// The whole way, as it is up to the symlink and from there as it is spelled.
    pub(crate) fn spelled(&self) -> PathBuf {
        joined(&self.link.place, &self.link.rest)
    }

    /// The refusal of `path`, which is `what`.
    pub(crate) fn refusal(&self, what: &str, path: &Path) -> Usage {
        let shown = |path: &Path| escape(&path.to_string_lossy());
        let folder = match &self.results {
            Some(results) => format!("`{}`, the results folder of an earlier run", shown(results)),
            None => "a folder that containers write to".to_owned(),
        };
        // The rest may lead on by the client's own symlinks, and what is at their end has another name.
        let meant = joined(&place(&self.link.place), &self.link.rest);
        Usage(format!(
            "the {what} `{}` leads through the symlink `{}`, which a container may have made: it is in \
             {folder}; if you mean `{}`, name that",
            shown(path),
            shown(&self.link.place),
            shown(&meant)
        ))
    }
}

/// Without a slash at the end where nothing follows.
fn joined(path: &Path, rest: &Path) -> PathBuf {
    path.components().chain(rest.components()).collect()
}

/// Where `path` is, symlinks followed as far as there are folders.
pub fn place(path: &Path) -> PathBuf {
    Way::to(path).end
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::fs::{chown, symlink},
        path::{Path, PathBuf},
    };

    use super::{HubLinks, Planted, Writable};
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

        fn planted(&self, path: &str, accepted: Option<&HubLinks>) -> Option<String> {
            let folders = [self.at("home"), self.at("disk/hub")];
            let uid = rustix::process::geteuid().as_raw();
            let host = Host { uid, ..host() };
            let writable = Writable::of(folders.iter().map(PathBuf::as_path), &host);
            let path = self.at(path);
            let found = Planted::find(&path, &writable, accepted)?;
            let refusal = found.refusal("model", &path).to_string();
            Some(refusal.replace(&*self.at("").to_string_lossy(), ""))
        }
    }

    #[test]
    fn only_symlinks_in_folders_of_runs_are_planted() {
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
            let refusal = disk.planted(path, None).unwrap_or_else(|| panic!("{path}"));
            assert!(refusal.contains("`results`, the results folder of an earlier"), "{refusal}");
        }
        fs::rename(disk.at("results/.aienergyscore.lock"), disk.at("results/RUN_COMPLETE.json"))
            .unwrap();
        assert!(disk.planted("results/planted", None).is_some(), "a container deleted the lock");
        for path in ["results", "results/new/er", "own", "own/deep", "own/../x", "loop", "none"] {
            assert_eq!(disk.planted(path, None), None, "{path}");
        }
    }

    #[test]
    fn results_folder_is_told_by_files_that_only_a_run_of_the_users_leaves() {
        let disk = Disk::new();
        disk.file("scratch/ada/m/config.json");
        disk.link("m", "scratch/ada/link");
        for common in ["benchmark.log", "benchmark_report.json"] {
            disk.file(&format!("scratch/{common}"));
        }
        assert_eq!(disk.planted("scratch/ada/link", None), None);
        let mark = disk.at("scratch/GPU_ENERGY_WH.txt");
        fs::write(&mark, "").unwrap();
        assert!(disk.planted("scratch/ada/link", None).is_some());
        let Writable { folders, ids } = Writable::of([], &host());
        let own = rustix::process::geteuid().as_raw();
        let other = if own == 0 { 4343 } else { own };
        chown(&mark, Some(other), None).unwrap();
        let mut writable = Writable { folders, ids: Ids { user: other + 1, ..ids } };
        let link = disk.at("scratch/ada/link");
        assert_eq!(Planted::find(&link, &writable, None), None, "another user's");
        writable.ids.container.push(other..other + 1);
        assert!(Planted::find(&link, &writable, None).is_some(), "a container's");
    }

    #[test]
    fn hint_replaces_the_refused_symlink_alone() {
        let disk = Disk::new();
        let blob = "1".repeat(40);
        disk.file(&format!("disk2/models--o--m/blobs/{blob}"));
        let snapshot = "models--o--m/snapshots/2";
        disk.link(format!("../../blobs/{blob}"), &format!("disk2/{snapshot}/m.gguf"));
        disk.link("../../disk2/models--o--m", "home/hub/models--o--m");
        let refusal = disk.planted(&format!("home/hub/{snapshot}/m.gguf"), None).unwrap();
        let hint = format!("if you mean `disk2/{snapshot}/m.gguf`, name that");
        assert!(refusal.ends_with(&hint), "{refusal}");
        assert_eq!(disk.planted(&format!("disk2/{snapshot}/m.gguf"), None), None);
    }

    #[test]
    fn symlink_in_a_writable_folder_is_found_behind_one_of_the_users_own() {
        let disk = Disk::new();
        disk.file("home/a/b");
        disk.file("key.gguf");
        disk.link("../../key.gguf", "home/a/m.gguf");
        disk.link("home/a/m.gguf", "favourite.gguf");
        disk.link("home", "to home");
        insta::assert_snapshot!(disk.planted("favourite.gguf", None).unwrap(), @"the model `favourite.gguf` leads through the symlink `home/a/m.gguf`, which a container may have made: it is in a folder that containers write to; if you mean `key.gguf`, name that");
        for path in ["home/a/m.gguf", "to home/a/m.gguf", "home/a/../a/m.gguf"] {
            assert!(disk.planted(path, None).is_some(), "{path}");
        }
        for path in ["home/a/b", "to home/a", "home", "key.gguf"] {
            assert_eq!(disk.planted(path, None), None, "{path}");
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
        // Of a cache that was copied, or is named by a symlink of the user's.
        disk.link("home", "own");
        for (of, name) in [("home", "abs"), ("own", "spelled")] {
            let blob = disk.at(&format!("{of}/hub/models--o--m/blobs/11"));
            disk.link(blob, &format!("{repo}/snapshots/1/{name}"));
        }
        let files = ["11.gguf", "22.gguf", "abs", "spelled"];
        for path in files.map(|file| format!("snapshots/1/{file}")) {
            assert_eq!(disk.planted(&format!("{repo}/{path}"), None), None, "{path}");
        }
        assert_eq!(disk.planted("favourite.gguf", None), None);
        assert!(disk.planted(&format!("{repo}/snapshots/1/33.gguf"), None).is_some());
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
            assert!(disk.planted(path, None).is_some(), "{path}");
            assert_eq!(disk.planted(path, Some(&accepted)), None, "{path}");
        }
        for path in ["home/hub/../other/m.gguf", "home/disk/other/m.gguf"] {
            assert!(disk.planted(path, Some(&accepted)).is_some(), "{path}");
        }
        disk.link("../other/m.gguf", "disk/hub/planted.gguf");
        assert!(disk.planted("home/hub/planted.gguf", Some(&accepted)).is_some());
    }
}
