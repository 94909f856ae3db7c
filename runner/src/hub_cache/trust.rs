//! Whether a symlink that the Hub cache is was made by the user, or left by a container.
//!
//! A container may write to the HuggingFace home, so it can put a symlink in the place of `hub`; the
//! next run would mount what that leads to. A symlink that is there at the first run is accepted if its
//! target looks like a Hub cache, and remembered outside of every folder that containers write to. One
//! that appears or changes later is refused until `aienergyscore cache trust` accepts it.

use std::{
    fs::DirBuilder,
    io,
    os::unix::{ffi::OsStrExt as _, fs::DirBuilderExt as _},
    path::{Path, PathBuf},
};

use contract::env;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use untrusted::{Dir, Stamp, escape};

use super::{belongs::belongs, store::has_store};
use crate::{
    exit::Usage,
    host::Host,
    planted::{Planted, is_of_a_run},
};

/// Bytes of the largest record that is read: two paths.
const MOST_BYTES: u64 = 64 << 10;

/// What the Hub cache is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    /// Its path.
    path: PathBuf,
    /// Where that leads by a symlink; nothing where it is the folder itself.
    leads_to: Option<PathBuf>,
}

/// What is known of the Hub cache at a path, now and from earlier runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trust {
    now: Record,
    /// What an earlier run saw.
    before: Option<Record>,
    /// Where that is kept; nothing where containers could write to it.
    file: Option<PathBuf>,
    /// Whether the target holds a Hub cache and nothing else.
    looks_right: bool,
}

impl Trust {
    /// Looks at the Hub cache `hub`; none where no container could have replaced it. The folders of
    /// `writable` are canonical.
    pub(crate) fn look(hub: &Path, writable: &[PathBuf], host: &Host) -> Option<Self> {
        let parent = hub.parent()?.canonicalize().ok()?;
        let planted = Planted::find(hub, writable, None);
        let is_inside = writable.iter().any(|folder| parent.starts_with(folder))
            || parent.ancestors().any(is_of_a_run);
        if planted.is_none() && !is_inside {
            return None;
        }
        let leads_to = planted.and_then(|_| hub.canonicalize().ok());
        let file = record_file(hub, &parent, host);
        let file = file.filter(|file| {
            let real = file.ancestors().find_map(|folder| folder.canonicalize().ok());
            real.is_some_and(|real| !writable.iter().any(|folder| real.starts_with(folder)))
        });
        Some(Self {
            looks_right: leads_to.as_ref().is_none_or(|target| is_hub_cache(target, host.uid)),
            before: file.as_deref().and_then(read_record).filter(|record| record.path == hub),
            now: Record { path: hub.to_owned(), leads_to },
            file,
        })
    }

    /// Makes sure that the user may be taken to have made the symlink, if there is one.
    ///
    /// # Errors
    /// When a container may have.
    pub(crate) fn check(&self) -> Result<(), Usage> {
        let Some(target) = &self.now.leads_to else { return Ok(()) };
        let before = self.before.as_ref().map(|record| record.leads_to.as_ref());
        let why = match before {
            Some(Some(before)) if before == target => return Ok(()),
            Some(Some(before)) => format!("it led to `{}` before", before.display()),
            Some(None) => "it was a folder before".to_owned(),
            None if self.file.is_none() => {
                "the record of it would lie in a folder that containers write to".to_owned()
            }
            None if self.looks_right => return Ok(()),
            None => "that folder is not a Hub cache".to_owned(),
        };
        let (hub, target) = (self.now.path.display(), target.display());
        let hint = match self.file {
            Some(_) => "if you made the symlink, accept it with `aienergyscore cache trust`",
            None => "name the folder itself in HF_HUB_CACHE",
        };
        let text = format!(
            "the Hub cache `{hub}` is a symlink to `{target}`, which a container may have made: \
             {why}; {hint}"
        );
        Err(Usage(escape(&text)))
    }

    /// Remembers what the Hub cache is now, if that is not known.
    ///
    /// # Errors
    /// When the record cannot be written.
    pub(crate) fn remember(&self) -> io::Result<()> {
        let Some(file) = self.file.as_ref().filter(|_| self.before.as_ref() != Some(&self.now))
        else {
            return Ok(());
        };
        let (Some(folder), Some(name)) = (file.parent(), file.file_name()) else { return Ok(()) };
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        Dir::open(folder)?.write(name, serde_json::to_string(&self.now)?.as_bytes())
    }

    /// Where the Hub cache leads, if that is a symlink which can be accepted.
    ///
    /// # Errors
    /// When no record can be kept.
    pub(crate) fn target(&self) -> Result<Option<&Path>, Usage> {
        match (&self.now.leads_to, &self.file) {
            (Some(_), None) => self.check().map(|()| None),
            (target, _) => Ok(target.as_deref()),
        }
    }
}

/// Where the record of the Hub cache `hub` is, whose folder is `parent`. Nodes of a cluster that share
/// a home may each have a cache of that path: the folder's number tells them apart.
fn record_file(hub: &Path, parent: &Path, host: &Host) -> Option<PathBuf> {
    let named = host.env.get(env::XDG_STATE_HOME).map(PathBuf::from);
    let state = named.filter(|folder| folder.is_absolute());
    let state = state.or_else(|| Some(host.home.as_ref()?.join(".local/state")))?;
    let inode = Dir::open(parent).and_then(|folder| folder.look("")).ok()?.inode;
    let digest = Sha256::new()
        .chain_update(hub.as_os_str().as_bytes())
        .chain_update(inode.to_le_bytes())
        .finalize();
    let name: String = digest[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    Some(state.join("aienergyscore/hub").join(format!("{name}.json")))
}

fn read_record(file: &Path) -> Option<Record> {
    let bytes = Dir::open(file.parent()?).ok()?.read(file.file_name()?, MOST_BYTES).ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// Whether the folder `target` holds entries of a Hub cache alone, or is empty and of the user `uid`.
fn is_hub_cache(target: &Path, uid: u32) -> bool {
    let Ok(dir) = Dir::open(target) else { return false };
    let Ok(list) = dir.list() else { return false };
    if list.is_empty() {
        return dir.look("").is_ok_and(|Stamp { uid: owner, .. }| owner == uid);
    }
    let has_store = has_store(&dir);
    list.iter().all(|(name, _)| belongs(Path::new(name), has_store))
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::fs::symlink,
        path::{Path, PathBuf},
    };

    use super::Trust;
    use crate::{host::Host, testing::host};

    struct World {
        root: PathBuf,
        _folder: tempfile::TempDir,
    }

    impl World {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let root = folder.path().canonicalize().unwrap();
            fs::create_dir_all(root.join("home/hf")).unwrap();
            Self { root, _folder: folder }
        }

        fn at(&self, path: &str) -> PathBuf {
            self.root.join(path)
        }

        fn make(&self, path: &str) -> PathBuf {
            fs::create_dir_all(self.at(path)).unwrap();
            self.at(path)
        }

        /// Makes `hub` a symlink to this folder.
        fn link(&self, target: &Path) {
            let hub = self.at("home/hf/hub");
            let _ = fs::remove_dir(&hub).or_else(|_| fs::remove_file(&hub));
            symlink(target, hub).unwrap();
        }

        fn host(&self) -> Host {
            let uid = rustix::process::geteuid().as_raw();
            Host { home: Some(self.at("home")), uid, ..host() }
        }

        fn trust(&self) -> Trust {
            let writable = [self.at("home/hf")];
            Trust::look(&self.at("home/hf/hub"), &writable, &self.host()).unwrap()
        }

        /// What a run does.
        fn run(&self) -> Result<(), String> {
            let trust = self.trust();
            trust.check().map_err(|refused| refused.to_string())?;
            trust.remember().map_err(|error| error.to_string())
        }
    }

    #[test]
    fn symlink_to_a_hub_cache_is_accepted_at_the_first_run() {
        let world = World::new();
        for entries in [&["models--a--b", "datasets--c", ".locks", "CACHEDIR.TAG"][..], &[]] {
            let target = world.make(&format!("disk{}", entries.len()));
            entries.iter().for_each(|entry| fs::create_dir_all(target.join(entry)).unwrap());
            world.link(&target);
            assert_eq!(world.trust().check(), Ok(()));
        }
        let target = world.make("ssh");
        fs::write(target.join("id_rsa"), "").unwrap();
        world.link(&target);
        let refused = world.run().unwrap_err();
        assert!(refused.contains("is not a Hub cache; if you made"), "{refused}");
        world.trust().remember().unwrap();
        assert_eq!(world.run(), Ok(()), "accepted by the user");
    }

    #[test]
    fn symlink_that_appears_or_changes_later_is_refused() {
        let world = World::new();
        world.make("home/hf/hub");
        assert_eq!(world.run(), Ok(()));
        let (one, other) = (world.make("one"), world.make("other"));
        world.link(&one);
        assert!(world.run().unwrap_err().contains("it was a folder before"));
        world.trust().remember().unwrap();
        assert_eq!(world.run(), Ok(()));
        world.link(&other);
        assert!(world.run().unwrap_err().contains(&format!("led to `{}` before", one.display())));
    }

    #[test]
    fn record_that_a_container_could_write_is_none() {
        let world = World::new();
        world.link(&world.make("disk"));
        let writable = [world.at("home")];
        let look = || Trust::look(&world.at("home/hf/hub"), &writable, &world.host()).unwrap();
        look().remember().unwrap();
        assert!(!world.at("home/.local").exists());
        let refused = look().check().unwrap_err().to_string();
        assert!(refused.ends_with("name the folder itself in HF_HUB_CACHE"), "{refused}");
    }

    #[test]
    fn cache_outside_of_what_containers_write_is_the_users_choice() {
        let world = World::new();
        symlink(world.make("disk"), world.at("link")).unwrap();
        assert_eq!(Trust::look(&world.at("link"), &[world.at("home/hf")], &world.host()), None);
    }
}
