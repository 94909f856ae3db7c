//! A model as huggingface_hub would have cached it: blob, reference, snapshot.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use untrusted::Dir;

use crate::sha256;

/// Bytes of the longest reference.
const LONGEST_REF: u64 = 4096;

/// A model that is ready to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Model {
    /// Its id, for the benchmark.
    pub(super) id: String,
    /// Digest of the GGUF file that it is, or came from.
    pub(super) digest: String,
    /// Where it is.
    pub(super) file: PathBuf,
    /// How it got here.
    pub(super) how: String,
}

/// One repo of a Hub cache that is ours. Its only commit stands for the digest that it came from. A
/// container writes to the cache, too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Repo {
    /// Its id, `smoke/NAME`.
    id: String,
    /// The cache.
    hub: PathBuf,
    /// Its folder there.
    folder: String,
}

impl Repo {
    /// The repo `name` in the cache `hub`.
    pub(super) fn new(hub: &Path, name: &str) -> Self {
        let folder = format!("models--smoke--{name}");
        Self { id: format!("smoke/{name}"), hub: hub.to_owned(), folder }
    }

    /// The repo as a model that came from `origin`; its file is the snapshot.
    pub(super) fn model(&self, origin: &str) -> Model {
        Model {
            id: self.id.clone(),
            digest: origin.to_owned(),
            file: self.hub.join(&self.folder).join(snapshot(origin)),
            how: String::new(),
        }
    }

    /// Whether the repo refers to the snapshot of `origin`, and all files of that are whole.
    ///
    /// # Errors
    /// When the repo cannot be read.
    pub(super) fn is_whole(&self, origin: &str) -> anyhow::Result<bool> {
        let whole = || -> io::Result<bool> {
            let Some(repo) = self.open()? else { return Ok(false) };
            let reference = repo.read_if_there("refs/main", LONGEST_REF)?;
            if reference.is_none_or(|found| found != commit(origin).as_bytes()) {
                return Ok(false);
            }
            let snapshot = repo.dir(snapshot(origin))?;
            for (name, _) in snapshot.list()? {
                let target = snapshot.link(&name)?;
                let digest = String::from_utf8_lossy(&target);
                let digest = digest.rsplit('/').next().unwrap_or_default();
                if self.digest_of(digest)?.is_none_or(|found| found != digest) {
                    return Ok(false);
                }
            }
            Ok(true)
        };
        whole().with_context(|| self.doing("reading"))
    }

    /// Moves a file, which lies on the same disk, into the snapshot of `origin`.
    ///
    /// # Errors
    /// When the repo cannot be written.
    pub(super) fn adopt(&self, from: &Path, file: &str, origin: &str) -> anyhow::Result<()> {
        let (Some(folder), Some(name)) = (from.parent(), from.file_name()) else {
            bail!("`{}` is not a file", from.display())
        };
        let adopt = || -> io::Result<String> {
            let folder = Dir::open(folder)?;
            let digest = sha256::of(folder.file(name)?)?;
            folder.replace(name, &self.made("blobs")?, &digest)?;
            Ok(digest)
        };
        let digest = adopt().with_context(|| self.doing("moving the model to"))?;
        self.link(file, &digest, origin)
    }

    /// Makes `main` name the snapshot of `origin`.
    ///
    /// # Errors
    /// When the repo cannot be written.
    pub(super) fn refer(&self, origin: &str) -> anyhow::Result<()> {
        let refer =
            self.made("refs").and_then(|refs| refs.write("main", commit(origin).as_bytes()));
        refer.with_context(|| self.doing("writing the reference in"))
    }

    /// Makes `file` in the snapshot of `origin` the content with this digest.
    fn link(&self, file: &str, digest: &str, origin: &str) -> anyhow::Result<()> {
        let target = format!("../../blobs/{digest}");
        let place = || -> io::Result<()> {
            let snapshot = self.made(&snapshot(origin))?;
            if snapshot.link(file).is_ok_and(|found| found == target.as_bytes()) {
                return Ok(());
            }
            match snapshot.remove(file) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => snapshot.make_link(&target, file),
            }
        };
        place().with_context(|| self.doing("writing the snapshot in"))
    }

    /// The digest that the blob with this name has, if there is such a file.
    fn digest_of(&self, blob: &str) -> io::Result<Option<String>> {
        let Some(repo) = self.open()? else { return Ok(None) };
        match repo.file(Path::new("blobs").join(blob)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            file => file.and_then(sha256::of).map(Some),
        }
    }

    /// Its folder, if it is there.
    fn open(&self) -> io::Result<Option<Dir>> {
        match Dir::open(&self.hub).and_then(|hub| hub.dir(&self.folder)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            dir => dir.map(Some),
        }
    }

    /// The folder at `below` in it, made if it is missing.
    fn made(&self, below: &str) -> io::Result<Dir> {
        fs::create_dir_all(&self.hub)?;
        let hub = Dir::open(&self.hub)?;
        [self.folder.as_str()].into_iter().chain(below.split('/')).try_fold(hub, |dir, name| {
            dir.make_dir(name)?;
            dir.dir(name)
        })
    }

    fn doing(&self, what: &str) -> String {
        format!("{what} `{}`", self.hub.join(&self.folder).display())
    }
}

/// Where the snapshot of a content lies, below its repo.
fn snapshot(origin: &str) -> String {
    format!("snapshots/{}", commit(origin))
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

    use super::{Repo, name_of};
    use crate::sha256;

    #[test]
    fn a_model_lies_as_huggingface_hub_would_have_cached_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("download");
        fs::write(&file, "weights").unwrap();
        let digest = sha256::of_file(&file).unwrap();
        let repo = Repo::new(&folder.path().join("hub"), "tiny");
        assert_eq!(repo.model(&digest).id, "smoke/tiny");
        repo.adopt(&file, "tiny.gguf", &digest).unwrap();
        repo.refer(&digest).unwrap();
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
