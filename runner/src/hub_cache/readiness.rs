//! Whether a model can be loaded from a cache alone, told before anything starts.

use std::{collections::HashSet, path::Path};

use contract::Backend;

use super::{
    cache::Cache,
    census::completeness,
    completeness::{Completeness, Witness},
    names::{RepoName, RepoType},
    reached::Seen,
    repo::{Repo, SNAPSHOTS},
    snapshot::{Content, Snapshot},
};
use untrusted::escape;

/// The branch that is loaded when nobody names another.
const MAIN: &str = "main";

/// How many names a message lists.
const SHOWN: usize = 5;

/// What a cache has of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Readiness {
    /// All that is needed, as far as its files tell.
    Ready,
    /// It may do: files of the commit are missing that a load need not want.
    Partial(String),
    /// A load must fail.
    Lacking(String),
}

/// A model of the Hub, as the arguments name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wanted<'a> {
    /// `ORG/NAME`.
    pub(crate) id: &'a str,
    /// Branch, tag or commit; `main` if there is none.
    pub(crate) revision: Option<&'a str>,
    /// One file alone, which is the model.
    pub(crate) file: Option<&'a str>,
    /// What loads it.
    pub(crate) backend: Backend,
}

/// Looks for a model in the cache at `hub`.
pub(crate) fn look(hub: &Path, wanted: Wanted<'_>) -> Readiness {
    match look_at(hub, wanted) {
        Readiness::Ready => Readiness::Ready,
        // Whoever fills the cache names branches and files.
        Readiness::Partial(why) => Readiness::Partial(escape(&why)),
        Readiness::Lacking(why) => Readiness::Lacking(escape(&why)),
    }
}

fn look_at(hub: &Path, wanted: Wanted<'_>) -> Readiness {
    let name = RepoName { kind: RepoType::Model, id: wanted.id.to_owned() };
    let remedy = format!("`hf download {}` fetches it", wanted.id);
    let cache = match Cache::open(hub) {
        Ok(cache) => cache,
        Err(error) => return Readiness::Lacking(format!("{error:#}")),
    };
    let repo = match cache.read(&name) {
        Some(Ok(repo)) => repo,
        None => {
            let why = format!("the Hub cache `{}` has nothing of it; {remedy}", hub.display());
            return Readiness::Lacking(why);
        }
        Some(Err(error)) => {
            return Readiness::Lacking(format!("its folder in the cache is closed: {error}"));
        }
    };
    let revision = wanted.revision.unwrap_or(MAIN);
    match snapshot(&repo, revision) {
        Some(snapshot) => judge(&repo, &snapshot, wanted, &remedy),
        None => {
            let has = known(&repo);
            Readiness::Lacking(format!(
                "the cache has no revision `{revision}` of it{has}; {remedy}"
            ))
        }
    }
}

/// The snapshot that a revision means: a commit by itself, everything else by its ref.
fn snapshot(repo: &Repo, revision: &str) -> Option<Snapshot> {
    let by_ref = repo.refs.iter().find(|reference| reference.name == revision);
    // The Hub client takes a ref's text as it is.
    let commit = by_ref.and_then(|reference| reference.text.as_deref().ok()).unwrap_or(revision);
    let folder = repo.commits.iter().find(|(name, _)| name == commit)?;
    repo.snapshot(&folder.0)
}

fn known(repo: &Repo) -> String {
    let names: Vec<_> = repo.refs.iter().map(|reference| format!("`{}`", reference.name)).collect();
    if names.is_empty() { String::new() } else { format!(", only {}", names.join(", ")) }
}

fn judge(repo: &Repo, snapshot: &Snapshot, wanted: Wanted<'_>, remedy: &str) -> Readiness {
    let mut present: HashSet<&Path> = HashSet::new();
    let mut dangling = Vec::new();
    for file in &snapshot.files {
        let there = match &file.content {
            Content::Blob { name, .. } => match repo.seen(name) {
                Seen::OutOfSight => {
                    let why = format!(
                        "`{SNAPSHOTS}/{}/{}` leads out of sight: a folder on the way is closed",
                        snapshot.commit,
                        file.path.display()
                    );
                    return Readiness::Lacking(why);
                }
                seen => seen.is_there(),
            },
            Content::Copy(_) => true,
            Content::Astray { reached, .. } => reached.stamp().is_some(),
            Content::Odd => false,
        };
        if there {
            present.insert(&file.path);
        } else {
            dangling.push(file.path.as_path());
        }
    }
    let place = &snapshot.place;
    if let Some(trouble) = snapshot.troubles.first() {
        let why = format!("`{}` is out of sight: {}", trouble.path.display(), trouble.error);
        return Readiness::Lacking(why);
    }
    let lacks = |what: &str| {
        Readiness::Lacking(format!("its snapshot `{}` has {what}; {remedy}", place.display()))
    };
    if let Some(missing) = needed(&present, wanted) {
        return lacks(&missing);
    }
    let tree = repo.tree(&snapshot.commit).and_then(Result::ok);
    match completeness(repo, snapshot, &present, &dangling, tree.as_ref()) {
        Completeness::Complete(_) | Completeness::Unknown => Readiness::Ready,
        Completeness::Partial(Witness::Index | Witness::Link, missing) => {
            lacks(&format!("no {}", shown(&missing)))
        }
        Completeness::Partial(Witness::Tree, missing) => {
            // Weights of the kind that is loaded are missing, or only files beside them.
            let weights: Vec<_> = missing
                .iter()
                .filter(|path| is_loaded(Path::new(path), &present, wanted))
                .cloned()
                .collect();
            if !weights.is_empty() {
                return lacks(&format!("no {}", shown(&weights)));
            }
            Readiness::Partial(format!("the cache lacks files of its commit: {}", shown(&missing)))
        }
    }
}

/// What no load can do without, if it is missing.
fn needed(present: &HashSet<&Path>, wanted: Wanted<'_>) -> Option<String> {
    let ends = |ending: &str| {
        present.iter().any(|path| path.as_os_str().as_encoded_bytes().ends_with(ending.as_bytes()))
    };
    if wanted.backend == Backend::Native {
        return match wanted.file {
            Some(file) if !present.contains(Path::new(file)) => Some(format!("no `{file}`")),
            None if !ends(".gguf") => Some("no GGUF file".to_owned()),
            _ => None,
        };
    }
    if !present.contains(Path::new("config.json")) {
        return Some("no `config.json`".to_owned());
    }
    (!ends(".safetensors") && !ends(".bin")).then(|| "no weights".to_owned())
}

/// Whether a missing file belongs to the weights that a load takes: those in safetensors where
/// there are some.
fn is_loaded(path: &Path, present: &HashSet<&Path>, wanted: Wanted<'_>) -> bool {
    if wanted.backend == Backend::Native {
        return false;
    }
    let is = |path: &Path, ending: &str| path.extension().is_some_and(|found| found == ending);
    let top = path.parent().is_none_or(|folder| folder.as_os_str().is_empty());
    let kind =
        if present.iter().any(|path| is(path, "safetensors")) { "safetensors" } else { "bin" };
    top && is(path, kind) && path.file_stem().is_some_and(is_model)
}

/// `model` or `pytorch_model`, whole or in parts.
fn is_model(stem: &std::ffi::OsStr) -> bool {
    let stem = stem.to_string_lossy();
    ["model", "pytorch_model"].iter().any(|name| {
        stem.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    })
}

fn shown(paths: &[String]) -> String {
    let names: Vec<_> = paths.iter().take(SHOWN).map(|path| format!("`{path}`")).collect();
    let more = paths.len().saturating_sub(SHOWN);
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{rest}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink, path::Path};

    use contract::Backend;

    use super::{Readiness, Wanted, look};

    const COMMIT: &str = "0123456789012345678901234567890123456789";

    /// A cache with one model and these files; a `!` before a name leaves its blob out.
    fn cache(files: &[(&str, &str)], tree: Option<&str>) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let repo = folder.path().join("models--org--m");
        for part in ["blobs", "refs", "trees", &format!("snapshots/{COMMIT}")] {
            fs::create_dir_all(repo.join(part)).unwrap();
        }
        fs::write(repo.join("refs/main"), COMMIT).unwrap();
        for (number, (name, text)) in files.iter().enumerate() {
            let blob = format!("{number:040}");
            let bare = name.trim_start_matches('!');
            if bare == *name {
                fs::write(repo.join("blobs").join(&blob), text).unwrap();
            }
            let link = repo.join("snapshots").join(COMMIT).join(bare);
            symlink(Path::new("../../blobs").join(&blob), link).unwrap();
        }
        if let Some(tree) = tree {
            fs::write(repo.join("trees").join(format!("{COMMIT}.json")), tree).unwrap();
        }
        folder
    }

    fn looked(folder: &tempfile::TempDir, wanted: Wanted<'_>) -> String {
        let text = match look(folder.path(), wanted) {
            Readiness::Ready => "ready".to_owned(),
            Readiness::Partial(why) => format!("partial: {why}"),
            Readiness::Lacking(why) => format!("lacking: {why}"),
        };
        text.replace(folder.path().to_str().unwrap(), "HUB")
    }

    const STACK: Wanted<'_> =
        Wanted { id: "org/m", revision: None, file: None, backend: Backend::Optimum };
    const INDEX: &str =
        r#"{"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}"#;

    #[test]
    fn a_model_is_ready_or_it_is_said_what_it_lacks() {
        let whole = cache(&[("config.json", "{}"), ("model.safetensors", "")], None);
        let other = Wanted { id: "org/other", ..STACK };
        let tag = Wanted { revision: Some("v2"), ..STACK };
        let commit = Wanted { revision: Some(COMMIT), ..STACK };
        let native = Wanted { backend: Backend::Native, ..STACK };
        let bare = cache(&[("model.safetensors", "")], None);
        let empty = cache(&[("config.json", "{}")], None);
        let dangling =
            cache(&[("config.json", "{}"), ("!model.safetensors", ""), ("b.bin", "")], None);
        let parts = [
            ("config.json", "{}"),
            ("model.safetensors.index.json", INDEX),
            ("model-1.safetensors", ""),
        ];
        let entry = |name: &str| format!(r#""{name}": {{"size": 1, "blob_id": "x"}}"#);
        let tree = |names: &[&str]| {
            let files: Vec<_> = names.iter().map(|name| entry(name)).collect();
            format!(r#"{{"format_version": 1, "files": {{{}}}}}"#, files.join(","))
        };
        let files = [("config.json", "{}"), ("model.safetensors", "")];
        let listed =
            cache(&files, Some(&tree(&["config.json", "model.safetensors", "onnx/m.onnx"])));
        let shard = cache(&files, Some(&tree(&["config.json", "model-2.safetensors"])));
        let gguf = cache(&[("a.gguf", "")], None);
        let file = Wanted { file: Some("b.gguf"), ..native };
        let said = [
            looked(&whole, STACK),
            looked(&whole, commit),
            looked(&whole, tag),
            looked(&whole, other),
            looked(&whole, native),
            looked(&bare, STACK),
            looked(&empty, STACK),
            looked(&dangling, STACK),
            looked(&cache(&parts, None), STACK),
            looked(&listed, STACK),
            looked(&shard, STACK),
            looked(&gguf, native),
            looked(&gguf, file),
        ];
        insta::assert_snapshot!(said.join("\n"));
    }
}
