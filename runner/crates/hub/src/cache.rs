//! A cache: its repos, its store, and all other files in it.

use std::{
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, bail};

use crate::{
    layout::{
        Dir, Kind, LOCKS, LinkTarget, Repo, RepoName, STORE, Store, is_client_path, is_of_system,
        read_unless_removed,
    },
    parallel,
};

/// The top level of a cache.
#[derive(Debug)]
pub struct Cache {
    /// Its canonical path.
    pub path: PathBuf,
    /// Its open folder.
    pub dir: Arc<Dir>,
    /// The folders that are named after a repo.
    pub repos: Vec<RepoName>,
    /// The store, if there is one.
    pub store: Option<Store>,
    /// Entries that no client uses.
    pub others: Vec<(OsString, Kind)>,
}

/// Other entries of the clients.
const CLIENT_ENTRIES: [&str; 2] = [LOCKS, "CACHEDIR.TAG"];

impl Cache {
    /// Reads the top level of the cache at `path`.
    ///
    /// # Errors
    /// When the folder is not found or cannot be read.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let opened = path.canonicalize().and_then(|path| Ok((Dir::open(&path)?, path)));
        let (dir, path) = match opened {
            Ok(opened) => opened,
            Err(error) => bail!("the Hub cache `{}` {}", path.display(), open_error(&error)),
        };
        let list = dir.list().with_context(|| format!("listing `{}`", path.display()))?;
        let store = Store::read(&dir);
        let mut repos = Vec::new();
        let mut others = Vec::new();
        for (name, kind) in list {
            let is_store = store.is_some() && name == STORE;
            if is_of_system(&name) || CLIENT_ENTRIES.iter().any(|known| name == *known) || is_store
            {
                continue;
            }
            let is_folder = match kind {
                Kind::Folder => true,
                // A symlink with an unknown target is reported when it is opened.
                Kind::Link => LinkTarget::of(&dir, &name).may_be_folder(),
                Kind::File | Kind::Fifo | Kind::Device | Kind::Other => false,
            };
            match name.to_str().and_then(RepoName::of_folder).filter(|_| is_folder) {
                Some(repo) => repos.push(repo),
                None => others.push((name, kind)),
            }
        }
        Ok(Self { path, dir: Arc::new(dir), repos, store, others })
    }

    /// Whether the folder contains only entries of clients, so that it certainly is a cache.
    pub fn has_only_client_paths(&self) -> bool {
        self.others.iter().all(|(name, _)| is_client_path(Path::new(name), self.store.is_some()))
    }

    /// Applies `work` to each of `repos` on all processors. Results come in the order of `repos`, without
    /// repos that were removed meanwhile.
    pub fn map_repos<T: Send>(
        &self,
        repos: &[RepoName],
        work: impl Fn(&RepoName, io::Result<Repo>) -> T + Sync,
    ) -> Vec<T> {
        let work = &work;
        let worker = || |name| self.read(name).map(|repo| work(name, repo));
        parallel::map(repos, parallel::processors(), worker).into_iter().flatten().collect()
    }

    /// Reads a repo. `None` when it was removed.
    pub(crate) fn read(&self, name: &RepoName) -> Option<io::Result<Repo>> {
        let folder = name.folder();
        let path = self.path.join(&folder);
        read_unless_removed(&self.dir, &folder, || Repo::read_in(&self.dir, &path, name.clone()))
    }
}

/// Why a cache cannot be opened, and a hint.
fn open_error(error: &io::Error) -> String {
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
