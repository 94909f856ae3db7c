//! A model as huggingface_hub would have cached it: blob, reference, snapshot.

use std::{
    fs, io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use runner::atomic_file;

use super::model::Model;
use crate::sha256;

/// One repo of a Hub cache that is ours. Its only commit stands for the digest that it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Repo {
    /// Its id, `smoke/NAME`.
    id: String,
    /// Its folder.
    folder: PathBuf,
}

impl Repo {
    /// The repo `name` in the cache `hub`.
    pub(super) fn new(hub: &Path, name: &str) -> Self {
        Self { id: format!("smoke/{name}"), folder: hub.join(format!("models--smoke--{name}")) }
    }

    /// The repo as a model that came from `origin`; its file is the snapshot.
    pub(super) fn model(&self, origin: &str) -> Model {
        Model {
            id: self.id.clone(),
            digest: origin.to_owned(),
            file: self.snapshot(origin),
            how: String::new(),
        }
    }

    /// Whether the file with this digest is there, and whole; its reference and snapshot are then
    /// made sure of, too.
    ///
    /// # Errors
    /// When the repo cannot be read or written.
    pub(super) fn has(&self, file: &str, digest: &str) -> anyhow::Result<Intact> {
        let blob = self.blob(digest);
        if !blob.try_exists().with_context(|| format!("reading `{}`", blob.display()))? {
            return Ok(Intact::Missing);
        }
        if sha256::of_file(&blob)? != digest {
            return Ok(Intact::Damaged);
        }
        self.link(file, digest, digest)?;
        self.refer(digest)?;
        Ok(Intact::Whole)
    }

    /// Whether the repo refers to the snapshot of `origin`, and all files of that are whole.
    ///
    /// # Errors
    /// When the repo cannot be read.
    pub(super) fn is_whole(&self, origin: &str) -> anyhow::Result<bool> {
        let reference = fs::read_to_string(self.folder.join("refs/main"));
        if reference.is_err() || reference.is_ok_and(|found| found != commit(origin)) {
            return Ok(false);
        }
        let snapshot = self.snapshot(origin);
        let reading = || format!("reading the snapshot `{}`", snapshot.display());
        for entry in fs::read_dir(&snapshot).with_context(reading)? {
            let link = entry.with_context(reading)?.path();
            let target = fs::read_link(&link).with_context(reading)?;
            let digest = target.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if !link.exists() || sha256::of_file(&link)? != digest {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Moves a file, which lies on the same disk, into the snapshot of `origin`.
    ///
    /// # Errors
    /// When the repo cannot be written.
    pub(super) fn adopt(&self, from: &Path, file: &str, origin: &str) -> anyhow::Result<()> {
        let digest = sha256::of_file(from)?;
        let blob = self.blob(&digest);
        let adopt = || -> io::Result<()> {
            fs::create_dir_all(self.folder.join("blobs"))?;
            fs::rename(from, &blob)
        };
        adopt().with_context(|| format!("moving the model to `{}`", blob.display()))?;
        self.link(file, &digest, origin)
    }

    /// Makes `main` name the snapshot of `origin`.
    ///
    /// # Errors
    /// When the repo cannot be written.
    pub(super) fn refer(&self, origin: &str) -> anyhow::Result<()> {
        let refs = self.folder.join("refs");
        fs::create_dir_all(&refs).with_context(|| format!("making `{}`", refs.display()))?;
        atomic_file::write(&refs.join("main"), commit(origin).as_bytes())
    }

    /// Makes `file` in the snapshot of `origin` the content with this digest.
    fn link(&self, file: &str, digest: &str, origin: &str) -> anyhow::Result<()> {
        let snapshot = self.snapshot(origin);
        let link = snapshot.join(file);
        let target = Path::new("../../blobs").join(digest);
        let place = || -> io::Result<()> {
            fs::create_dir_all(&snapshot)?;
            if fs::read_link(&link).is_ok_and(|found| found == target) {
                return Ok(());
            }
            match fs::remove_file(&link) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => symlink(&target, &link),
            }
        };
        place().with_context(|| format!("writing the snapshot `{}`", snapshot.display()))
    }

    fn blob(&self, digest: &str) -> PathBuf {
        self.folder.join("blobs").join(digest)
    }

    fn snapshot(&self, origin: &str) -> PathBuf {
        self.folder.join("snapshots").join(commit(origin))
    }
}

/// State of a content in a repo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Intact {
    /// There, and what its name says.
    Whole,
    /// There, but something else.
    Damaged,
    /// Not there.
    Missing,
}

/// The commit that stands for a content: it was made here, the Hub does not know it.
fn commit(digest: &str) -> &str {
    &digest[..40]
}

/// The name of the repo for a file `NAME.gguf`, in the alphabet of the Hub.
pub(super) fn name_of(file: &str) -> String {
    let stem = file.strip_suffix(".gguf").unwrap_or(file);
    let mut name = String::new();
    for character in stem.chars() {
        let fits = character.is_ascii_alphanumeric() || "-._".contains(character);
        let character = if fits { character } else { '-' };
        // Neither `--` nor `..` may be in a name, nor may it begin or end so.
        if character.is_ascii_alphanumeric()
            || name.ends_with(|last: char| last.is_ascii_alphanumeric())
        {
            name.push(character);
        }
    }
    let name = name.trim_end_matches(['-', '.', '_']);
    if name.is_empty() { "model".to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{Intact, Repo, name_of};
    use crate::sha256;

    #[test]
    fn a_model_lies_as_huggingface_hub_would_have_cached_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("download");
        fs::write(&file, "weights").unwrap();
        let digest = sha256::of_file(&file).unwrap();
        let repo = Repo::new(&folder.path().join("hub"), "tiny");
        assert_eq!(repo.model(&digest).id, "smoke/tiny");
        assert_eq!(repo.has("tiny.gguf", &digest).unwrap(), Intact::Missing);
        repo.adopt(&file, "tiny.gguf", &digest).unwrap();
        assert_eq!(repo.has("tiny.gguf", &digest).unwrap(), Intact::Whole);
        assert!(!file.exists());

        let repo_folder = folder.path().join("hub/models--smoke--tiny");
        let commit = fs::read_to_string(repo_folder.join("refs/main")).unwrap();
        assert_eq!(commit, digest[..40]);
        let snapshot = repo_folder.join("snapshots").join(commit);
        assert_eq!(repo.model(&digest).file, snapshot);
        assert_eq!(fs::read(snapshot.join("tiny.gguf")).unwrap(), b"weights");
        let link = fs::read_link(snapshot.join("tiny.gguf")).unwrap();
        assert_eq!(link.to_str().unwrap(), format!("../../blobs/{digest}"));
    }

    #[test]
    fn damage_is_seen_and_a_lost_link_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("download");
        let repo = Repo::new(&folder.path().join("hub"), "tiny");
        fs::write(&file, "weights").unwrap();
        let digest = sha256::of_file(&file).unwrap();
        repo.adopt(&file, "tiny.gguf", &digest).unwrap();
        let snapshots = folder.path().join("hub/models--smoke--tiny/snapshots");
        fs::remove_dir_all(&snapshots).unwrap();
        assert_eq!(repo.has("tiny.gguf", &digest).unwrap(), Intact::Whole);
        assert!(snapshots.join(&digest[..40]).join("tiny.gguf").is_file());

        fs::write(repo.blob(&digest), "weight").unwrap();
        assert_eq!(repo.has("tiny.gguf", &digest).unwrap(), Intact::Damaged);
        fs::write(&file, "weights").unwrap();
        repo.adopt(&file, "tiny.gguf", &digest).unwrap();
        assert_eq!(repo.has("tiny.gguf", &digest).unwrap(), Intact::Whole);
    }

    #[test]
    fn several_files_are_whole_once_the_reference_names_them() {
        let folder = tempfile::tempdir().unwrap();
        let repo = Repo::new(&folder.path().join("hub"), "tiny");
        let origin = "0".repeat(64);
        for name in ["config.json", "model.safetensors"] {
            let file = folder.path().join(name);
            fs::write(&file, name).unwrap();
            repo.adopt(&file, name, &origin).unwrap();
        }
        assert!(!repo.is_whole(&origin).unwrap(), "nothing refers to it yet");
        repo.refer(&origin).unwrap();
        assert!(repo.is_whole(&origin).unwrap());
        assert!(!repo.is_whole(&"1".repeat(64)).unwrap());
        let weights = repo.model(&origin).file.join("model.safetensors");
        fs::write(fs::canonicalize(weights).unwrap(), "damaged").unwrap();
        assert!(!repo.is_whole(&origin).unwrap());
    }

    #[test]
    fn any_file_name_becomes_a_name_of_the_hubs_alphabet() {
        let cases = [
            ("SmolLM2-135M.Q4_1.gguf", "SmolLM2-135M.Q4_1"),
            ("my model (v2)..gguf", "my-model-v2"),
            ("a--b.gguf", "a-b"),
            (".gguf", "model"),
            ("ünï", "n"),
        ];
        for (file, name) in cases {
            assert_eq!(name_of(file), name, "{file}");
        }
    }
}
