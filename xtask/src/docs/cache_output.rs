//! Output of the `cache` commands, from a small cache with one truncated file.

use std::{
    fs::{self, File},
    io::Write as _,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
    time::{SystemTime, UNIX_EPOCH},
};

use contract::hub::{BLOBS, REFS, SNAPSHOTS, TREES};
use doctor::{
    repair::{Ownership, repair},
    report::Report,
    verify::{Context, Scope, verify},
};
use host::{machine::Host, paths::host_path::HostPath};
use hub::{CacheUsage, HubCache, Listing};
use ownership::Failure;
use serde_json::{Map, Value, json};

use super::content::Content;
use crate::sha256;

/// Output of `cache ls`, `cache verify` and `cache repair`.
#[derive(Debug)]
pub(super) struct CacheOutput {
    pub(super) ls: Content,
    pub(super) verify: Content,
    pub(super) repair: Content,
}

impl CacheOutput {
    /// Creates the cache in a temporary folder and runs the three commands.
    ///
    /// # Errors
    /// When the folder cannot be written, or a command fails.
    pub(super) fn new() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let hub = folder.path().join("hub");
        MODELS.iter().try_for_each(|model| model.write(&hub))?;

        let host = Host::read()?;
        let path = |path: &Path| HostPath::new("example", path, Path::new("/"));
        let cache = HubCache { home: path(folder.path())?, hub: path(&hub)? };
        let scope = Scope { repos: vec![], bytes: true, full: false };
        let stop = AtomicBool::new(false);
        let context = Context { host: &host, token: None, digest_cache: None, stop: &stop };
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64();
        let found = verify(&cache, &scope, &context)?;
        let planned = repair(&cache, &scope, &context, &NoOwners, false)?;
        let text = |output: String| Content::Text(output.trim_end().to_owned());
        Ok(Self {
            ls: text(Listing::default().table(&CacheUsage::of(&hub)?, now)),
            verify: text(Report::of(found)?.lines()),
            repair: text(planned.lines()),
        })
    }
}

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

const MODELS: [Model; 2] = [
    Model { id: "HuggingFaceTB/SmolLM2-135M-Instruct", size: 269_060_552, downloaded: 269_060_552 },
    Model { id: "HuggingFaceTB/SmolLM2-360M-Instruct", size: 723_674_912, downloaded: 104_857_600 },
];

/// A model whose weights are zeros.
struct Model {
    id: &'static str,
    /// Size of the weights in bytes.
    size: u64,
    /// Bytes of the weights that are on the disk.
    downloaded: u64,
}

impl Model {
    /// Writes the model as the Hub client does.
    fn write(&self, hub: &Path) -> anyhow::Result<()> {
        let repo = hub.join(format!("models--{}", self.id.replace('/', "--")));
        let snapshot = repo.join(SNAPSHOTS).join(COMMIT);
        for folder in [&repo.join(REFS), &repo.join(BLOBS), &repo.join(TREES), &snapshot] {
            fs::create_dir_all(folder)?;
        }
        fs::write(repo.join(REFS).join("main"), COMMIT)?;
        let mut list = Map::new();
        for (name, text) in [("config.json", r#"{"model_type":"llama"}"#), ("tokenizer.json", "{}")]
        {
            let file = snapshot.join(name);
            fs::write(&file, text)?;
            list.insert(name.to_owned(), into_blobs(&file, &repo, text.len() as u64)?);
        }
        let weights = snapshot.join("model.safetensors");
        self.write_weights(&weights)?;
        list.insert("model.safetensors".to_owned(), into_blobs(&weights, &repo, self.size)?);
        let list = json!({"format_version": 1, "files": list}).to_string();
        fs::write(repo.join(TREES).join(format!("{COMMIT}.json")), list)?;
        Ok(())
    }

    /// Writes a sparse file with one tensor.
    fn write_weights(&self, path: &Path) -> anyhow::Result<()> {
        let header = |data: u64| {
            format!(r#"{{"a":{{"dtype":"U8","shape":[{data:9}],"data_offsets":[0,{data:9}]}}}}"#)
        };
        let length = header(0).len() as u64;
        let mut file = File::create(path)?;
        file.write_all(&length.to_le_bytes())?;
        file.write_all(header(self.size - length - 8).as_bytes())?;
        file.set_len(self.downloaded)?;
        Ok(())
    }
}

/// Moves a file of a snapshot to the blobs, and leaves a symlink. Returns its entry in the list of
/// the commit's files.
fn into_blobs(file: &Path, repo: &Path, size: u64) -> anyhow::Result<Value> {
    let is_whole = file.metadata()?.len() == size;
    // The blob of a truncated file has the digest of the whole content in its name.
    let digest = if is_whole { sha256::of_path(file)? } else { sha256::of_bytes("whole content") };
    fs::rename(file, repo.join(BLOBS).join(&digest))?;
    symlink(Path::new("../..").join(BLOBS).join(&digest), file)?;
    // Nothing compares Git's id of a large file.
    let git_id = &digest[..40];
    Ok(json!({"size": size, "blob_id": git_id, "lfs_sha256": digest, "lfs_size": size}))
}

/// Every file is the user's already.
struct NoOwners;

impl Ownership for NoOwners {
    fn why_protected(&self, _: &HostPath, _: &Path) -> Option<String> {
        None
    }

    fn reclaim(&self, _: &HostPath, _: &[PathBuf]) -> anyhow::Result<Vec<Failure>> {
        Ok(vec![])
    }

    fn sudo_line(&self, _: &HostPath, _: &[PathBuf]) -> String {
        String::new()
    }
}
