//! Stores a model in the cache layout of huggingface_hub: blobs, refs and snapshots.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use untrusted::Dir;

use crate::sha256;

/// Size limit of a ref.
const MAX_REF_BYTES: u64 = 4096;

/// A model in the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Model {
    /// Repo id, as the benchmark takes it.
    pub(super) id: String,
    /// Digest of its source.
    pub(super) digest: String,
    /// Path of its file or snapshot.
    pub(super) file: PathBuf,
    /// Whether it was cached or how it was made, for the user.
    pub(super) status: String,
}

/// A repo in the smoke test's own Hub cache. The name of its only commit is derived from the digest
/// of its source. Containers also write to this cache, so its files are untrusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Repo {
    /// `smoke/NAME`.
    id: String,
    /// Path of the cache.
    hub: PathBuf,
    /// Name of its folder in the cache.
    folder: String,
}

impl Repo {
    /// The repo `name` in the cache `hub`.
    pub(super) fn new(hub: &Path, name: &str) -> Self {
        let folder = format!("models--smoke--{name}");
        Self { id: format!("smoke/{name}"), hub: hub.to_owned(), folder }
    }

    /// The model that was made from `source`. Its path is the snapshot.
    pub(super) fn model(&self, source: &str) -> Model {
        Model {
            id: self.id.clone(),
            digest: source.to_owned(),
            file: self.hub.join(&self.folder).join(snapshot(source)),
            status: String::new(),
        }
    }

    /// Whether `main` names the snapshot of `source` and every blob of it has its digest.
    ///
    /// # Errors
    /// When the repo cannot be read.
    pub(super) fn is_complete(&self, source: &str) -> anyhow::Result<bool> {
        let complete = || -> io::Result<bool> {
            let Some(repo) = self.open()? else { return Ok(false) };
            let reference = repo.read_if_there("refs/main", MAX_REF_BYTES)?;
            if reference.is_none_or(|found| found != commit(source).as_bytes()) {
                return Ok(false);
            }
            let snapshot = repo.dir(snapshot(source))?;
            for (name, _) in snapshot.list()? {
                let target = snapshot.link(&name)?;
                let digest = String::from_utf8_lossy(&target);
                let digest = digest.rsplit('/').next().unwrap_or_default();
                if blob_digest(&repo, digest)?.is_none_or(|found| found != digest) {
                    return Ok(false);
                }
            }
            Ok(true)
        };
        complete().with_context(|| self.context("reading"))
    }

    /// Moves a file from the same file system into the snapshot of `source`.
    ///
    /// # Errors
    /// When the repo cannot be written.
    pub(super) fn add(&self, from: &Path, file: &str, source: &str) -> anyhow::Result<()> {
        let (Some(folder), Some(name)) = (from.parent(), from.file_name()) else {
            bail!("`{}` is not a file", from.display())
        };
        let store = || -> io::Result<String> {
            let folder = Dir::open(folder)?;
            let digest = sha256::of_file(folder.file(name)?)?;
            folder.replace(name, &self.create_dir("blobs")?, &digest)?;
            Ok(digest)
        };
        let digest = store().with_context(|| self.context("moving the model to"))?;
        self.link(file, &digest, source)
    }

    /// Writes the ref `main` for the snapshot of `source`.
    ///
    /// # Errors
    /// When the repo cannot be written.
    pub(super) fn write_ref(&self, source: &str) -> anyhow::Result<()> {
        let refs = self.create_dir("refs");
        let written = refs.and_then(|refs| refs.write("main", commit(source).as_bytes()));
        written.with_context(|| self.context("writing the reference in"))
    }

    /// Links `file` in the snapshot of `source` to the blob with this digest.
    fn link(&self, file: &str, digest: &str, source: &str) -> anyhow::Result<()> {
        let target = format!("../../blobs/{digest}");
        let link = || -> io::Result<()> {
            let snapshot = self.create_dir(&snapshot(source))?;
            if snapshot.link(file).is_ok_and(|found| found == target.as_bytes()) {
                return Ok(());
            }
            match snapshot.remove(file) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => snapshot.make_link(&target, file),
            }
        };
        link().with_context(|| self.context("writing the snapshot in"))
    }

    /// Opens the folder of the repo. None if it does not exist.
    fn open(&self) -> io::Result<Option<Dir>> {
        match Dir::open(&self.hub).and_then(|hub| hub.dir(&self.folder)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            dir => dir.map(Some),
        }
    }

    /// Opens a folder of the repo, and creates it if it does not exist.
    fn create_dir(&self, path: &str) -> io::Result<Dir> {
        fs::create_dir_all(&self.hub)?;
        let hub = Dir::open(&self.hub)?;
        [self.folder.as_str()].into_iter().chain(path.split('/')).try_fold(hub, |dir, name| {
            dir.make_dir(name)?;
            dir.dir(name)
        })
    }

    fn context(&self, action: &str) -> String {
        format!("{action} `{}`", self.hub.join(&self.folder).display())
    }
}

/// The actual digest of a blob. None if the blob does not exist.
fn blob_digest(repo: &Dir, blob: &str) -> io::Result<Option<String>> {
    match repo.file(Path::new("blobs").join(blob)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        file => file.and_then(sha256::of_file).map(Some),
    }
}

/// Path of the snapshot in its repo.
fn snapshot(source: &str) -> String {
    format!("snapshots/{}", commit(source))
}

/// The commit for a source digest. The Hub has no such commit.
fn commit(digest: &str) -> &str {
    &digest[..40]
}

/// A valid repo name for the file `NAME.gguf`.
pub(super) fn repo_name(file: &str) -> String {
    let stem = file.strip_suffix(".gguf").unwrap_or(file);
    let mut name = String::new();
    for character in stem.chars() {
        let fits = character.is_ascii_alphanumeric() || "-._".contains(character);
        let character = if fits { character } else { '-' };
        // The Hub refuses `--` and `..`, and punctuation at both ends.
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

    use super::{Repo, repo_name};
    use crate::sha256;

    #[test]
    fn cached_model_has_the_layout_of_huggingface_hub() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("download");
        fs::write(&file, "weights").unwrap();
        let digest = sha256::of_path(&file).unwrap();
        let repo = Repo::new(&folder.path().join("hub"), "tiny");
        assert_eq!(repo.model(&digest).id, "smoke/tiny");
        repo.add(&file, "tiny.gguf", &digest).unwrap();
        repo.write_ref(&digest).unwrap();
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
    fn repo_is_complete_once_the_ref_is_written_and_every_blob_is_intact() {
        let folder = tempfile::tempdir().unwrap();
        let repo = Repo::new(&folder.path().join("hub"), "tiny");
        let source = "0".repeat(64);
        for name in ["config.json", "model.safetensors"] {
            let file = folder.path().join(name);
            fs::write(&file, name).unwrap();
            repo.add(&file, name, &source).unwrap();
        }
        assert!(!repo.is_complete(&source).unwrap(), "nothing refers to it yet");
        repo.write_ref(&source).unwrap();
        assert!(repo.is_complete(&source).unwrap());
        assert!(!repo.is_complete(&"1".repeat(64)).unwrap());
        let weights = repo.model(&source).file.join("model.safetensors");
        fs::write(fs::canonicalize(weights).unwrap(), "damaged").unwrap();
        assert!(!repo.is_complete(&source).unwrap());
    }

    #[test]
    fn any_file_name_becomes_a_valid_repo_name() {
        let cases = [
            ("SmolLM2-135M.Q4_1.gguf", "SmolLM2-135M.Q4_1"),
            ("my model (v2)..gguf", "my-model-v2"),
            ("a--b.gguf", "a-b"),
            (".gguf", "model"),
            ("ünï", "n"),
        ];
        for (file, name) in cases {
            assert_eq!(repo_name(file), name, "{file}");
        }
    }
}
