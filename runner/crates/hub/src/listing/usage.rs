//! Sizes, counts and times of a cache and its repos. For a healthy cache they equal those of huggingface_hub's
//! `scan_cache_dir`.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    ffi::{OsStr, OsString},
    io,
    path::{Path, PathBuf},
};

use contract::Backend;
use serde::{Serialize, Serializer};

use crate::{
    cache::Cache,
    layout::{
        BlobName, Content, Kind, LinkTarget, ReadError, Repo, RepoName, SNAPSHOTS, STORE, Snapshot,
        Stamp, Store, Time, Tree, is_dangling, is_of_system,
    },
    listing::loadable::loadable,
};

/// Disk usage of a cache.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CacheUsage {
    /// Its path.
    #[serde(serialize_with = "lossy")]
    pub path: PathBuf,
    /// Total size of all files, each counted once.
    pub size_bytes: u64,
    /// Its repos.
    pub repos: Vec<RepoUsage>,
    /// Messages about what could not be counted.
    pub faults: Vec<String>,
}

/// Disk usage of a repo.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RepoUsage {
    /// Its name on the Hub.
    #[serde(flatten)]
    pub name: RepoName,
    /// Its path.
    #[serde(serialize_with = "lossy")]
    pub path: PathBuf,
    /// Total size of its files, each blob counted once.
    pub size_bytes: u64,
    /// Total size of its files in the shared store.
    pub(crate) shared_bytes: u64,
    /// Number of distinct files in all revisions.
    pub files: u64,
    /// Last read of any of its files, in seconds since 1970.
    pub last_accessed: f64,
    /// Last change of any of its files, in seconds since 1970.
    pub last_modified: f64,
    /// Number of unfinished downloads.
    pub unfinished_files: u64,
    /// Their total size.
    pub unfinished_bytes: u64,
    /// Its revisions, by commit.
    pub revisions: Vec<RevisionUsage>,
    /// Messages about problems and unknowns.
    pub faults: Vec<String>,
}

/// Disk usage of a revision.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RevisionUsage {
    /// Its commit.
    pub commit: String,
    /// The branches, tags and pull requests that point to it.
    pub refs: Vec<String>,
    /// Total size of its files, each blob counted once.
    pub size_bytes: u64,
    /// Number of its files.
    pub files: u64,
    /// Last change of any of them, in seconds since 1970.
    pub last_modified: f64,
    /// Whether a backend can load it, if that is known. For spaces and kernels, whether all files are there.
    pub complete: Option<bool>,
    /// The backends that can load it, or may.
    pub backends: Vec<Backend>,
}

fn lossy<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&path.to_string_lossy())
}

impl CacheUsage {
    /// Counts the cache at `path`.
    ///
    /// # Errors
    /// When the folder is not found or cannot be read.
    pub fn of(path: &Path) -> anyhow::Result<Self> {
        let cache = Cache::open(path)?;
        let counted = cache.map_repos(&cache.repos, |name, repo| match repo {
            Ok(repo) => RepoUsage::of(&repo),
            Err(error) => RepoUsage::unreadable(&cache, name, &error),
        });
        let stored = cache.store.as_ref();
        let in_repos: u64 = counted
            .iter()
            .map(|repo| repo.size_bytes - stored.map_or(0, |_| repo.shared_bytes))
            .sum();
        let others = cache
            .others
            .iter()
            .map(|(name, _)| format!("`{}` is no repo of the Hub's", OsStr::to_string_lossy(name)));
        let store_errors =
            stored.into_iter().flat_map(|store| &store.errors).map(|(path, error)| {
                let path: PathBuf = Path::new(STORE).join(path).components().collect();
                format!("`{}` is out of sight: {error}", path.display())
            });
        Ok(Self {
            size_bytes: in_repos + stored.map_or(0, Store::bytes),
            repos: counted,
            faults: others.chain(store_errors).collect(),
            path: cache.path,
        })
    }
}

impl RepoUsage {
    /// A repo whose folder cannot be read.
    fn unreadable(cache: &Cache, name: &RepoName, error: &io::Error) -> Self {
        Self {
            path: cache.path.join(name.folder()),
            name: name.clone(),
            size_bytes: 0,
            shared_bytes: 0,
            files: 0,
            last_accessed: 0.0,
            last_modified: 0.0,
            unfinished_files: 0,
            unfinished_bytes: 0,
            revisions: vec![],
            faults: vec![format!("the repo is out of sight: {error}")],
        }
    }

    /// Counts a repo.
    pub fn of(repo: &Repo) -> Self {
        let mut refs: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        let mut faults = Faults::default();
        repo.errors.iter().for_each(|error| faults.read_error(error));
        for reference in &repo.refs {
            match reference.commit() {
                Some(commit) => refs.entry(commit).or_default().push(reference.name.clone()),
                None => faults.add("ref(s) that cannot be read"),
            }
        }
        let mut all = Distinct::default();
        let mut revisions = Vec::new();
        for snapshot in repo.snapshots() {
            let mut counted = Distinct::default();
            let refs = refs.remove(snapshot.commit.as_str()).unwrap_or_default();
            revisions.push(revision(repo, &snapshot, refs, &mut counted, &mut faults));
            all.add(counted);
        }
        if !repo.is_unreadable(SNAPSHOTS) {
            refs.values().flatten().for_each(|_| faults.add("ref(s) to a commit that is not here"));
        }
        if !repo.has(SNAPSHOTS) {
            faults.add("missing `snapshots` folder");
        }
        let stray_files =
            repo.commits.iter().filter(|(name, kind)| *kind != Kind::Folder && !is_of_system(name));
        stray_files.for_each(|_| faults.add("file(s) among the snapshots"));
        let is_unfinished =
            |name: &OsStr| matches!(BlobName::of(name), BlobName::Incomplete { .. });
        let unfinished = || repo.blobs.iter().filter(|(name, _)| is_unfinished(name));
        let folder = repo.dir.look("").ok();
        Self {
            name: repo.name.clone(),
            path: repo.path.clone(),
            size_bytes: all.bytes(),
            shared_bytes: all.shared_bytes(),
            files: all.stamps().count() as u64,
            last_accessed: all.latest(folder.as_ref(), |stamp| stamp.accessed),
            last_modified: all.latest(folder.as_ref(), |stamp| stamp.modified),
            unfinished_files: unfinished().count() as u64,
            unfinished_bytes: unfinished()
                .filter_map(|(_, blob)| blob.file())
                .map(|stamp| stamp.size)
                .sum(),
            revisions,
            faults: faults.messages(),
        }
    }
}

/// Counts a snapshot, and adds its files to `counted`.
fn revision(
    repo: &Repo,
    snapshot: &Snapshot,
    refs: Vec<String>,
    counted: &mut Distinct,
    faults: &mut Faults,
) -> RevisionUsage {
    snapshot.errors.iter().for_each(|error| faults.read_error(error));
    let mut files = 0;
    let mut present: HashSet<&Path> = HashSet::new();
    let mut is_dangling = false;
    let mut is_unknown = !snapshot.errors.is_empty();
    for file in &snapshot.files {
        let target = repo.target(file);
        let is_outside = match &file.content {
            Content::Link { target: LinkTarget::Found(stamp), .. }
                if stamp.kind == Kind::Folder =>
            {
                continue;
            }
            Content::Link { text, .. } => {
                !repo.contains_target(&snapshot.place.join(&file.path), text)
            }
            Content::Entry(stamp) if stamp.kind != Kind::File => {
                faults.add("entries that are no files");
                continue;
            }
            _ => false,
        };
        if is_outside {
            faults.add("link(s) out of the repo");
        }
        match target {
            LinkTarget::Found(stamp) if stamp.kind == Kind::File => {
                if is_outside {
                    continue;
                }
                files += 1;
                present.insert(&file.path);
                match &file.content {
                    Content::Blob { name, .. } => counted.blob(repo, name, stamp),
                    Content::Entry(_) => counted.copies.push(stamp),
                    // The target is another entry of the cache, which is counted itself.
                    Content::Link { .. } => {}
                }
            }
            LinkTarget::Found(_) if is_outside => {}
            LinkTarget::Found(_) | LinkTarget::Missing => {
                is_dangling = true;
                faults.add("link(s) to missing bytes");
            }
            LinkTarget::Unknown(_) => {
                is_unknown = true;
                if matches!(file.content, Content::Blob { .. }) {
                    faults.add("link(s) to bytes out of sight");
                }
            }
        }
    }
    let loadable = loadable(repo, snapshot);
    let complete = match &loadable {
        Some(loadable) => loadable.complete(),
        None => match repo.tree(&snapshot.commit) {
            Some(Ok(Tree(files))) => {
                Some(files.keys().all(|path| present.contains(Path::new(path))))
            }
            _ => is_dangling.then_some(false),
        },
    };
    RevisionUsage {
        commit: snapshot.commit.clone(),
        refs,
        size_bytes: counted.bytes(),
        files,
        last_modified: counted.latest(snapshot.folder.as_ref(), |stamp| stamp.modified),
        complete: complete.filter(|complete| *complete || !is_unknown),
        backends: loadable.unwrap_or_default().backends,
    }
}

/// Distinct files: blobs by name, and files that are not symlinks.
#[derive(Debug, Default)]
struct Distinct {
    /// The stamp of each, and whether it is in the shared store.
    blobs: HashMap<OsString, (Stamp, bool)>,
    copies: Vec<Stamp>,
}

impl Distinct {
    fn blob(&mut self, repo: &Repo, name: &OsStr, stamp: Stamp) {
        if !self.blobs.contains_key(name) {
            let is_shared = repo.blob(name).is_some_and(|blob| blob.is_shared());
            self.blobs.insert(name.to_owned(), (stamp, is_shared));
        }
    }

    fn add(&mut self, other: Self) {
        self.blobs.extend(other.blobs);
        self.copies.extend(other.copies);
    }

    fn stamps(&self) -> impl Iterator<Item = &Stamp> {
        self.blobs.values().map(|(stamp, _)| stamp).chain(&self.copies)
    }

    fn shared_bytes(&self) -> u64 {
        let shared = self.blobs.values().filter(|(_, is_shared)| *is_shared);
        shared.map(|(stamp, _)| stamp.size).sum()
    }

    fn bytes(&self) -> u64 {
        self.stamps().map(|stamp| stamp.size).sum()
    }

    /// The latest time of the files, else that of their `folder`, as a float like that of Python's `os.stat`.
    fn latest(&self, folder: Option<&Stamp>, time: fn(&Stamp) -> Time) -> f64 {
        let latest = self.stamps().map(time).max().or(folder.map(time));
        let (seconds, nanoseconds) = latest.unwrap_or_default();
        seconds as f64 + 1e-9 * f64::from(nanoseconds)
    }
}

/// Problems, counted by kind.
#[derive(Debug, Default)]
struct Faults {
    counted: BTreeMap<&'static str, u64>,
    unknown: Vec<String>,
}

impl Faults {
    fn add(&mut self, what: &'static str) {
        *self.counted.entry(what).or_default() += 1;
    }

    fn read_error(&mut self, ReadError { path, error }: &ReadError) {
        let what = if is_dangling(error) { "is no folder" } else { "is out of sight" };
        self.unknown.push(format!("`{}` {what}: {error}", path.display()));
    }

    fn messages(self) -> Vec<String> {
        let Self { counted, mut unknown } = self;
        unknown.extend(counted.into_iter().map(|(what, count)| format!("{count} {what}")));
        unknown
    }
}

#[cfg(test)]
mod tests {
    use super::CacheUsage;
    use crate::testing::{Fixture, Kept};

    #[test]
    fn shared_content_counts_once() {
        let fixture = Fixture::empty();
        let files = [("a.safetensors", "weights", Kept::Shared), ("b", "{}", Kept::Git)];
        for id in ["org/m", "org/n"] {
            let names = fixture.model(id, &files, true);
            let other = format!("models--{}/snapshots/{}", id.replace('/', "--"), "f".repeat(40));
            for (file, name) in names {
                fixture.link(format!("{other}/{file}"), format!("../../blobs/{name}"));
            }
        }
        let usage = CacheUsage::of(&fixture.path()).unwrap();
        let repo = &usage.repos[0];
        assert_eq!((repo.revisions.len(), repo.files), (2, 2));
        assert_eq!((repo.size_bytes, repo.shared_bytes), (7 + 2, 7));
        assert_eq!(usage.size_bytes, 7 + 2 + 2);
    }
}
