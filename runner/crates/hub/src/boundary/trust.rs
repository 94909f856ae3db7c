//! Whether to trust a Hub cache that is a symlink.
//!
//! A container can write to the HuggingFace home, so it can replace `hub` by a symlink, and the next run would
//! mount its target. A symlink that exists at the first run is accepted if its target looks like a Hub cache.
//! It is recorded outside of the folders that containers can write to. A symlink that appears or changes later
//! is refused until `aienergyscore cache trust` accepts it.

use std::{
    fs::DirBuilder,
    io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use contract::env;
use host::{exit::Usage, machine::Host};
use serde::{Deserialize, Serialize};
use untrusted::{Dir, Stamp, escape};

use crate::boundary::{
    resolved_path::ResolvedPath, untrusted_link::UntrustedLink, writable::WritableFolders,
};
use crate::layout::{has_store, is_client_path, short_id};

/// Size limit of a record that is read.
const MAX_BYTES: u64 = 256 << 10;

/// How many folders with a cache at the same path are recorded.
const MAX_SEEN: usize = 32;

/// A folder or symlink, observed at the path of the Hub cache. The nodes of a cluster that share a home may
/// have different folders at the same path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Observed {
    /// The inode of the folder. A container may have replaced the folder, so a new inode does not make a
    /// symlink trusted.
    folder: u64,
    /// The target of the symlink. `None` when the cache was a folder.
    leads_to: Option<PathBuf>,
}

/// Observations of earlier runs at a path, the latest last.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Record {
    /// The path, canonical up to the first untrusted symlink.
    path: PathBuf,
    seen: Vec<Observed>,
}

impl Record {
    /// The observation of this folder, else one of the same symlink, else the latest.
    fn of(&self, now: &Observed) -> Option<&Observed> {
        let seen = || self.seen.iter().rev();
        seen()
            .find(|seen| seen.folder == now.folder)
            .or_else(|| seen().find(|seen| seen.leads_to == now.leads_to))
            .or_else(|| seen().next())
    }
}

/// The Hub cache at a path, now and in earlier runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trust {
    /// The Hub cache, as the user named it.
    hub: PathBuf,
    now: Observed,
    /// The record of earlier runs.
    record: Record,
    /// The file of the record. `None` when containers could write to it.
    file: Option<PathBuf>,
    /// Whether the target is a Hub cache, or an empty folder of the user.
    is_hub_cache: bool,
}

impl Trust {
    /// Reads the state and the record of `hub`. `None` when no container could have replaced it.
    pub(crate) fn read(hub: &Path, writable: &WritableFolders, host: &Host) -> Option<Self> {
        let link = UntrustedLink::find(hub, writable, None);
        let path = link.as_ref().map_or_else(|| ResolvedPath::of(hub).end, UntrustedLink::path);
        let folder = match &link {
            Some(link) => link.folder(),
            None => path.ancestors().skip(1).find(|folder| folder.is_dir())?,
        };
        if !writable.contains(folder) {
            return None;
        }
        let inode = Dir::open(folder).and_then(|folder| folder.look("")).map(|it| it.inode);
        let leads_to = link.as_ref().map(|link| link.end().to_owned());
        let file = record_file(&path, host).filter(|_| inode.is_ok()).filter(|file| {
            let real = file.ancestors().find_map(|folder| folder.canonicalize().ok());
            real.is_some_and(|real| !writable.folders.iter().any(|other| real.starts_with(other)))
        });
        let record = file.as_deref().and_then(read_record).filter(|record| record.path == path);
        Some(Self {
            hub: hub.to_owned(),
            is_hub_cache: leads_to.as_ref().is_none_or(|target| is_hub_cache(target, host.uid)),
            now: Observed { folder: inode.unwrap_or_default(), leads_to },
            record: record.unwrap_or(Record { path, seen: vec![] }),
            file,
        })
    }

    /// Checks that the Hub cache is not a symlink, or a trusted one.
    ///
    /// # Errors
    /// When a container may have created the symlink.
    pub(crate) fn check(&self) -> Result<(), Usage> {
        let Some(target) = &self.now.leads_to else { return Ok(()) };
        let before = self.record.of(&self.now).map(|seen| seen.leads_to.as_ref());
        let why = match before {
            Some(Some(before)) if before == target => return Ok(()),
            Some(Some(before)) => format!("it led to `{}` before", before.display()),
            Some(None) => "it was a folder before".to_owned(),
            None if self.file.is_none() => {
                "the record of it would lie in a folder that containers write to".to_owned()
            }
            None if self.is_hub_cache => return Ok(()),
            None if !target.is_dir() => "that is not a folder".to_owned(),
            None => "that folder is not a Hub cache".to_owned(),
        };
        let hint = match self.file {
            Some(_) if !target.is_dir() => "make that folder, or remove the symlink",
            Some(_) => "if you made the symlink, accept it with `aienergyscore cache trust`",
            None => "name the folder itself in HF_HUB_CACHE",
        };
        let (hub, target) = (self.hub.display(), target.display());
        let text = format!(
            "the Hub cache `{hub}` is a symlink to `{target}`, which a container may have made: \
             {why}; {hint}"
        );
        Err(Usage(escape(&text)))
    }

    /// Records the current state, if it is not in the record.
    ///
    /// # Errors
    /// When the record cannot be written.
    pub fn remember(&self) -> io::Result<()> {
        let Some(file) = self.file.as_ref().filter(|_| !self.record.seen.contains(&self.now))
        else {
            return Ok(());
        };
        let (Some(folder), Some(name)) = (file.parent(), file.file_name()) else { return Ok(()) };
        let mut record = self.record.clone();
        record.seen.retain(|seen| seen.folder != self.now.folder);
        record.seen.push(self.now.clone());
        let excess = record.seen.len().saturating_sub(MAX_SEEN);
        record.seen.drain(..excess);
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        Dir::open(folder)?.write(name, serde_json::to_string(&record)?.as_bytes())
    }

    /// The target of the Hub cache, if it is a symlink that the user can accept.
    ///
    /// # Errors
    /// When there is no safe place for the record.
    pub fn target(&self) -> Result<Option<&Path>, Usage> {
        match (&self.now.leads_to, &self.file) {
            (Some(_), None) => self.check().map(|()| None),
            (target, _) => Ok(target.as_deref()),
        }
    }
}

/// The file with the record of the Hub cache at `path`.
fn record_file(path: &Path, host: &Host) -> Option<PathBuf> {
    let named = host.env.get(env::XDG_STATE_HOME).map(PathBuf::from);
    let state = named.filter(|folder| folder.is_absolute());
    let state = state.or_else(|| Some(host.home.as_ref()?.join(".local/state")))?;
    Some(state.join("aienergyscore/hub").join(format!("{}.json", short_id(path))))
}

fn read_record(file: &Path) -> Option<Record> {
    let bytes = Dir::open(file.parent()?).ok()?.read(file.file_name()?, MAX_BYTES).ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// Whether the folder `target` contains only entries of a Hub cache, or is empty and owned by `uid`.
fn is_hub_cache(target: &Path, uid: u32) -> bool {
    let Ok(dir) = Dir::open(target) else { return false };
    let Ok(list) = dir.list() else { return false };
    if list.is_empty() {
        return dir.look("").is_ok_and(|Stamp { uid: owner, .. }| owner == uid);
    }
    let has_store = has_store(&dir);
    list.iter().all(|(name, _)| is_client_path(Path::new(name), has_store))
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::fs::symlink,
        path::{Path, PathBuf},
    };

    use super::Trust;
    use host::{machine::Host, testing::host};

    use crate::boundary::WritableFolders;

    /// A home with a HuggingFace home.
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
            self.trust_at("home/hf/hub")
        }

        /// The trust in the Hub cache at this path.
        fn trust_at(&self, hub: &str) -> Trust {
            let writable = WritableFolders::of([&*self.at("home/hf")], &self.host());
            Trust::read(&self.at(hub), &writable, &self.host()).unwrap()
        }

        /// Checks and records the cache as a run does.
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
    fn record_is_not_kept_where_a_container_can_write() {
        let world = World::new();
        world.link(&world.make("disk"));
        let writable = WritableFolders::of([&*world.at("home")], &world.host());
        let read = || Trust::read(&world.at("home/hf/hub"), &writable, &world.host()).unwrap();
        read().remember().unwrap();
        assert!(!world.at("home/.local").exists());
        let refused = read().check().unwrap_err().to_string();
        assert!(refused.ends_with("name the folder itself in HF_HUB_CACHE"), "{refused}");
    }

    #[test]
    fn cache_outside_of_writable_folders_is_trusted() {
        let world = World::new();
        symlink(world.make("disk"), world.at("link")).unwrap();
        let writable = WritableFolders::of([&*world.at("home/hf")], &world.host());
        assert_eq!(Trust::read(&world.at("link"), &writable, &world.host()), None);
    }

    #[test]
    fn another_folder_at_the_same_path_is_not_a_first_run() {
        let world = World::new();
        world.make("home/hf/hub");
        assert_eq!(world.run(), Ok(()));
        // The first folder is kept so that the second gets another inode.
        fs::rename(world.at("home/hf"), world.at("home/old")).unwrap();
        world.make("home/hf");
        world.link(&world.make("empty"));
        assert!(world.run().unwrap_err().contains("it was a folder before"));
        // On the nodes of a cluster, accepting a symlink once is enough.
        world.trust().remember().unwrap();
        assert_eq!(world.run(), Ok(()));
        fs::rename(world.at("home/hf"), world.at("home/older")).unwrap();
        world.make("home/hf");
        world.link(&world.at("empty"));
        assert_eq!(world.run(), Ok(()));
        fs::rename(world.at("home/hf"), world.at("home/oldest")).unwrap();
        fs::rename(world.at("home/old"), world.at("home/hf")).unwrap();
        assert_eq!(world.run(), Ok(()));
        world.link(&world.at("empty"));
        assert!(world.run().unwrap_err().contains("it was a folder before"));
    }

    #[test]
    fn another_spelling_of_the_path_is_not_a_first_run() {
        let world = World::new();
        world.make("home/hf/a/hub");
        symlink("home/hf", world.at("own")).unwrap();
        let run = |hub: &str| {
            let trust = world.trust_at(hub);
            trust.check().map(|()| trust.remember().unwrap())
        };
        assert_eq!(run("home/hf/a/hub"), Ok(()));
        world.make("other/hub");
        fs::rename(world.at("home/hf/a"), world.at("home/hf/b")).unwrap();
        symlink("../../other", world.at("home/hf/a")).unwrap();
        for hub in ["home/hf/a/hub", "own/a/hub", "home/../own//a/hub/."] {
            let refused = run(hub).unwrap_err().to_string();
            assert!(refused.contains("it was a folder before"), "{hub}: {refused}");
        }
    }

    #[test]
    fn dangling_symlink_is_refused() {
        let world = World::new();
        world.link(Path::new("nowhere"));
        assert!(world.run().unwrap_err().contains("that is not a folder"));
        symlink("../../new", world.at("home/hf/a")).unwrap();
        assert!(world.trust_at("home/hf/a/b/hub").check().is_err());
    }
}
