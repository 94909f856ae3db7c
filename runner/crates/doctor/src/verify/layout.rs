//! Inspects how a repo is laid out: symlinks, lists, refs, leftovers.

mod blobs;
mod refs;
mod snapshot;
mod weights;

use std::{
    collections::{HashMap, HashSet},
    ffi::{OsStr, OsString},
    io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use contract::hub::{SET_ASIDE, Stranger};
use hub::{
    RepoName,
    layout::{
        BLOBS, DEEPEST, Kind, LinkTarget, NO_EXIST, REFS, ReadError, Repo, SNAPSHOTS, TREES,
        is_dangling, is_link_probe, is_of_system, is_too_deep, is_umask_probe,
    },
    location::outside_mount,
};
use untrusted::{Found, Refused};

use super::content::{Check, Summary};
use crate::finding::{AN_HOUR, Details, Finding, Problem};

/// What is known of a repo before its content is read.
#[derive(Debug)]
pub(super) struct Inspection {
    /// The repo.
    pub repo: RepoName,
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// Content that must be checked.
    pub checks: Vec<Check>,
    /// What is probably wrong, where nobody reads the content.
    pub(crate) suspicions: Vec<Finding>,
    /// Files in place of symlinks.
    pub copies: Summary,
    /// Content whose digest nothing tells.
    pub unverifiable: Summary,
    /// Payloads of the store that its symlinks name, below the cache.
    pub linked: Vec<PathBuf>,
    /// SHA-256 digests that its lists give for payloads of the store, by Xet hash.
    pub listed: HashMap<String, String>,
    /// Whether some of its blobs cannot be read.
    pub is_blind: bool,
}

/// Inspects a repo.
pub(super) fn inspect(repo: &Repo) -> Inspection {
    let is_lost = |(name, kind): &(OsString, Kind)| name == BLOBS && !is_folder(repo, name, *kind);
    let mut inspector = Inspector {
        repo,
        folder: repo.name.folder().into(),
        used: HashSet::new(),
        listed: HashSet::new(),
        quarantined: quarantined(repo),
        lacks_snapshots: repo.errors.iter().any(|trouble| trouble.path.starts_with(SNAPSHOTS)),
        led_astray: HashMap::new(),
        wrong_size: HashMap::new(),
        lacks_blobs: repo.entries.iter().any(is_lost),
        now: SystemTime::now(),
        found: Inspection {
            repo: repo.name.clone(),
            findings: vec![],
            checks: vec![],
            suspicions: vec![],
            copies: Summary::default(),
            unverifiable: Summary::default(),
            linked: vec![],
            listed: HashMap::new(),
            is_blind: repo.is_unreadable(BLOBS),
        },
    };
    inspector.linked_folder(Path::new(""));
    repo.errors.iter().for_each(|trouble| inspector.trouble(trouble));
    repo.snapshots().for_each(|snapshot| inspector.snapshot(&snapshot));
    inspector.lists();
    inspector.refs();
    inspector.blobs();
    inspector.entries();
    inspector.found
}

/// What is wrong with a repo's layout.
#[cfg(test)]
pub(crate) fn layout_of(repo: &Repo) -> Vec<Finding> {
    inspect(repo).findings
}

struct Inspector<'a> {
    repo: &'a Repo,
    /// The repo's folder below the cache.
    folder: PathBuf,
    found: Inspection,
    /// Blobs that a snapshot uses.
    used: HashSet<OsString>,
    /// Blobs that commits' lists name.
    listed: HashSet<OsString>,
    /// Blobs that a repair has moved away: their symlinks wait for the Hub client.
    quarantined: HashSet<OsString>,
    /// Whether a snapshot cannot be read, so that it is unknown what it uses.
    lacks_snapshots: bool,
    /// Symlinks of snapshots, below the cache, to blobs that are symlinks out of the repo.
    led_astray: HashMap<OsString, Vec<PathBuf>>,
    /// What is wrong with blobs whose size a commit's list contradicts.
    wrong_size: HashMap<OsString, Finding>,
    /// Whether something else is in place of `blobs`, such as a symlink to a disk that is not mounted.
    lacks_blobs: bool,
    /// What the age of a download is counted from.
    now: SystemTime,
}

/// The names of what lies in the repo's `.set-aside`, without the moment after them.
fn quarantined(repo: &Repo) -> HashSet<OsString> {
    let list = repo.dir.dir(SET_ASIDE).and_then(|dir| dir.list()).unwrap_or_default();
    list.iter().filter_map(|(name, _)| Path::new(name).file_stem().map(OsStr::to_owned)).collect()
}

impl Inspector<'_> {
    /// A path of the repo, below the cache.
    fn below(&self, path: &Path) -> PathBuf {
        if path.as_os_str().is_empty() { self.folder.clone() } else { self.folder.join(path) }
    }

    fn finding(
        &self,
        problem: Problem,
        path: impl AsRef<Path>,
        bytes: u64,
        evidence: impl Into<String>,
        details: Details,
    ) -> Finding {
        Finding {
            problem,
            path: self.below(path.as_ref()),
            repo: Some(self.repo.name.clone()),
            bytes,
            evidence: evidence.into(),
            details,
        }
    }

    fn add(
        &mut self,
        problem: Problem,
        path: impl AsRef<Path>,
        bytes: u64,
        evidence: impl Into<String>,
        details: Details,
    ) {
        let finding = self.finding(problem, path, bytes, evidence, details);
        self.found.findings.push(finding);
    }

    /// A temporary file that no lock protects.
    fn leftover(&mut self, path: impl AsRef<Path>, bytes: u64, evidence: &str) {
        let details = Details::Unused { lock: None, idle: AN_HOUR };
        self.add(Problem::Leftover, path, bytes, evidence, details);
    }

    fn foreign(&mut self, path: impl AsRef<Path>, bytes: u64, evidence: &str) {
        self.add(Problem::ForeignFile, path, bytes, evidence, Details::None);
    }

    /// Folders that are closed or too deep are found by the walk through all folders, and files in
    /// place of folders by the repo's list. Only the disk's own faults are reported here.
    fn trouble(&mut self, ReadError { path, error }: &ReadError) {
        let is_told = error.kind() == io::ErrorKind::PermissionDenied
            || is_too_deep(error)
            || is_dangling(error);
        if leads_astray(error) {
            self.add(Problem::EscapingLink, path, 0, error.to_string(), Details::None);
        } else if !is_told {
            self.add(Problem::DiskError, path, 0, error.to_string(), Details::None);
        }
    }

    /// What lies beside the folders of a repo.
    fn entries(&mut self) {
        if !self.repo.has(SNAPSHOTS) {
            let evidence = "the repo has no `snapshots` folder, so `hf cache rm` does not find it";
            self.add(Problem::PartialSnapshot, "", 0, evidence, Details::None);
        }
        for (name, kind) in self.repo.entries.iter().filter(|(name, _)| !is_of_system(name)) {
            let stamp = self.repo.dir.look(name).ok();
            let bytes = stamp.filter(|_| *kind == Kind::File).map_or(0, |stamp| stamp.size);
            if name == SET_ASIDE {
                self.quarantine();
            } else if [BLOBS, SNAPSHOTS, REFS, TREES, NO_EXIST].iter().any(|known| name == *known) {
                self.known_folder(name, *kind, bytes);
            } else if *kind == Kind::Folder && is_link_probe(name) {
                self.leftover(name, 0, "a client tested here whether it can make symlinks");
            } else if *kind == Kind::File && is_umask_probe(name) {
                self.leftover(name, bytes, "a client tested here which mode a file gets");
            } else {
                self.foreign(name, bytes, "no client has written it");
            }
        }
        let is_stray =
            |(name, kind): &&(OsString, Kind)| *kind != Kind::Folder && !is_of_system(name);
        for (name, _) in self.repo.commits.iter().filter(is_stray) {
            let path = Path::new(SNAPSHOTS).join(name);
            self.foreign(path, 0, "a file among the snapshots, which the Hub client stumbles over");
        }
        self.unfinished_trees();
    }

    fn known_folder(&mut self, name: &OsStr, kind: Kind, bytes: u64) {
        match (kind, is_folder(self.repo, name, kind)) {
            (Kind::Link, true) => self.linked_folder(Path::new(name)),
            (Kind::Link, false) => {
                let text = self.repo.dir.link(name).unwrap_or_default();
                let evidence = format!(
                    "it is a link to `{}`, where no folder is; is that disk mounted?",
                    String::from_utf8_lossy(&text)
                );
                self.add(Problem::DiskError, name, 0, evidence, Details::None);
            }
            (_, true) => {}
            (_, false) => self.foreign(name, bytes, "it should be a folder"),
        }
    }

    /// A folder of the repo, or the repo itself, that is a symlink which no container can follow.
    fn linked_folder(&mut self, path: &Path) {
        let hub = self.repo.path.parent().unwrap_or(Path::new("/"));
        if let Some(real) = outside_mount(hub, &self.repo.path.join(path)) {
            let evidence = format!(
                "a folder that is a link to `{}`, which no container sees; move the whole cache \
                 there, and make its own folder the link",
                real.display()
            );
            self.add(Problem::AbsoluteLink, path, 0, evidence, Details::None);
        }
    }

    fn quarantine(&mut self) {
        let (mut count, mut bytes) = (0, 0);
        if let Ok(dir) = self.repo.dir.dir(SET_ASIDE) {
            dir.walk(DEEPEST, |found| {
                // A closed folder was reported by its owner and mode.
                if let Found::Entry { stamp, .. } = found
                    && stamp.kind == Kind::File
                {
                    count += 1;
                    bytes += stamp.size;
                }
                true
            });
        }
        if count > 0 {
            let evidence = format!("{count} file(s)");
            self.add(Problem::SetAside, SET_ASIDE, bytes, evidence, Details::None);
        }
    }

    /// `trees/tmp*.tmp`.
    fn unfinished_trees(&mut self) {
        let Ok(dir) = self.repo.dir.dir(TREES) else { return };
        for (name, kind) in dir.list().unwrap_or_default() {
            let bytes = name.as_encoded_bytes();
            if kind == Kind::File && bytes.starts_with(b"tmp") && bytes.ends_with(b".tmp") {
                let size = dir.look(&name).map_or(0, |stamp| stamp.size);
                self.leftover(Path::new(TREES).join(&name), size, "a list that was being written");
            }
        }
    }
}

/// Whether a folder was not read because it is a symlink to what it should not be.
pub(super) fn leads_astray(error: &io::Error) -> bool {
    Stranger::is(error) || Refused::of(error) == Some(Refused::Symlink)
}

/// Whether the entry `name` of a repo is a folder or a symlink to one. An unknown place may be one.
fn is_folder(repo: &Repo, name: &OsStr, kind: Kind) -> bool {
    match kind {
        Kind::Link => LinkTarget::of(&repo.dir, name).may_be_folder(),
        kind => kind == Kind::Folder,
    }
}

/// What is reported of a doubt where nobody reads the content: nothing is repaired on suspicion.
fn suspicion(doubt: &Finding) -> Finding {
    let evidence = format!("{}; only its bytes can tell which of them is wrong", doubt.evidence);
    Finding { evidence, details: Details::None, ..doubt.clone() }
}
