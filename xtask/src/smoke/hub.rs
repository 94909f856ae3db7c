//! A model as huggingface_hub would have cached it: blob, reference, snapshot.

use std::{
    fs, io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use runner::atomic_file;

use crate::sha256;

/// One repo of a Hub cache that is ours, with one file in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Repo {
    /// Its id, `smoke/NAME`.
    pub(super) id: String,
    /// Its folder.
    folder: PathBuf,
    /// The file's name.
    file: String,
}

impl Repo {
    /// The repo `name` for `file`, in the cache `hub`.
    pub(super) fn new(hub: &Path, name: &str, file: &str) -> Self {
        Self {
            id: format!("smoke/{name}"),
            folder: hub.join(format!("models--smoke--{name}")),
            file: file.to_owned(),
        }
    }

    /// Whether the content with this digest is there, and whole; its reference and snapshot are
    /// then made sure of, too.
    ///
    /// # Errors
    /// When the repo cannot be read or written.
    pub(super) fn has(&self, digest: &str) -> anyhow::Result<Intact> {
        let blob = self.blob(digest);
        if !blob.try_exists().with_context(|| format!("reading `{}`", blob.display()))? {
            return Ok(Intact::Missing);
        }
        if sha256::of_file(&blob)? != digest {
            return Ok(Intact::Damaged);
        }
        self.refer(digest)?;
        Ok(Intact::Whole)
    }

    /// Moves a file, whose digest is known and which lies on the same disk, into the repo.
    ///
    /// # Errors
    /// When the repo cannot be written.
    pub(super) fn adopt(&self, file: &Path, digest: &str) -> anyhow::Result<()> {
        let blob = self.blob(digest);
        let adopt = || -> io::Result<()> {
            fs::create_dir_all(self.folder.join("blobs"))?;
            fs::rename(file, &blob)
        };
        adopt().with_context(|| format!("moving the model to `{}`", blob.display()))?;
        self.refer(digest)
    }

    fn blob(&self, digest: &str) -> PathBuf {
        self.folder.join("blobs").join(digest)
    }

    /// Makes `main` and its snapshot name the content with this digest.
    fn refer(&self, digest: &str) -> anyhow::Result<()> {
        let commit = commit(digest);
        let snapshot = self.folder.join("snapshots").join(commit);
        let link = snapshot.join(&self.file);
        let target = Path::new("../../blobs").join(digest);
        let refer = || -> io::Result<()> {
            fs::create_dir_all(self.folder.join("refs"))?;
            fs::create_dir_all(&snapshot)?;
            if fs::read_link(&link).is_ok_and(|found| found == target) {
                return Ok(());
            }
            match fs::remove_file(&link) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => symlink(&target, &link),
            }
        };
        refer().with_context(|| format!("writing the snapshot `{}`", snapshot.display()))?;
        atomic_file::write(&self.folder.join("refs/main"), commit.as_bytes())
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
        let repo = Repo::new(&folder.path().join("hub"), "tiny", "tiny.gguf");
        assert_eq!(repo.id, "smoke/tiny");
        assert_eq!(repo.has(&digest).unwrap(), Intact::Missing);
        repo.adopt(&file, &digest).unwrap();
        assert_eq!(repo.has(&digest).unwrap(), Intact::Whole);
        assert!(!file.exists());

        let repo_folder = folder.path().join("hub/models--smoke--tiny");
        let commit = fs::read_to_string(repo_folder.join("refs/main")).unwrap();
        assert_eq!(commit, digest[..40]);
        let snapshot = repo_folder.join("snapshots").join(commit).join("tiny.gguf");
        assert_eq!(fs::read(&snapshot).unwrap(), b"weights");
        let link = fs::read_link(&snapshot).unwrap();
        assert_eq!(link.to_str().unwrap(), format!("../../blobs/{digest}"));
    }

    #[test]
    fn damage_is_seen_and_a_lost_link_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("download");
        let repo = Repo::new(&folder.path().join("hub"), "tiny", "tiny.gguf");
        fs::write(&file, "weights").unwrap();
        let digest = sha256::of_file(&file).unwrap();
        repo.adopt(&file, &digest).unwrap();
        let snapshots = folder.path().join("hub/models--smoke--tiny/snapshots");
        fs::remove_dir_all(&snapshots).unwrap();
        assert_eq!(repo.has(&digest).unwrap(), Intact::Whole);
        assert!(snapshots.join(&digest[..40]).join("tiny.gguf").is_file());

        fs::write(repo.blob(&digest), "weight").unwrap();
        assert_eq!(repo.has(&digest).unwrap(), Intact::Damaged);
        fs::write(&file, "weights").unwrap();
        repo.adopt(&file, &digest).unwrap();
        assert_eq!(repo.has(&digest).unwrap(), Intact::Whole);
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
