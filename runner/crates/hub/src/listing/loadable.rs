//! Which backends can load a revision of the cache.

use std::path::Path;

use contract::Backend;

use crate::{
    layout::{Repo, RepoType, Snapshot},
    loading::{
        Files as _, Keywords, Loader, Remedy, SnapshotFiles, Verdict, dataset, native, transformers,
    },
};

/// The backends that can load a revision, as far as its files show.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Loadable {
    /// Backends that can or may load it.
    pub(super) backends: Vec<Backend>,
    /// Whether one of them certainly can.
    is_certain: bool,
    /// Whether an unreachable file leaves it unknown whether another backend can load it.
    is_unknown: bool,
}

impl Loadable {
    /// Whether any backend can load it, if that is known.
    pub(super) const fn complete(&self) -> Option<bool> {
        match (self.is_certain, self.backends.is_empty() && !self.is_unknown) {
            (true, _) => Some(true),
            (false, true) => Some(false),
            (false, false) => None,
        }
    }

    fn add(&mut self, backends: &[Backend], verdict: &Verdict) {
        match verdict {
            Ok(warnings) => {
                self.backends.extend(backends);
                self.is_certain |= warnings.is_empty();
            }
            Err(fault) => self.is_unknown |= fault.remedy == Remedy::Unreachable,
        }
    }
}

/// Applies the rules of every backend. `None` for a repo that is neither a model nor a dataset.
pub(super) fn loadable(repo: &Repo, snapshot: &Snapshot) -> Option<Loadable> {
    let files = |uses_hub_client| {
        let loader = Loader { contained: true, uses_hub_client };
        SnapshotFiles::new(repo, snapshot, Path::new(""), loader)
    };
    let mut loadable = Loadable::default();
    match repo.name.kind {
        RepoType::Model => {
            let by_client = files(true);
            let check =
                |trust| transformers::check(&by_client, &Keywords { trust, ..Keywords::default() });
            let untrusted = check(false);
            let verdict = match untrusted {
                Ok(ref warnings) if warnings.is_empty() => untrusted,
                untrusted => check(true).or(untrusted),
            };
            loadable.add(&[Backend::Optimum, Backend::Pytorch], &verdict);
            let by_name = files(false);
            let any_file = |fault| {
                let mut names = by_name.names().into_iter();
                names.find_map(|file| native::check(&by_name, Some(&file)).ok()).ok_or(fault)
            };
            loadable.add(&[Backend::Native], &native::check(&by_name, None).or_else(any_file));
        }
        RepoType::Dataset => {
            for backend in Backend::ALL {
                loadable.add(&[backend], &dataset::check_folder(&files(false), backend, true));
            }
        }
        RepoType::Space | RepoType::Kernel => return None,
    }
    Some(loadable)
}
