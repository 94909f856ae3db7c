//! Inspects the layout of a repo: symlinks, file lists, refs and leftovers.

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

use super::content::{Check, FileGroup};
use crate::finding::{Details, Finding, HOUR, Problem};

/// Result of an inspection. The contents are not read yet.
#[derive(Debug)]
pub(super) struct Inspection {
    /// Name of the repo.
    pub repo: RepoName,
    /// Problems.
    pub findings: Vec<Finding>,
    /// Contents to check.
    pub checks: Vec<Check>,
    /// Blobs of the wrong size, reported if the contents are not read.
    pub(crate) suspected: Vec<Finding>,
    /// Files in place of symlinks.
    pub copies: FileGroup,
    /// Files with an unknown digest.
    pub unverifiable: FileGroup,
    /// Payloads of the store that the repo links to, below the cache.
    pub linked: Vec<PathBuf>,
    /// SHA-256 digests of payloads from the repo's file lists, by Xet hash.
    pub listed: HashMap<String, String>,
    /// Whether some blobs are unreadable, so that their symlinks are unknown.
    pub has_unknown_links: bool,
}

/// Inspects a repo.
pub(super) fn inspect(repo: &Repo) -> Inspection {
    let has_no_folder =
        |(name, kind): &(OsString, Kind)| name == BLOBS && !is_folder(repo, name, *kind);
    let mut inspector = Inspector {
        repo,
        folder: repo.name.folder().into(),
        used: HashSet::new(),
        listed: HashSet::new(),
        quarantined: quarantined(repo),
        has_unread_snapshots: repo
            .errors
            .iter()
            .any(|read_error| read_error.path.starts_with(SNAPSHOTS)),
        users_of_escaping: HashMap::new(),
        wrong_size: HashMap::new(),
        has_no_blobs_folder: repo.entries.iter().any(has_no_folder),
        now: SystemTime::now(),
        found: Inspection {
            repo: repo.name.clone(),
            findings: vec![],
            checks: vec![],
            suspected: vec![],
            copies: FileGroup::default(),
            unverifiable: FileGroup::default(),
            linked: vec![],
            listed: HashMap::new(),
            has_unknown_links: repo.is_unreadable(BLOBS),
        },
    };
    inspector.linked_folder(Path::new(""));
    repo.errors.iter().for_each(|read_error| inspector.read_error(read_error));
    repo.snapshots().for_each(|snapshot| inspector.snapshot(&snapshot));
    inspector.lists();
    inspector.refs();
    inspector.blobs();
    inspector.entries();
    inspector.found
}

/// Problems in the layout of a repo.
#[cfg(test)]
pub(crate) fn layout_of(repo: &Repo) -> Vec<Finding> {
    inspect(repo).findings
}

/// An inspection in progress.
struct Inspector<'a> {
    repo: &'a Repo,
    /// Folder of the repo, below the cache.
    folder: PathBuf,
    found: Inspection,
    /// Blobs that a snapshot uses.
    used: HashSet<OsString>,
    /// Blobs in file lists of commits.
    listed: HashSet<OsString>,
    /// Blobs that a repair has moved away. Their symlinks wait for the next download.
    quarantined: HashSet<OsString>,
    /// Whether a snapshot is unreadable, so that it is unknown what it uses.
    has_unread_snapshots: bool,
    /// For each blob that is a symlink out of the repo: the symlinks of snapshots to it, below the cache.
    users_of_escaping: HashMap<OsString, Vec<PathBuf>>,
    /// Findings for blobs whose size differs from a file list.
    wrong_size: HashMap<OsString, Finding>,
    /// Whether `blobs` is not a folder, but for example a symlink to a disk that is not mounted.
    has_no_blobs_folder: bool,
    /// Time for the age of downloads.
    now: SystemTime,
}

/// Names of the blobs in the repo's `.set-aside`, without the time suffix.
fn quarantined(repo: &Repo) -> HashSet<OsString> {
    let list = repo.dir.dir(SET_ASIDE).and_then(|dir| dir.list()).unwrap_or_default();
    list.iter().filter_map(|(name, _)| Path::new(name).file_stem().map(OsStr::to_owned)).collect()
}

impl Inspector<'_> {
    /// Converts a path in the repo to a path below the cache.
    fn below(&self, path: &Path) -> PathBuf {
        if path.as_os_str().is_empty() { self.folder.clone() } else { self.folder.join(path) }
    }

    /// A finding for the entry at `path` in the repo.
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

    /// Adds a finding for the entry at `path` in the repo.
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

    /// Adds a finding without size and repair.
    fn report(&mut self, problem: Problem, path: impl AsRef<Path>, evidence: impl Into<String>) {
        self.add(problem, path, 0, evidence, Details::None);
    }

    /// Adds a temporary file without a lock.
    fn leftover(&mut self, path: impl AsRef<Path>, bytes: u64, evidence: &str) {
        let details = Details::Unused { lock: None, idle: HOUR };
        self.add(Problem::Leftover, path, bytes, evidence, details);
    }

    /// Adds an entry that no Hub client makes.
    fn foreign(&mut self, path: impl AsRef<Path>, bytes: u64, evidence: &str) {
        self.add(Problem::ForeignFile, path, bytes, evidence, Details::None);
    }

    /// Adds a read error. Unreadable and too deep folders are reported by the check of owners and modes,
    /// files in place of folders by [`Self::entries`].
    fn read_error(&mut self, ReadError { path, error }: &ReadError) {
        let is_reported = error.kind() == io::ErrorKind::PermissionDenied
            || is_too_deep(error)
            || is_dangling(error);
        if is_escape(error) {
            self.report(Problem::EscapingLink, path, error.to_string());
        } else if !is_reported {
            self.report(Problem::DiskError, path, error.to_string());
        }
    }

    /// Inspects the entries of the repo's folder.
    fn entries(&mut self) {
        if !self.repo.has(SNAPSHOTS) {
            let evidence = "the repo has no `snapshots` folder, so `hf cache rm` does not find it";
            self.report(Problem::PartialSnapshot, "", evidence);
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

    /// Inspects an entry with the name of one of the client's folders.
    fn known_folder(&mut self, name: &OsStr, kind: Kind, bytes: u64) {
        match (kind, is_folder(self.repo, name, kind)) {
            (Kind::Link, true) => self.linked_folder(Path::new(name)),
            (Kind::Link, false) => {
                let text = self.repo.dir.link(name).unwrap_or_default();
                let evidence = format!(
                    "it is a link to `{}`, where no folder is; is that disk mounted?",
                    String::from_utf8_lossy(&text)
                );
                self.report(Problem::DiskError, name, evidence);
            }
            (_, true) => {}
            (_, false) => self.foreign(name, bytes, "it should be a folder"),
        }
    }

    /// Reports the repo or one of its folders if it is a symlink to a path that the container cannot see.
    fn linked_folder(&mut self, path: &Path) {
        let hub = self.repo.path.parent().unwrap_or(Path::new("/"));
        if let Some(real) = outside_mount(hub, &self.repo.path.join(path)) {
            let evidence = format!(
                "a folder that is a link to `{}`, which no container sees; move the whole cache \
                 there, and make its own folder the link",
                real.display()
            );
            self.report(Problem::AbsoluteLink, path, evidence);
        }
    }

    /// Reports the files in `.set-aside`.
    fn quarantine(&mut self) {
        let (mut count, mut bytes) = (0, 0);
        if let Ok(dir) = self.repo.dir.dir(SET_ASIDE) {
            dir.walk(DEEPEST, |found| {
                // The check of owners and modes reports unreadable folders.
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

    /// Reports unfinished file lists, `trees/tmp*.tmp`.
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

/// Whether a folder was refused because it is a symlink.
pub(super) fn is_escape(error: &io::Error) -> bool {
    Stranger::is(error) || Refused::of(error) == Some(Refused::Symlink)
}

/// Whether the entry `name` of a repo is a folder or a symlink to one. An unreadable target counts as one.
fn is_folder(repo: &Repo, name: &OsStr, kind: Kind) -> bool {
    match kind {
        Kind::Link => LinkTarget::of(&repo.dir, name).may_be_folder(),
        kind => kind == Kind::Folder,
    }
}

/// The finding for a blob of the wrong size if the contents are not read. It is not repairable, since the
/// file list may be wrong instead.
fn unproven(suspected: &Finding) -> Finding {
    let evidence =
        format!("{}; only its bytes can tell which of them is wrong", suspected.evidence);
    Finding { evidence, details: Details::None, ..suspected.clone() }
}
