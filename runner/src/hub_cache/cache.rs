//! A whole cache: its repos, its store, and whatever else lies in it.

use std::{
    ffi::{OsStr, OsString},
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use anyhow::{Context as _, bail};

use super::{
    belongs::{LOCKS, belongs},
    census::{RepoCensus, count},
    dir::{Dir, Kind, within},
    names::{RepoName, is_of_system},
    reached::Reached,
    repo::Repo,
    store::{STORE, Store},
};

/// What lies directly in a cache.
#[derive(Debug)]
pub(crate) struct Cache {
    /// Its absolute path, links followed.
    pub(crate) path: PathBuf,
    /// Its folder.
    pub(crate) dir: Arc<Dir>,
    /// Folders that are named after a repo.
    pub(crate) repos: Vec<RepoName>,
    /// The store, if there is one.
    pub(crate) store: Option<Store>,
    /// What belongs to no client, or to one that is gone.
    pub(crate) others: Vec<(OsString, Kind)>,
}

/// Names that clients give to what is no repo.
const OWN: [&str; 2] = [LOCKS, "CACHEDIR.TAG"];

impl Cache {
    /// Reads the top of the cache at `path`.
    ///
    /// # Errors
    /// When there is no folder, or it is closed.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        let opened = path.canonicalize().and_then(|path| Ok((Dir::open(&path)?, path)));
        let (dir, path) = match opened {
            Ok(opened) => opened,
            Err(error) => bail!("the Hub cache `{}` {}", path.display(), unopened(&error)),
        };
        let list = dir.list().with_context(|| format!("listing `{}`", path.display()))?;
        let store = Store::read(&dir);
        let mut repos = Vec::new();
        let mut others = Vec::new();
        for (name, kind) in list {
            let is_store = store.is_some() && name == STORE;
            if is_of_system(&name) || OWN.iter().any(|own| name == *own) || is_store {
                continue;
            }
            let is_folder = match kind {
                Kind::Folder => true,
                // What is out of sight is for whoever enters it to say.
                Kind::Link => match Reached::of(dir.look_through(&name)) {
                    Reached::There(stamp) => stamp.kind == Kind::Folder,
                    Reached::Nothing => false,
                    Reached::OutOfSight(_) => true,
                },
                Kind::File | Kind::Fifo | Kind::Device | Kind::Other => false,
            };
            match name.to_str().and_then(RepoName::of_folder).filter(|_| is_folder) {
                Some(repo) => repos.push(repo),
                None => others.push((name, kind)),
            }
        }
        Ok(Self { path, dir: Arc::new(dir), repos, store, others })
    }

    /// Whether nothing lies in it that no client makes: then the folder itself is one, too.
    pub(crate) fn is_all_clients(&self) -> bool {
        self.others.iter().all(|(name, _)| belongs(Path::new(name), self.store.is_some()))
    }

    /// Does `work` for each repo of `repos` on all processors; the results in the repos' order. A
    /// repo that has gone meanwhile is passed over.
    pub(crate) fn each<T: Send>(
        &self,
        repos: &[RepoName],
        work: impl Fn(&RepoName, io::Result<Repo>) -> T + Sync,
    ) -> Vec<T> {
        let next = AtomicUsize::new(0);
        let done = Mutex::new(Vec::with_capacity(repos.len()));
        let workers = thread::available_parallelism().map_or(1, usize::from).min(repos.len());
        let take_some = || {
            while let Some((at, name)) = {
                let at = next.fetch_add(1, Ordering::Relaxed);
                repos.get(at).map(|name| (at, name))
            } {
                let Some(repo) = self.read(name) else { continue };
                let result = work(name, repo);
                done.lock().unwrap_or_else(PoisonError::into_inner).push((at, result));
            }
        };
        thread::scope(|scope| {
            for _ in 1..workers {
                // Where no more threads are allowed, those that there are do it.
                if thread::Builder::new().spawn_scoped(scope, take_some).is_err() {
                    break;
                }
            }
            take_some();
        });
        let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
        done.sort_unstable_by_key(|(at, _)| *at);
        done.into_iter().map(|(_, result)| result).collect()
    }

    /// Reads a repo; none when it has gone.
    pub(crate) fn read(&self, name: &RepoName) -> Option<io::Result<Repo>> {
        let folder = name.folder();
        let path = self.path.join(&folder);
        within(&self.dir, &folder, || Repo::read_in(&self.dir, &path, name.clone()))
    }
}

/// A cache in numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct CacheCensus {
    /// Its folder.
    pub path: PathBuf,
    /// Bytes of all files, each once.
    pub size_bytes: u64,
    /// Its repos.
    pub repos: Vec<RepoCensus>,
    /// What could not be counted, in words.
    pub faults: Vec<String>,
}

impl CacheCensus {
    /// Counts the cache at `path`.
    ///
    /// # Errors
    /// When there is no folder, or it is closed.
    pub fn take(path: &Path) -> anyhow::Result<Self> {
        let cache = Cache::open(path)?;
        let counted = cache.each(&cache.repos, |name, repo| match repo {
            Ok(repo) => count(&repo),
            Err(error) => out_of_sight(&cache, name, &error),
        });
        let stored = cache.store.as_ref();
        let in_repos: u64 = counted
            .iter()
            .map(|repo| repo.size_bytes - stored.map_or(0, |_| repo.shared_bytes))
            .sum();
        let others = cache
            .others
            .iter()
            .map(|(name, _)| format!("`{}` is no repo of the Hub's", OsStr::to_string_lossy(name)));
        let troubles = stored.into_iter().flat_map(|store| &store.troubles).map(|(path, error)| {
            let path: PathBuf = Path::new(STORE).join(path).components().collect();
            format!("`{}` is out of sight: {error}", path.display())
        });
        Ok(Self {
            size_bytes: in_repos + stored.map_or(0, Store::bytes),
            repos: counted,
            faults: others.chain(troubles).collect(),
            path: cache.path,
        })
    }
}

/// A repo whose folder is closed: it is there, and nobody knows what it holds.
fn out_of_sight(cache: &Cache, name: &RepoName, error: &io::Error) -> RepoCensus {
    RepoCensus {
        path: cache.path.join(name.folder()),
        name: name.clone(),
        size_bytes: 0,
        files: 0,
        last_accessed: 0.0,
        last_modified: 0.0,
        revisions: vec![],
        unfinished: (0, 0),
        faults: vec![format!("the repo is out of sight: {error}")],
        shared_bytes: 0,
    }
}

/// Why a cache could not be opened, and what to do.
fn unopened(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => {
            "does not exist; download a model with `hf download`, or name the cache in \
             HF_HUB_CACHE or HF_HOME"
                .to_owned()
        }
        io::ErrorKind::NotADirectory => {
            "is no folder; name the cache in HF_HUB_CACHE or HF_HOME".to_owned()
        }
        _ => format!("cannot be opened: {error}"),
    }
}
