//! Judges how a repo is laid out: links, lists, refs, leftovers. Pure, but for the repo's own reader.

mod blobs;
mod links;
mod parts;
mod refs;
mod snapshot;

use std::{
    collections::{HashMap, HashSet},
    ffi::{OsStr, OsString},
    io,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
    time::SystemTime,
};

pub(crate) use blobs::set_aside;
use contract::hub::Stranger;
use untrusted::{Found, Refused};

use crate::hub_cache::{
    breakage::{AN_HOUR, Breakage, Fix, SET_ASIDE, What},
    dir::{DEEPEST, Kind, Stamp, is_too_deep},
    location::out_of_sight,
    names::{Digest, is_link_probe, is_of_system, is_umask_probe},
    reached::leads_nowhere,
    repo::{At, BLOBS, Blob, NO_EXIST, REFS, Repo, SNAPSHOTS, TREES, Trouble},
};

/// What the layout says of a repo.
#[derive(Debug, Default)]
pub(crate) struct Judged {
    /// What is wrong.
    pub(crate) breakages: Vec<Breakage>,
    /// What is wrong with blobs of another size than a commit's list says, unless their bytes are
    /// what their names say: then the list is wrong.
    pub(crate) wrong_size: HashMap<OsString, Breakage>,
    /// Links to other blobs than a commit's list says.
    pub(crate) doubts: Vec<Doubt>,
    /// Blobs that a snapshot uses.
    pub(crate) used: HashSet<OsString>,
    /// Files in place of links.
    pub(crate) copies: Vec<Copy>,
    /// Blobs that are the text of a link to the store, and no bytes: the payloads, by blob.
    pub(crate) texts: HashMap<OsString, OsString>,
    /// SHA-256 digests that the lists give for payloads of the store, by Xet hash.
    pub(crate) payloads: HashMap<String, String>,
}

impl Judged {
    /// What is suspected where nobody reads the bytes. Nothing is moved for a suspicion.
    pub(crate) fn suspected(&self) -> Vec<Breakage> {
        let doubts = self.doubts.iter().filter(|doubt| !doubt.is_likely_right);
        let links = doubts.map(|doubt| &doubt.breakage);
        let mut suspected: Vec<_> = self.wrong_size.values().chain(links).cloned().collect();
        for breakage in &mut suspected {
            breakage.fixes.clear();
            breakage.evidence += "; only its bytes can tell which of them is wrong";
        }
        suspected
    }
}

/// A link to another blob than the commit's list says.
#[derive(Debug)]
pub(crate) struct Doubt {
    /// The blob.
    pub(crate) blob: OsString,
    /// What its bytes are if it is the right one all the same.
    pub(crate) etag: Digest,
    /// Whether it has the size of the right one, and no blob has that one's name.
    pub(crate) is_likely_right: bool,
    /// What is wrong if it is not.
    pub(crate) breakage: Breakage,
}

/// A file in the place of a link.
#[derive(Debug)]
pub(crate) struct Copy {
    /// Where, below the repo.
    pub(crate) path: PathBuf,
    /// Where its bytes are.
    pub(crate) at: At,
    /// What it is.
    pub(crate) stamp: Stamp,
    /// The name that its bytes should have, if the commit's list says so.
    pub(crate) etag: Option<String>,
}

/// Judges a repo.
pub(crate) fn judge(repo: &Repo) -> Judged {
    let mut judge = Judge {
        repo,
        folder: repo.name.folder().into(),
        judged: Judged::default(),
        listed: HashSet::new(),
        set_aside: set_aside_names(repo),
        is_blind: repo.troubles.iter().any(|trouble| trouble.path.starts_with(SNAPSHOTS)),
        led_astray: HashMap::new(),
        lacks_blobs: repo
            .entries
            .iter()
            .any(|(name, kind)| name == BLOBS && lacks(repo, name, *kind)),
        now: SystemTime::now(),
    };
    judge.linked_folder(Path::new(""));
    repo.troubles.iter().for_each(|trouble| judge.trouble(trouble));
    for snapshot in repo.snapshots() {
        judge.snapshot(&snapshot);
    }
    judge.unprovable_sizes();
    judge.lists();
    judge.refs();
    judge.blobs();
    judge.entries();
    judge.judged
}

/// What is wrong with a repo's layout.
#[cfg(test)]
pub(crate) fn layout_of(repo: &Repo) -> Vec<Breakage> {
    judge(repo).breakages
}

struct Judge<'a> {
    repo: &'a Repo,
    /// The repo's folder below the cache.
    folder: PathBuf,
    judged: Judged,
    /// Blobs that commits' lists name.
    listed: HashSet<OsString>,
    /// Blobs that a repair has set aside: their links wait for the Hub client.
    set_aside: HashSet<OsString>,
    /// Whether a snapshot is out of sight, so that nobody knows what it uses.
    is_blind: bool,
    /// Links of snapshots, below the repo, to blobs that are links out of the repo themselves.
    led_astray: HashMap<OsString, Vec<PathBuf>>,
    /// Whether something else is where the blobs should be, such as a link to a disk that is gone.
    lacks_blobs: bool,
    /// What the age of a download is counted from.
    now: SystemTime,
}

/// The names of what lies in the repo's `.set-aside`, without the moment after them.
fn set_aside_names(repo: &Repo) -> HashSet<OsString> {
    let list = repo.dir.dir(SET_ASIDE).and_then(|dir| dir.list()).unwrap_or_default();
    list.iter()
        .filter_map(|(name, _)| Path::new(name).file_stem().map(std::ffi::OsStr::to_owned))
        .collect()
}

impl Judge<'_> {
    fn add(&mut self, what: What, path: impl AsRef<Path>, bytes: u64, evidence: String) {
        self.add_fixed(what, path, bytes, evidence, vec![]);
    }

    fn add_fixed(
        &mut self,
        what: What,
        path: impl AsRef<Path>,
        bytes: u64,
        evidence: String,
        fixes: Vec<Fix>,
    ) {
        let breakage = self.breakage(what, path, bytes, evidence, fixes);
        self.judged.breakages.push(breakage);
    }

    fn breakage(
        &self,
        what: What,
        path: impl AsRef<Path>,
        bytes: u64,
        evidence: String,
        fixes: Vec<Fix>,
    ) -> Breakage {
        let path = path.as_ref();
        let is_repo = path.as_os_str().is_empty();
        Breakage {
            what,
            path: if is_repo { self.folder.clone() } else { self.folder.join(path) },
            repo: Some(self.repo.name.clone()),
            bytes,
            evidence,
            fixes,
        }
    }

    /// Where no bytes will speak against it, the commit's list is right about a blob's size.
    fn unprovable_sizes(&mut self) {
        let is_read = |name: &OsStr| {
            Digest::of_name(name.as_bytes()).is_some()
                && !matches!(self.repo.blobs.get(name), Some(Blob::Astray { .. }))
        };
        let wrong = self.judged.wrong_size.extract_if(|name, _| !is_read(name));
        self.judged.breakages.extend(wrong.map(|(_, found)| found));
    }

    /// Closed folders, and those that lie too deep, are found by the walk through all folders, and
    /// what should be a folder and is none by its repo's list; here only the disk's own faults
    /// count.
    fn trouble(&mut self, Trouble { path, error }: &Trouble) {
        let is_told = error.kind() == io::ErrorKind::PermissionDenied
            || is_too_deep(error)
            || leads_nowhere(error);
        if leads_astray(error) {
            self.add(What::EscapingLink, path, 0, error.to_string());
        } else if !is_told {
            self.add(What::DiskError, path, 0, error.to_string());
        }
    }

    /// What lies beside the folders of a repo.
    fn entries(&mut self) {
        let known = [BLOBS, SNAPSHOTS, REFS, TREES, NO_EXIST];
        if !self.repo.has(SNAPSHOTS) {
            self.add(What::NoSnapshots, "", 0, "there is no `snapshots` folder".to_owned());
        }
        for (name, kind) in &self.repo.entries {
            if is_of_system(name) {
                continue;
            }
            let stamp = self.repo.dir.look(name).ok();
            let bytes = stamp.filter(|_| *kind == Kind::File).map_or(0, |stamp| stamp.size);
            if name == SET_ASIDE {
                self.set_aside();
            } else if known.iter().any(|known| name == *known) {
                match (kind, lacks(self.repo, name, *kind)) {
                    (Kind::Link, false) => self.linked_folder(Path::new(name)),
                    (Kind::Link, true) => self.lost_folder(Path::new(name)),
                    (_, false) => {}
                    (_, true) => {
                        let evidence = "it should be a folder".to_owned();
                        self.add(What::ForeignFile, name, bytes, evidence);
                    }
                }
            } else if *kind == Kind::Folder && is_link_probe(name) {
                let fix = Fix::Remove { path: self.folder.join(name), lock: None, idle: AN_HOUR };
                let evidence = "a client tried here whether links can be made".to_owned();
                self.add_fixed(What::Leftover, name, 0, evidence, vec![fix]);
            } else if *kind == Kind::File && is_umask_probe(name.as_encoded_bytes()) {
                let fix = Fix::Remove { path: self.folder.join(name), lock: None, idle: AN_HOUR };
                let evidence = "a client tried here which mode a file gets".to_owned();
                self.add_fixed(What::Leftover, name, bytes, evidence, vec![fix]);
            } else {
                self.add(What::ForeignFile, name, bytes, "no client has written it".to_owned());
            }
        }
        let strays: Vec<_> = self
            .repo
            .commits
            .iter()
            .filter(|(name, kind)| *kind != Kind::Folder && !is_of_system(name))
            .map(|(name, _)| Path::new(SNAPSHOTS).join(name))
            .collect();
        for path in strays {
            let evidence =
                "a file among the snapshots, which the Hub client stumbles over".to_owned();
            self.add(What::ForeignFile, path, 0, evidence);
        }
        self.unfinished_trees();
    }

    /// A folder of the repo, or the repo itself, that is a link which no container can follow.
    fn linked_folder(&mut self, path: &Path) {
        let hub = self.repo.path.parent().unwrap_or(Path::new("/"));
        if let Some(real) = out_of_sight(hub, &self.repo.path.join(path)) {
            let evidence = format!(
                "a folder that is a link to `{}`, which no container sees; move the whole cache \
                 there, and make its own folder the link",
                real.display()
            );
            self.add(What::AbsoluteLink, path, 0, evidence);
        }
    }

    /// A link in place of a folder, with nothing where it leads.
    fn lost_folder(&mut self, path: &Path) {
        let text = self.repo.dir.link(path).unwrap_or_default();
        let evidence = format!(
            "it is a link to `{}`, where no folder is; is that disk mounted?",
            String::from_utf8_lossy(&text)
        );
        self.add(What::DiskError, path, 0, evidence);
    }

    fn set_aside(&mut self) {
        let (mut count, mut bytes) = (0, 0);
        if let Ok(dir) = self.repo.dir.dir(SET_ASIDE) {
            dir.walk(DEEPEST, |found| {
                // What is closed was told by its owner and mode.
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
            self.add(What::SetAside, SET_ASIDE, bytes, format!("{count} file(s)"));
        }
    }

    /// `trees/tmp*.tmp`.
    fn unfinished_trees(&mut self) {
        let Ok(dir) = self.repo.dir.dir(TREES) else { return };
        let Ok(list) = dir.list() else { return };
        for (name, kind) in list {
            let bytes = name.as_encoded_bytes();
            if kind == Kind::File && bytes.starts_with(b"tmp") && bytes.ends_with(b".tmp") {
                let path = Path::new(TREES).join(&name);
                let fix = Fix::Remove { path: self.folder.join(&path), lock: None, idle: AN_HOUR };
                let size = dir.look(&name).map_or(0, |stamp| stamp.size);
                let evidence = "a list that was being written".to_owned();
                self.add_fixed(What::Leftover, path, size, evidence, vec![fix]);
            }
        }
    }
}

/// Whether a folder was not read because it is a link, to what it should not be.
pub(super) fn leads_astray(error: &io::Error) -> bool {
    Stranger::is(error) || Refused::of(error) == Some(Refused::Symlink)
}

/// Whether the entry `name` of a repo is neither a folder nor a link to one. What is out of sight may
/// be one.
fn lacks(repo: &Repo, name: &OsStr, kind: Kind) -> bool {
    match kind {
        Kind::Folder => false,
        Kind::Link => match repo.dir.look_through(name) {
            Ok(stamp) => stamp.kind != Kind::Folder,
            Err(error) => leads_nowhere(&error),
        },
        Kind::File | Kind::Fifo | Kind::Device | Kind::Other => true,
    }
}
