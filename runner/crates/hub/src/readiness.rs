//! Whether a model or dataset can be loaded from a cache without a network.

use std::path::{Path, PathBuf};

use contract::Backend;
use untrusted::escape;

use crate::{
    cache::Cache,
    layout::{BLOBS, Repo, RepoName, RepoType, SNAPSHOTS, Snapshot},
    loading::{
        Fault, Keywords, Loader, Remedy, SnapshotFiles, Verdict, dataset, native, transformers,
    },
    location::outside_mount,
};

/// The default branch.
const MAIN: &str = "main";

/// Whether a load can work, as far as is known before it starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// No required file is missing or known to be corrupt. Contains warnings.
    Ready(Vec<String>),
    /// The load must fail, for this reason.
    NotReady(String),
}

impl Readiness {
    /// Makes a verdict printable. `hint` says how to apply a remedy.
    pub fn of(verdict: Verdict, hint: impl FnOnce(Remedy) -> Option<String>) -> Self {
        match verdict {
            // File names in a cache are untrusted.
            Ok(warnings) => Self::Ready(warnings.iter().map(|warning| escape(warning)).collect()),
            Err(Fault { message, remedy }) => {
                let rest = hint(remedy).map_or(String::new(), |hint| format!("; {hint}"));
                Self::NotReady(escape(&format!("{message}{rest}")))
            }
        }
    }
}

/// A model of the Hub, as the benchmark's arguments name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModelRequest<'a> {
    /// `ORG/NAME`.
    pub id: &'a str,
    /// A single file to load.
    pub file: Option<&'a str>,
    /// The backend that loads it.
    pub backend: Backend,
    /// Arguments of `from_pretrained`.
    pub keywords: &'a Keywords,
    /// Whether a container loads it.
    pub contained: bool,
}

/// Checks a model in the cache at `hub`.
pub fn model(hub: &Path, request: ModelRequest<'_>) -> Readiness {
    let ModelRequest { id, file, backend, keywords, contained } = request;
    let name = RepoName { kind: RepoType::Model, id: id.to_owned() };
    let is_native = backend == Backend::Native;
    let revision = keywords.revision.as_deref().filter(|_| !is_native).unwrap_or(MAIN);
    let loader = Loader { contained, uses_hub_client: !is_native };
    let verdict = find(hub, &name, revision, loader).and_then(|(repo, snapshot)| {
        let files = SnapshotFiles::new(&repo, &snapshot, Path::new(""), loader);
        let verdict = match is_native {
            true => native::check(&files, file),
            false => transformers::check(&files, keywords),
        };
        verdict.map_err(|fault| in_snapshot(fault, &snapshot))
    });
    Readiness::of(verdict, |remedy| hint(&name, revision, remedy))
}

/// Checks a dataset in the cache at `hub`, or its processed copy in `processed`, the cache folder of
/// `datasets`.
pub fn dataset(
    hub: &Path,
    processed: &Path,
    id: &str,
    backend: Backend,
    contained: bool,
) -> Readiness {
    let is_native = backend == Backend::Native;
    let name = RepoName { kind: RepoType::Dataset, id: id.to_owned() };
    let loader = Loader { contained, uses_hub_client: false };
    let by_ref = Loader { uses_hub_client: !is_native, ..loader };
    let verdict = find(hub, &name, MAIN, by_ref).and_then(|(repo, snapshot)| {
        let files = SnapshotFiles::new(&repo, &snapshot, Path::new(""), loader);
        let verdict = dataset::check_folder(&files, backend, true);
        verdict.map_err(|fault| in_snapshot(fault, &snapshot))
    });
    let is_processed = || !is_native && processed.join(id.replace('/', "___")).is_dir();
    match verdict {
        Err(Fault { remedy: Remedy::Download, .. }) if is_processed() => Readiness::Ready(vec![]),
        verdict => Readiness::of(verdict, |remedy| hint(&name, MAIN, remedy)),
    }
}

/// Checks a folder that the user named by its path inside a cache: `below` in the repo at `repo`.
pub fn snapshot_folder(
    repo: &Path,
    below: &str,
    contained: bool,
    check: impl FnOnce(&SnapshotFiles<'_>) -> Verdict,
) -> Verdict {
    let name = repo.file_name().and_then(|name| name.to_str()).and_then(RepoName::of_folder);
    let mut parts = below.splitn(3, '/').skip(1);
    let (commit, rest) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let loader = Loader { contained, uses_hub_client: false };
    let hub = repo.parent().unwrap_or(repo);
    // The folder may only look like one of a cache.
    let Some(name) = name else { return Ok(vec![]) };
    let (repo, snapshot) = find(hub, &name, commit, loader)?;
    check(&SnapshotFiles::new(&repo, &snapshot, Path::new(rest), loader))
}

/// Finds the repo and the snapshot of `revision`.
fn find(
    hub: &Path,
    name: &RepoName,
    revision: &str,
    loader: Loader,
) -> Result<(Repo, Snapshot), Fault> {
    let cache = Cache::open(hub).map_err(|error| Fault::explained(format!("{error:#}")))?;
    let repo = match cache.read(name) {
        Some(Ok(repo)) => repo,
        None => return Err(no_repo(&cache, name)),
        Some(Err(error)) => {
            return Err(Fault::explained(format!(
                "its folder in the cache cannot be read: {error}"
            )));
        }
    };
    if loader.contained {
        let folders = [repo.path.clone(), repo.path.join(BLOBS), repo.path.join(SNAPSHOTS)];
        let is_outside = |folder: &&PathBuf| outside_mount(&cache.path, folder).is_some();
        if let Some(folder) = folders.iter().find(is_outside) {
            return Err(Fault::explained(format!(
                "`{}` is a symlink to a place outside of the cache, which the container cannot see",
                folder.display()
            )));
        }
    }
    let Some(snapshot) = snapshot(&repo, revision, loader) else {
        return Err(no_snapshot(&repo, revision));
    };
    if let Some(error) = snapshot.errors.first() {
        let path = error.path.display();
        return Err(Fault::explained(format!("`{path}` cannot be read: {}", error.error)));
    }
    Ok((repo, snapshot))
}

/// The fault of a repo that is not in the cache, or is there in another case.
fn no_repo(cache: &Cache, name: &RepoName) -> Fault {
    let is_it =
        |other: &&RepoName| other.kind == name.kind && other.id.eq_ignore_ascii_case(&name.id);
    match cache.repos.iter().find(is_it) {
        Some(RepoName { id, .. }) => Fault::explained(format!(
            "the cache has it as `{id}`, and a cache tells capital letters from small ones; use that \
             spelling"
        )),
        None => {
            Fault::missing(format!("the Hub cache `{}` has nothing of it", cache.path.display()))
        }
    }
}

/// Finds the snapshot of a revision: a commit by its name, a branch or tag by its ref.
fn snapshot(repo: &Repo, revision: &str, loader: Loader) -> Option<Snapshot> {
    let by_ref = repo.refs.iter().find(|reference| reference.name == revision);
    let text = by_ref.and_then(|reference| reference.text.as_deref().ok());
    // The `native` backend trims white space around the commit, the Hub client does not.
    let text = text.map(|text| if loader.uses_hub_client { text } else { text.trim() });
    let commit = text.unwrap_or(revision);
    let folder = repo.commits.iter().find(|(name, _)| name == commit)?;
    repo.snapshot(&folder.0)
}

/// The fault of a revision without a snapshot.
fn no_snapshot(repo: &Repo, revision: &str) -> Fault {
    let names: Vec<_> = repo.refs.iter().map(|reference| format!("`{}`", reference.name)).collect();
    let Some(reference) = repo.refs.iter().find(|reference| reference.name == revision) else {
        let has =
            if names.is_empty() { String::new() } else { format!(", only {}", names.join(", ")) };
        return Fault::missing(format!("the cache has no revision `{revision}` of it{has}"));
    };
    let text = reference.text.as_deref().unwrap_or_default();
    let path = reference.path.display();
    if repo.commits.iter().any(|(name, _)| name == text.trim()) {
        return Fault::explained(format!(
            "`{path}` holds white space beside the commit, which the Hub client does not remove; \
             `aienergyscore cache repair --yes` does"
        ));
    }
    Fault::missing(format!(
        "`{path}` names the commit `{text}`, of which the cache has no snapshot"
    ))
}

fn in_snapshot(fault: Fault, snapshot: &Snapshot) -> Fault {
    let message = format!("in its snapshot `{}`: {}", snapshot.place.display(), fault.message);
    Fault { message, ..fault }
}

/// How to apply a remedy to a cached repo.
fn hint(name: &RepoName, revision: &str, remedy: Remedy) -> Option<String> {
    let RepoName { kind: repo, id } = name;
    let of_kind = if *repo == RepoType::Dataset { "--repo-type dataset " } else { "" };
    let of_revision =
        if revision == MAIN { String::new() } else { format!(" --revision {revision}") };
    let download = format!("`hf download {of_kind}{id}{of_revision}`");
    match remedy {
        Remedy::Download => Some(format!("{download} fetches it")),
        Remedy::Replace => Some(format!(
            "`aienergyscore cache repair --yes` moves damaged files away, and {download} then fetches \
             them again"
        )),
        Remedy::InMessage | Remedy::Unreachable => None,
    }
}

#[cfg(test)]
mod tests;
