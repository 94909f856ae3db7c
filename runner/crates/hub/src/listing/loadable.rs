//! Which backends can load a revision of the cache.

use std::path::Path;

use contract::Backend;

use crate::loading::{Files as _, Keywords, Remedy, Verdict, dataset, native, transformers};
use crate::{
    layout::{names::RepoType, repo::Repo, snapshot::Snapshot},
    readiness::cached::{Cached, Loader},
};

/// What loads a revision, as far as its files tell.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Loadable {
    /// Those that do, or may.
    pub backends: Vec<Backend>,
    /// Whether one of them does for sure.
    pub(crate) surely: bool,
    /// Whether another might, if what is out of sight were seen.
    out_of_sight: bool,
}

impl Loadable {
    /// Whether anything loads it, if that is known.
    pub(super) const fn known(&self) -> Option<bool> {
        match (self.surely, self.backends.is_empty() && !self.out_of_sight) {
            (true, _) => Some(true),
            (false, true) => Some(false),
            (false, false) => None,
        }
    }

    fn add(&mut self, backends: &[Backend], verdict: &Verdict) {
        match verdict {
            Ok(warnings) => {
                self.backends.extend(backends);
                self.surely |= warnings.is_empty();
            }
            Err(fault) => self.out_of_sight |= fault.remedy == Remedy::OutOfSight,
        }
    }
}

/// Asks the rules of every backend; none for a repo that is neither a model nor a dataset.
pub(super) fn loadable(repo: &Repo, snapshot: &Snapshot) -> Option<Loadable> {
    let files = |by_client| {
        let loader = Loader { contained: true, by_client };
        Cached::new(repo, snapshot, Path::new(""), loader)
    };
    let mut loadable = Loadable::default();
    match repo.name.kind {
        RepoType::Model => {
            let by_client = files(true);
            let check =
                |trust| transformers(&by_client, &Keywords { trust, ..Keywords::default() });
            let plain = check(false);
            let verdict = if plain == Ok(vec![]) { plain } else { check(true).or(plain) };
            loadable.add(&[Backend::Optimum, Backend::Pytorch], &verdict);
            let by_names = files(false);
            let one = native(&by_names, None);
            let any = || {
                by_names.names().into_iter().find_map(|file| native(&by_names, Some(&file)).ok())
            };
            loadable.add(&[Backend::Native], &one.or_else(|fault| any().ok_or(fault)));
        }
        RepoType::Dataset => {
            for backend in Backend::ALL {
                loadable.add(&[backend], &dataset::folder(&files(false), backend, true));
            }
        }
        RepoType::Space | RepoType::Kernel => return None,
    }
    Some(loadable)
}
