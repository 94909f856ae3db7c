//! Owners and modes of every entry in a cache, checked for the user whom a container runs as. The walk
//! follows no symlink.

mod rights;

use std::{
    collections::{BTreeMap, HashSet},
    io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use hub::{
    RepoName,
    cache::Cache,
    layout::{
        DEEPEST, Dir, Kind, LOCKS, STORE, Stamp, TREES, is_client_path, is_skippable, is_too_deep,
        too_deep,
    },
};
use rustix::{
    fs::{Access, statfs},
    process::getuid,
};
use untrusted::Found;

use crate::finding::{Details, Finding, Problem};
use rights::Rights;
pub(super) use rights::User;

/// Permission bits of a folder's set-gid.
const SET_GID: u32 = 0o2000;

/// Network file systems, by the magic numbers of statfs(2).
const NETWORK: [(i64, &str); 5] = [
    (0x6969, "NFS"),
    (0x0BD0_0BD0, "Lustre"),
    (0x4750_4653, "GPFS"),
    (0xFF53_4D42, "CIFS"),
    (0xFE53_4D42, "SMB"),
];

/// What a walk found.
#[derive(Debug, Default)]
pub(super) struct Walked {
    /// What the user cannot use.
    pub findings: Vec<Finding>,
    /// Locks that hold a text, below the cache: usually they are empty.
    pub(crate) written_locks: Vec<PathBuf>,
}

/// Walks the cache, or only these repos of it. What no client makes is checked by itself, and not
/// entered.
pub(super) fn walk(
    cache: &Cache,
    repos: Option<&[RepoName]>,
    user: User<'_>,
    stop: &AtomicBool,
) -> Walked {
    let top = cache.dir.look("").ok();
    let of_group = top.is_some_and(|top| is_shared(&top));
    let is_me = user.uid == getuid().as_raw();
    let mut walk = Walk {
        is_me,
        of_group,
        // Somebody else's folder that is open for writing was opened on purpose, by an access control
        // list. What a group shares is told by its folder.
        of_others: is_me
            && !of_group
            && top.is_some_and(|top| top.uid != user.uid)
            && cache.dir.may("", Access::WRITE_OK).is_ok_and(|may| may),
        has_store: cache.store.is_some(),
        is_all_clients: cache.has_only_client_paths(),
        network: network(&cache.path),
        ..Walk::of(user)
    };
    let roots: Vec<PathBuf> = match repos {
        None => vec![PathBuf::new()],
        Some(repos) => repos
            .iter()
            .map(RepoName::folder)
            .flat_map(|folder| [Path::new(LOCKS).join(&folder), folder.into()])
            .collect(),
    };
    for root in roots {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let Ok(stamp) = cache.dir.look(&root) else { continue };
        walk.found(&cache.dir, &root, Ok(stamp));
        if stamp.kind != Kind::Folder {
            continue;
        }
        match cache.dir.dir(&root) {
            Ok(dir) => dir.walk(DEEPEST, |found| {
                let (path, found) = match found {
                    Found::Entry { path, stamp } => (path, Ok(stamp)),
                    Found::Closed { path, error } => (path, Err(error)),
                };
                let path: PathBuf = root.join(path).components().collect();
                !stop.load(Ordering::Relaxed) && walk.found(&cache.dir, &path, found)
            }),
            Err(error) => {
                walk.found(&cache.dir, &root, Err(error));
            }
        }
    }
    walk.finish()
}

/// Whether a group fills the cache together: its folder says so.
const fn is_shared(top: &Stamp) -> bool {
    top.mode & 0o020 != 0 && top.mode & SET_GID != 0
}

/// The network file system that the cache is on.
fn network(hub: &Path) -> Option<&'static str> {
    let magic = statfs(hub).ok()?.f_type as i64;
    NETWORK.iter().find(|(known, _)| *known == magic).map(|(_, name)| *name)
}

#[derive(Debug)]
struct Walk<'a> {
    user: User<'a>,
    /// Whether this process runs as that user, so that the kernel can be asked.
    is_me: bool,
    /// Whether a group fills the cache together.
    of_group: bool,
    /// Whether the cache is somebody else's, who lets the user write to it.
    of_others: bool,
    /// Folders of others that the user may write to.
    granted: HashSet<PathBuf>,
    /// Whether `blobs` is the store.
    has_store: bool,
    /// Whether the cache holds nothing but what clients make.
    is_all_clients: bool,
    network: Option<&'static str>,
    walked: Walked,
    /// Entries with one problem, by whether clients make such and by repo: there may be a great many.
    groups: BTreeMap<(Problem, bool, Option<RepoName>), Group>,
}

/// Entries with one problem.
#[derive(Debug, Default)]
struct Group {
    paths: Vec<PathBuf>,
    bytes: u64,
    owner: u32,
}

impl<'a> Walk<'a> {
    fn of(user: User<'a>) -> Self {
        Self {
            user,
            is_me: false,
            of_group: false,
            of_others: false,
            granted: HashSet::new(),
            has_store: false,
            is_all_clients: true,
            network: None,
            walked: Walked::default(),
            groups: BTreeMap::new(),
        }
    }

    /// Checks what was found at `path`; whether to go on below it.
    fn found(&mut self, hub: &Dir, path: &Path, found: io::Result<Stamp>) -> bool {
        let is_deepest = path.iter().count() >= DEEPEST;
        let problem = match found {
            Ok(stamp) => {
                let above = || path.parent().and_then(|above| Some(hub.look(above).ok()?.mode));
                let rights = match stamp.kind {
                    Kind::File | Kind::Folder if self.is_me => Rights::of_kernel(hub, path),
                    _ => None,
                };
                let rights = rights.unwrap_or_else(|| Rights::of(&stamp, self.user));
                self.entry(path, &stamp, rights, above);
                (stamp.kind == Kind::Folder && is_deepest).then(too_deep)
            }
            // A closed folder was reported by its own entry.
            Err(error) if is_skippable(&error) => return false,
            Err(error) => Some(error),
        };
        let Some(error) = problem else { return is_client_path(path, self.has_store) };
        let problem = if is_too_deep(&error) { Problem::ForeignFile } else { Problem::DiskError };
        self.add(problem, path, 0, error.to_string(), Details::None);
        false
    }

    /// Whether owner and mode of the entry are a repair's to change.
    fn is_ours(&self, path: &Path) -> bool {
        match path.as_os_str().is_empty() {
            true => self.is_all_clients,
            false => is_client_path(path, self.has_store),
        }
    }

    fn entry(
        &mut self,
        path: &Path,
        stamp: &Stamp,
        rights: Rights,
        above: impl FnOnce() -> Option<u32>,
    ) {
        let Stamp { kind, uid, size, .. } = *stamp;
        if kind == Kind::File && size > 0 && path.starts_with(LOCKS) {
            self.walked.written_locks.push(path.to_owned());
        }
        let own = uid == self.user.uid;
        let shared = self.of_group || self.of_others;
        // The client makes a commit's list for its writer alone, whatever the cache is.
        if shared && is_tree(path) {
            return;
        }
        let full = match kind {
            Kind::File => rights.read(),
            Kind::Folder => rights.read() && rights.search(),
            _ => true,
        };
        if !full {
            self.unreadable(path, stamp, above);
        }
        let is_granted = full
            && match kind {
                // A payload is read-only for its owner, too.
                Kind::File => rights.write() || is_payload(path),
                Kind::Folder => rights.write(),
                _ => path.parent().is_some_and(|above| self.granted.contains(above)),
            };
        if !own && is_granted && kind == Kind::Folder {
            self.granted.insert(path.to_owned());
        }
        // In a shared cache the others' entries are as they should be, if all may use them. Anybody
        // who may write to a lock of others can use it.
        let usable = is_granted || shared && full && kind != Kind::Folder;
        if !own && self.user.uid != 0 {
            if !usable {
                self.group(Problem::ForeignOwner, path, stamp);
            }
        } else if kind == Kind::Folder && full && !rights.write() {
            self.group(Problem::ReadOnlyFolder, path, stamp);
        }
        if self.of_group && own && is_closed_to_group(stamp) {
            self.group(Problem::GroupClosed, path, stamp);
        }
    }

    /// An entry that the user may not read.
    fn unreadable(&mut self, path: &Path, stamp: &Stamp, above: impl FnOnce() -> Option<u32>) {
        // Without a commit's list, only what is missing cannot be told.
        let problem = match stamp.kind == Kind::File && is_tree(path) {
            true => Problem::BrokenTree,
            false => Problem::Unreadable,
        };
        let Stamp { mode, uid, .. } = *stamp;
        let details = if !self.is_ours(path) {
            Details::None
        } else if uid == self.user.uid {
            // Where the mode is right, something else forbids it.
            match mode | pattern(path, stamp.kind, above().unwrap_or_default()) {
                wanted if wanted != mode => Details::Mode(wanted),
                _ => Details::None,
            }
        } else if self.of_others {
            // The owner decides what is shared.
            Details::None
        } else {
            Details::Owned(vec![path.to_owned()])
        };
        let evidence = format!("its mode is {mode:04o}, its owner uid {uid}");
        self.add(problem, path, bytes(stamp), evidence, details);
    }

    fn add(
        &mut self,
        problem: Problem,
        path: &Path,
        bytes: u64,
        evidence: String,
        details: Details,
    ) {
        let (repo, path) = (repo_of(path), path.to_owned());
        self.walked.findings.push(Finding { problem, path, repo, bytes, evidence, details });
    }

    fn group(&mut self, problem: Problem, path: &Path, stamp: &Stamp) {
        let is_ours = self.is_ours(path);
        let repo = if is_ours { repo_of(path) } else { None };
        let new = || Group { owner: stamp.uid, ..Group::default() };
        let group = self.groups.entry((problem, is_ours, repo)).or_insert_with(new);
        group.paths.push(path.to_owned());
        group.bytes += bytes(stamp);
    }

    fn finish(mut self) -> Walked {
        for ((problem, is_ours, _), group) in std::mem::take(&mut self.groups) {
            let Group { paths, bytes, owner } = group;
            let (first, count) = (paths[0].clone(), paths.len());
            let mut details = Details::None;
            let evidence = match problem {
                Problem::ReadOnlyFolder => format!("{count} of your folders are read-only"),
                Problem::GroupClosed => {
                    format!("{count} of your entries are not open to the group")
                }
                _ => {
                    let note = match self.network {
                        _ if !is_ours => {
                            ", and no Hub client makes such; a repair leaves them alone".to_owned()
                        }
                        Some(name) => format!("; run a repair on the server of this {name}"),
                        None => String::new(),
                    };
                    if is_ours && !self.of_others {
                        details = Details::Owned(paths);
                    }
                    format!("{count} entries belong to uid {owner} or others{note}")
                }
            };
            self.add(problem, &first, bytes, evidence, details);
        }
        self.walked
    }
}

fn bytes(stamp: &Stamp) -> u64 {
    if stamp.kind == Kind::File { stamp.size } else { 0 }
}

/// What the mode of an entry should have, by that of the folder `above` it: what is open there is
/// open here. Payloads of the store stay read-only, and lists of a commit their owner's.
fn pattern(path: &Path, kind: Kind, above: u32) -> u32 {
    match kind {
        Kind::Folder => 0o700 | above & (0o055 | SET_GID),
        _ if path.starts_with(STORE) => 0o400 | above & 0o044,
        _ if is_tree(path) => 0o600,
        _ => 0o600 | above & 0o044,
    }
}

/// Whether the entry is a payload of the store, and neither its lock nor its list of users.
fn is_payload(path: &Path) -> bool {
    path.starts_with(STORE) && path.iter().count() == 3 && path.extension().is_none()
}

/// Whether the entry is in a repo's folder of lists.
fn is_tree(path: &Path) -> bool {
    path.iter().nth(1).is_some_and(|folder| folder == TREES) && path.iter().nth(2).is_some()
}

/// Whether others of the group cannot use an entry as they use the cache.
fn is_closed_to_group(stamp: &Stamp) -> bool {
    match stamp.kind {
        Kind::Folder => stamp.mode & 0o070 != 0o070 || stamp.mode & SET_GID == 0,
        Kind::File => stamp.mode & 0o040 == 0,
        _ => false,
    }
}

/// The repo that a path below the cache is in; locks are their repo's.
pub(super) fn repo_of(path: &Path) -> Option<RepoName> {
    let mut parts = path.iter().skip_while(|part| *part == LOCKS);
    RepoName::of_folder(parts.next()?.to_str()?)
}

#[cfg(test)]
mod tests;
