//! Small caches for tests, with correct digests, as huggingface_hub 2.4 writes them.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink},
    path::{Path, PathBuf},
};

use contract::hex;
use serde_json::json;
use sha1::{Digest as _, Sha1};
use sha2::Sha256;

/// The commit of a fixture's snapshots.
pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// A cache in a temporary folder.
#[derive(Debug)]
pub struct Fixture(tempfile::TempDir);

/// Where the content of a fixture's file is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// In `blobs`, named by the git blob id.
    Git,
    /// In `blobs`, named by the SHA-256 digest, as files in LFS are.
    Large,
    /// In the shared store, with a symlink in `blobs`.
    Shared,
}

impl Fixture {
    /// An empty cache.
    pub fn empty() -> Self {
        let fixture = Self(tempfile::tempdir().unwrap());
        fs::write(fixture.at("CACHEDIR.TAG"), "Signature: 8a477f597d28d172789f06886806bc55\n")
            .unwrap();
        fixture
    }

    /// The canonical path of the cache.
    pub fn path(&self) -> PathBuf {
        self.0.path().canonicalize().unwrap()
    }

    /// A path below the cache.
    pub fn at(&self, below: impl AsRef<Path>) -> PathBuf {
        self.0.path().join(below)
    }

    /// Writes a file below the cache, and creates its folders.
    pub fn write(&self, below: impl AsRef<Path>, text: impl AsRef<[u8]>) {
        let path = self.at(below);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Creates a symlink below the cache.
    pub fn link(&self, below: impl AsRef<Path>, text: impl AsRef<Path>) {
        let path = self.at(below);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(text, path).unwrap();
    }

    /// Adds a model with these files and the branch `main`, and the list of its files if `listed`. Returns the
    /// names of the blobs by file.
    pub fn model(
        &self,
        id: &str,
        files: &[(&str, &str, Kept)],
        listed: bool,
    ) -> BTreeMap<String, String> {
        let repo = format!("models--{}", id.replace('/', "--"));
        self.write(format!("{repo}/refs/main"), COMMIT);
        let mut names = BTreeMap::new();
        let mut tree = serde_json::Map::new();
        for (path, text, kept) in files {
            let (etag, entry) = self.blob(&repo, text, *kept);
            let folders = Path::new(path).components().count() - 1;
            let link = format!("{}blobs/{etag}", "../".repeat(2 + folders));
            self.link(format!("{repo}/snapshots/{COMMIT}/{path}"), link);
            self.write(format!(".locks/{repo}/{etag}.lock"), "");
            tree.insert((*path).to_owned(), entry);
            names.insert((*path).to_owned(), etag);
        }
        if listed {
            let json = json!({"format_version": 1, "files": tree}).to_string();
            self.write(format!("{repo}/trees/{COMMIT}.json"), json);
        }
        names
    }

    fn blob(&self, repo: &str, text: &str, kept: Kept) -> (String, serde_json::Value) {
        let sha256 = hex::encode(Sha256::digest(text));
        if kept == Kept::Git {
            let etag = git_id(text.as_bytes());
            self.write(format!("{repo}/blobs/{etag}"), text);
            return (etag.clone(), json!({"size": text.len(), "blob_id": etag}));
        }
        let pointer = format!(
            "version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {}\n",
            text.len()
        );
        let mut entry = json!({
            "size": text.len(),
            "blob_id": git_id(pointer.as_bytes()),
            "lfs_sha256": sha256,
            "lfs_size": text.len(),
        });
        let blob = format!("{repo}/blobs/{sha256}");
        if kept == Kept::Large {
            self.write(blob, text);
        } else {
            // The real name is a Xet hash. Any other 64 digits do.
            let payload = hex::encode(Sha256::digest(format!("payload {text}")));
            let shard = &payload[..2];
            entry["xet_hash"] = json!(payload);
            self.write("blobs/.huggingface-shared-blobs", "1\n");
            self.write(format!("blobs/{shard}/{payload}"), text);
            self.write(format!("blobs/{shard}/{payload}.refs"), format!("{blob}\n"));
            self.write(format!("blobs/{shard}/{payload}.lock"), "");
            self.link(blob, format!("../../blobs/{shard}/{payload}"));
        }
        (sha256, entry)
    }

    /// The type, mode, content and time of every entry, except below the paths `except`.
    pub fn manifest(&self, except: &[&str]) -> BTreeMap<String, String> {
        let root = self.0.path();
        let entries = walkdir::WalkDir::new(root).min_depth(1).into_iter().map(Result::unwrap);
        entries
            .filter_map(|entry| {
                let below = entry.path().strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                if except.iter().any(|path| below.starts_with(path)) {
                    return None;
                }
                let data = entry.metadata().unwrap();
                let content = if data.is_symlink() {
                    format!("link to {}", fs::read_link(entry.path()).unwrap().display())
                } else if data.is_dir() {
                    "folder".to_owned()
                } else {
                    let id = git_id(&fs::read(entry.path()).unwrap_or_default());
                    format!("{id} of {}.{}", data.mtime(), data.mtime_nsec())
                };
                Some((below, format!("{:04o} {content}", data.permissions().mode() & 0o7777)))
            })
            .collect()
    }
}

/// The git blob id of `bytes`.
pub fn git_id(bytes: &[u8]) -> String {
    let digest =
        Sha1::new().chain_update(format!("blob {}\0", bytes.len())).chain_update(bytes).finalize();
    hex::encode(digest)
}
