//! Whether a model or dataset can be loaded from a cache alone, told before anything starts.

pub mod cached;

use std::path::Path;

use contract::Backend;
use untrusted::escape;

use super::{cache::Cache, location::out_of_sight};
use crate::loading::{Fault, Keywords, Remedy, Verdict, dataset, native, transformers};
use crate::{
    layout::{
        names::{RepoName, RepoType},
        repo::{BLOBS, Repo, SNAPSHOTS},
        snapshot::Snapshot,
    },
    readiness::cached::{Cached, Loader},
};

/// The branch that is loaded when nobody names another.
const MAIN: &str = "main";

/// What is known before a load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// All that is needed is there, as far as its files tell, with these warnings.
    Ready(Vec<String>),
    /// A load must fail.
    Lacking(String),
}

impl Readiness {
    /// What a loader's rules say, with what helps where they say no.
    pub fn of(verdict: Verdict, remedy: impl FnOnce(Remedy) -> Option<String>) -> Self {
        match verdict {
            // Whoever fills a cache names its files.
            Ok(warnings) => Self::Ready(warnings.iter().map(|warning| escape(warning)).collect()),
            Err(Fault { what, remedy: kind }) => {
                let rest = remedy(kind).map_or(String::new(), |remedy| format!("; {remedy}"));
                Self::Lacking(escape(&format!("{what}{rest}")))
            }
        }
    }
}

/// A model of the Hub, as the arguments name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted<'a> {
    /// `ORG/NAME`.
    pub id: &'a str,
    /// One file alone, which is the model.
    pub file: Option<&'a str>,
    /// What loads it.
    pub backend: Backend,
    /// Keywords of its loader.
    pub keywords: &'a Keywords,
    /// Whether it is loaded in a container.
    pub contained: bool,
}

/// Looks for a model in the cache at `hub`.
pub fn model(hub: &Path, wanted: Wanted<'_>) -> Readiness {
    let Wanted { id, file, backend, keywords, contained } = wanted;
    let name = RepoName { kind: RepoType::Model, id: id.to_owned() };
    let is_native = backend == Backend::Native;
    let revision = keywords.revision.as_deref().filter(|_| !is_native).unwrap_or(MAIN);
    let loader = Loader { contained, by_client: !is_native };
    let verdict = found(hub, &name, revision, loader).and_then(|(repo, snapshot)| {
        let files = Cached::new(&repo, &snapshot, Path::new(""), loader);
        let verdict = if is_native { native(&files, file) } else { transformers(&files, keywords) };
        verdict.map_err(|fault| in_snapshot(fault, &snapshot))
    });
    Readiness::of(verdict, |kind| remedy(&name, revision, kind))
}

/// Looks for a dataset in the cache at `hub`, or for what `datasets` made of it in `made`.
pub fn dataset(hub: &Path, made: &Path, id: &str, backend: Backend, contained: bool) -> Readiness {
    let name = RepoName { kind: RepoType::Dataset, id: id.to_owned() };
    let loader = Loader { contained, by_client: false };
    let verdict =
        found(hub, &name, MAIN, Loader { by_client: backend != Backend::Native, ..loader })
            .and_then(|(repo, snapshot)| {
                let files = Cached::new(&repo, &snapshot, Path::new(""), loader);
                let verdict = dataset::folder(&files, backend, true);
                verdict.map_err(|fault| in_snapshot(fault, &snapshot))
            });
    let is_made = || backend != Backend::Native && made.join(id.replace('/', "___")).is_dir();
    match verdict {
        Err(Fault { remedy: Remedy::Download, .. }) if is_made() => Readiness::Ready(vec![]),
        verdict => Readiness::of(verdict, |kind| remedy(&name, MAIN, kind)),
    }
}

/// Judges a folder in the repo at `path`, by the way `below` from there.
pub fn named_by_path(
    path: &Path,
    below: &str,
    contained: bool,
    check: impl FnOnce(&Cached<'_>) -> Verdict,
) -> Verdict {
    let name = path.file_name().and_then(|name| name.to_str()).and_then(RepoName::of_folder);
    let mut parts = below.splitn(3, '/').skip(1);
    let (commit, rest) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let loader = Loader { contained, by_client: false };
    let hub = path.parent().unwrap_or(path);
    // A folder that is named by its path need not be one of a cache.
    let Some(name) = name else { return Ok(vec![]) };
    let (repo, snapshot) = found(hub, &name, commit, loader)?;
    check(&Cached::new(&repo, &snapshot, Path::new(rest), loader))
}

fn absent(what: String) -> Fault {
    Fault { what, remedy: Remedy::Download }
}

fn said(what: String) -> Fault {
    Fault { what, remedy: Remedy::Said }
}

/// The repo and the snapshot that `revision` means.
fn found(
    hub: &Path,
    name: &RepoName,
    revision: &str,
    loader: Loader,
) -> Result<(Repo, Snapshot), Fault> {
    let cache = Cache::open(hub).map_err(|error| said(format!("{error:#}")))?;
    let repo = match cache.read(name) {
        Some(Ok(repo)) => repo,
        None => return Err(elsewhere(&cache, name)),
        Some(Err(error)) => {
            return Err(said(format!("its folder in the cache cannot be read: {error}")));
        }
    };
    if loader.contained {
        let places = [repo.path.clone(), repo.path.join(BLOBS), repo.path.join(SNAPSHOTS)];
        if let Some(place) = places.iter().find(|place| out_of_sight(&cache.path, place).is_some())
        {
            return Err(said(format!(
                "`{}` is a symlink to a place outside of the cache, which the container cannot see",
                place.display()
            )));
        }
    }
    let Some(snapshot) = snapshot(&repo, revision, loader) else {
        return Err(no_snapshot(&repo, revision));
    };
    if let Some(trouble) = snapshot.troubles.first() {
        let place = trouble.path.display();
        return Err(said(format!("`{place}` cannot be read: {}", trouble.error)));
    }
    Ok((repo, snapshot))
}

/// That the cache has no such repo, or has it in other letters.
fn elsewhere(cache: &Cache, name: &RepoName) -> Fault {
    let is_it =
        |other: &&RepoName| other.kind == name.kind && other.id.eq_ignore_ascii_case(&name.id);
    match cache.repos.iter().find(is_it) {
        Some(RepoName { id, .. }) => said(format!(
            "the cache has it as `{id}`, and a cache tells capital letters from small ones; use that \
             spelling"
        )),
        None => absent(format!("the Hub cache `{}` has nothing of it", cache.path.display())),
    }
}

/// The snapshot that a revision means: a commit by itself, everything else by its ref.
fn snapshot(repo: &Repo, revision: &str, loader: Loader) -> Option<Snapshot> {
    let by_ref = repo.refs.iter().find(|reference| reference.name == revision);
    let text = by_ref.and_then(|reference| reference.text.as_deref().ok());
    // The Hub client takes a ref's text as it is, the `native` backend without blanks around.
    let text = text.map(|text| if loader.by_client { text } else { text.trim() });
    let commit = text.unwrap_or(revision);
    let folder = repo.commits.iter().find(|(name, _)| name == commit)?;
    repo.snapshot(&folder.0)
}

/// That no snapshot is what `revision` means.
fn no_snapshot(repo: &Repo, revision: &str) -> Fault {
    let names: Vec<_> = repo.refs.iter().map(|reference| format!("`{}`", reference.name)).collect();
    let Some(reference) = repo.refs.iter().find(|reference| reference.name == revision) else {
        let has =
            if names.is_empty() { String::new() } else { format!(", only {}", names.join(", ")) };
        return absent(format!("the cache has no revision `{revision}` of it{has}"));
    };
    let text = reference.text.as_deref().unwrap_or_default();
    let place = reference.path.display();
    if repo.commits.iter().any(|(name, _)| name == text.trim()) {
        return said(format!(
            "`{place}` holds white space beside the commit, which the Hub client does not remove; \
             `aienergyscore cache repair --yes` does"
        ));
    }
    absent(format!("`{place}` names the commit `{text}`, of which the cache has no snapshot"))
}

fn in_snapshot(fault: Fault, snapshot: &Snapshot) -> Fault {
    Fault {
        what: format!("in its snapshot `{}`: {}", snapshot.place.display(), fault.what),
        ..fault
    }
}

/// What helps against a fault of a cached repo.
fn remedy(name: &RepoName, revision: &str, kind: Remedy) -> Option<String> {
    let RepoName { kind: repo, id } = name;
    let of_kind = if *repo == RepoType::Dataset { "--repo-type dataset " } else { "" };
    let of_revision =
        if revision == MAIN { String::new() } else { format!(" --revision {revision}") };
    let download = format!("`hf download {of_kind}{id}{of_revision}`");
    match kind {
        Remedy::Download => Some(format!("{download} fetches it")),
        Remedy::Replace => Some(format!(
            "`aienergyscore cache repair --yes` moves damaged files away, and {download} then fetches \
             them again"
        )),
        Remedy::Said | Remedy::OutOfSight => None,
    }
}

#[cfg(test)]
mod tests;
