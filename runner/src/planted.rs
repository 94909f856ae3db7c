//! Symlinks on the way to a path that an earlier run's container may have left there.

use std::{
    collections::VecDeque,
    ffi::OsString,
    fs,
    path::{Component, Path, PathBuf},
};

use contract::{
    hub::is_of_the_client,
    output::{DOCUMENTED, LOCK},
};
use untrusted::escape;

use crate::exit::Usage;

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
            for part in names(&target).into_iter().rev() {
                ahead.push_front(part);
            }
            links.push(Link { folder: end.clone(), place, target });
            if links.len() > MOST_LINKS {
                break;
            }
        }
        Self { links, end }
    }
}

impl Link {
    /// The results folder of an earlier run that it lies in.
    fn results(&self) -> Option<&Path> {
        self.folder.ancestors().find(|folder| is_of_a_run(folder))
    }
}

/// Whether a run wrote to the folder. Its container could delete the lock file, too.
pub(crate) fn is_of_a_run(folder: &Path) -> bool {
    let names = DOCUMENTED.iter().map(|(name, _)| *name).chain([LOCK]);
    names.into_iter().any(|name| fs::symlink_metadata(folder.join(name)).is_ok())
}

/// The symlinks on the way to a Hub cache on another disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HubLinks {
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
pub(crate) struct Planted {
    link: Link,
    /// Where the whole way ends.
    end: PathBuf,
}

impl Planted {
    /// The first on the way to `path` that lies in a folder of `writable`, which are canonical, or in a
    /// results folder of an earlier run.
    pub(crate) fn find(
        path: &Path,
        writable: &[PathBuf],
        accepted: Option<&HubLinks>,
    ) -> Option<Self> {
        let Way { links, end } = Way::to(path);
        // They are for the Hub cache alone, not for what else lies where they lead.
        let accepted = accepted.filter(|HubLinks { hub, .. }| {
            end.starts_with(hub) || links.iter().any(|link| link.folder.starts_with(hub))
        });
        let is_accepted = |link: &Link| {
            let of_hub = accepted.is_some_and(|accepted| accepted.places.contains(&link.place));
            of_hub || is_of_the_client(&link.folder, &link.target)
        };
        let is_inside = |link: &Link| {
            let is_writable = writable.iter().any(|folder| link.folder.starts_with(folder));
            is_writable || link.results().is_some()
        };
        let link = links.iter().find(|link| is_inside(link) && !is_accepted(link))?.clone();
        Some(Self { link, end })
    }

    /// Whether the way ends in this Hub cache.
    pub(crate) fn ends_in(&self, hub: &HubLinks) -> bool {
        self.end.starts_with(&hub.hub)
    }

    /// The refusal of `path`, which is `what`.
    pub(crate) fn refusal(&self, what: &str, path: &Path) -> Usage {
        let shown = |path: &Path| escape(&path.to_string_lossy());
        let folder = match self.link.results() {
            Some(results) => format!("`{}`, the results folder of an earlier run", shown(results)),
            None => "a folder that containers write to".to_owned(),
        };
        Usage(format!(
            "the {what} `{}` leads through the symlink `{}`, which a container may have made: it is in \
             {folder}; if you mean `{}`, name that",
            shown(path),
            shown(&self.link.place),
            shown(&self.end)
        ))
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::fs::symlink,
        path::{Path, PathBuf},
    };

    use super::{HubLinks, Planted};

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
            let writable = [self.at("home"), self.at("disk/hub")];
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
        for path in ["snapshots/1/11.gguf", "snapshots/1/22.gguf", "snapshots/1"] {
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
