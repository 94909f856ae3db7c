//! What a cache holds, in numbers: for every healthy cache those of huggingface_hub's own scan.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
};

use contract::Backend;

use super::{
    completeness::{self, Completeness, LARGEST_INDEX},
    dir::{Kind, Stamp, Time},
    loadable::loadable,
    names::{BlobName, RepoName, is_of_system},
    reached::{Reached, Seen, leads_nowhere},
    repo::{Blob, Repo, SNAPSHOTS, Trouble},
    snapshot::{Content, Snapshot},
    tree::Tree,
};

/// A repo in numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct RepoCensus {
    /// Whose it is.
    pub name: RepoName,
    /// Its folder.
    pub path: PathBuf,
    /// Bytes of its files, each blob once.
    pub size_bytes: u64,
    /// Distinct files over all revisions.
    pub files: u64,
    /// Last read of any of its files, in seconds since 1970.
    pub last_accessed: f64,
    /// Last change of any of its files, in seconds since 1970.
    pub last_modified: f64,
    /// Its revisions, by commit.
    pub revisions: Vec<RevisionCensus>,
    /// Downloads that were not finished, and their bytes.
    pub unfinished: (u64, u64),
    /// What is wrong or out of sight, in words.
    pub faults: Vec<String>,
    /// Bytes of its files that lie in the shared store.
    pub(crate) shared_bytes: u64,
}

/// A revision in numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct RevisionCensus {
    /// Its commit.
    pub commit: String,
    /// The branches, tags and pull requests that name it.
    pub refs: Vec<String>,
    /// Bytes of its files, each blob once.
    pub size_bytes: u64,
    /// Its files.
    pub files: u64,
    /// Last change of any of them, in seconds since 1970.
    pub last_modified: f64,
    /// Whether a backend can load it, if that is known; of other repos, whether all its files are
    /// there.
    pub complete: Option<bool>,
    /// The backends that can load it, or may.
    pub backends: Vec<Backend>,
}

/// Counts a repo.
pub(crate) fn count(repo: &Repo) -> RepoCensus {
    let mut refs: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut faults = Faults::default();
    repo.troubles.iter().for_each(|trouble| faults.trouble(trouble));
    for reference in &repo.refs {
        match reference.commit() {
            Some(commit) => refs.entry(commit).or_default().push(reference.name.clone()),
            None => faults.add("ref(s) that cannot be read"),
        }
    }
    let mut blobs = Distinct::default();
    let mut copies = Vec::new();
    let mut shared_bytes = 0;
    let mut revisions = Vec::new();
    for snapshot in repo.snapshots() {
        snapshot.troubles.iter().for_each(|trouble| faults.trouble(trouble));
        let mut of_revision = Distinct::default();
        let mut own = Vec::new();
        let mut files = 0;
        let mut dangling: Vec<&Path> = Vec::new();
        let mut present: HashSet<&Path> = HashSet::new();
        let mut out_of_sight = !snapshot.troubles.is_empty();
        for file in &snapshot.files {
            match &file.content {
                Content::Blob { name, absolute: _ } => match repo.seen(name) {
                    Seen::Listed { name, blob, stamp } => {
                        files += 1;
                        present.insert(&file.path);
                        of_revision.listed.insert(name, stamp);
                        let new = blobs.listed.insert(name, stamp).is_none();
                        if new && matches!(blob, Blob::Shared { .. }) {
                            shared_bytes += stamp.size;
                        }
                    }
                    Seen::Late { stamp, shared } => {
                        files += 1;
                        present.insert(&file.path);
                        of_revision.late.insert(name.clone(), stamp);
                        let new = blobs.late.insert(name.clone(), stamp).is_none();
                        if new && shared {
                            shared_bytes += stamp.size;
                        }
                    }
                    Seen::Odd | Seen::Missing => dangling.push(&file.path),
                    Seen::OutOfSight => {
                        out_of_sight = true;
                        faults.add("link(s) to bytes out of sight");
                    }
                },
                Content::Copy(stamp) => {
                    files += 1;
                    present.insert(&file.path);
                    own.push(*stamp);
                }
                Content::Astray { reached: Reached::There(stamp), .. }
                    if stamp.kind == Kind::Folder => {}
                Content::Astray { text, reached }
                    if repo.keeps(&snapshot.place.join(&file.path), text) =>
                {
                    // Its bytes are another entry's, and counted there.
                    files += u64::from(reached.file().is_some());
                    match reached {
                        Reached::There(_) => drop(present.insert(&file.path)),
                        Reached::Nothing => dangling.push(&file.path),
                        Reached::OutOfSight(_) => out_of_sight = true,
                    }
                }
                Content::Astray { reached, .. } => {
                    faults.add("link(s) out of the repo");
                    match reached {
                        Reached::There(_) => {}
                        Reached::Nothing => dangling.push(&file.path),
                        Reached::OutOfSight(_) => out_of_sight = true,
                    }
                }
                Content::Odd => faults.add("entries that are no files"),
            }
        }
        dangling.iter().for_each(|_| faults.add("link(s) to missing bytes"));
        let tree = repo.tree(&snapshot.commit).and_then(Result::ok);
        let loadable = loadable(repo, &snapshot);
        let complete = match &loadable {
            Some(loadable) => loadable.known().filter(|loads| *loads || !out_of_sight),
            None => completeness(repo, &snapshot, &present, &dangling, tree.as_ref())
                .known()
                .filter(|_| !out_of_sight),
        };
        let stamps = || of_revision.stamps().chain(&own);
        let modified = stamps().map(|stamp| stamp.modified).max();
        revisions.push(RevisionCensus {
            refs: refs.remove(snapshot.commit.as_str()).unwrap_or_default(),
            size_bytes: stamps().map(|stamp| stamp.size).sum(),
            files,
            last_modified: seconds(
                modified.or(snapshot.folder.map(|folder| folder.modified)).unwrap_or_default(),
            ),
            complete,
            backends: loadable.unwrap_or_default().backends,
            commit: snapshot.commit.clone(),
        });
        copies.extend(own);
    }
    if !repo.hides(SNAPSHOTS) {
        refs.values().flatten().for_each(|_| faults.add("ref(s) to a commit that is not here"));
    }
    if !repo.has(SNAPSHOTS) {
        faults.add("missing `snapshots` folder");
    }
    let strays =
        repo.commits.iter().filter(|(name, kind)| *kind != Kind::Folder && !is_of_system(name));
    strays.for_each(|_| faults.add("file(s) among the snapshots"));
    let stamps = || blobs.stamps().chain(&copies);
    let folder = repo.dir.look("").ok();
    let latest = |time: fn(&Stamp) -> Time| {
        let found = stamps().map(time).max();
        seconds(found.or(folder.as_ref().map(time)).unwrap_or_default())
    };
    RepoCensus {
        name: repo.name.clone(),
        path: repo.path.clone(),
        size_bytes: stamps().map(|stamp| stamp.size).sum(),
        files: stamps().count() as u64,
        last_accessed: latest(|stamp| stamp.accessed),
        last_modified: latest(|stamp| stamp.modified),
        revisions,
        unfinished: unfinished(repo),
        faults: faults.words(),
        shared_bytes,
    }
}

/// Judges a snapshot by its commit's list `tree`, or else by its indexes of weights.
pub(crate) fn completeness(
    repo: &Repo,
    snapshot: &Snapshot,
    present: &HashSet<&Path>,
    dangling: &[&Path],
    tree: Option<&Tree>,
) -> Completeness {
    let parts = if tree.is_none() { parts(repo, snapshot) } else { None };
    completeness::judge(present, dangling, tree, parts.as_ref())
}

/// The files that the snapshot's indexes of weights name, if it has one.
fn parts(repo: &Repo, snapshot: &Snapshot) -> Option<BTreeSet<PathBuf>> {
    let indexes = snapshot.files.iter().filter(|file| completeness::is_index(&file.path));
    let parts = indexes.filter_map(|file| {
        let json = repo.file_at(snapshot, file)?.read(LARGEST_INDEX).ok()?;
        completeness::parts(&file.path, &json).ok()
    });
    parts.reduce(|mut all, more| {
        all.extend(more);
        all
    })
}

fn unfinished(repo: &Repo) -> (u64, u64) {
    let names = repo.blobs.iter().filter(|(name, _)| {
        matches!(BlobName::of(name.as_encoded_bytes()), BlobName::Incomplete { .. })
    });
    names.fold((0, 0), |(count, bytes), (_, blob)| {
        (count + 1, bytes + blob.stamp().map_or(0, |stamp| stamp.size))
    })
}

/// Seconds since 1970, as Python's `os.stat` has them.
fn seconds((seconds, nanoseconds): Time) -> f64 {
    seconds as f64 + 1e-9 * f64::from(nanoseconds)
}

/// Blobs, each once: those that were listed, and those that came since.
#[derive(Debug, Default)]
struct Distinct<'a> {
    listed: HashMap<&'a OsStr, &'a Stamp>,
    late: HashMap<OsString, Stamp>,
}

impl Distinct<'_> {
    fn stamps(&self) -> impl Iterator<Item = &Stamp> {
        self.listed.values().copied().chain(self.late.values())
    }
}

/// What is wrong, counted by kind.
#[derive(Debug, Default)]
struct Faults {
    counted: BTreeMap<&'static str, u64>,
    out_of_sight: Vec<String>,
}

impl Faults {
    fn add(&mut self, what: &'static str) {
        *self.counted.entry(what).or_default() += 1;
    }

    fn trouble(&mut self, Trouble { path, error }: &Trouble) {
        let what = if leads_nowhere(error) { "is no folder" } else { "is out of sight" };
        self.out_of_sight.push(format!("`{}` {what}: {error}", path.display()));
    }

    fn words(self) -> Vec<String> {
        let Self { counted, mut out_of_sight } = self;
        out_of_sight.extend(counted.into_iter().map(|(what, count)| format!("{count} {what}")));
        out_of_sight
    }
}
