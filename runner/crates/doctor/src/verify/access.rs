//! Checks owners and modes of all entries for the user of the container. Follows no symlink.

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

/// The set-gid bit.
const SET_GID: u32 = 0o2000;

/// Network file systems by their magic number in statfs(2).
const NETWORK: [(i64, &str); 5] = [
    (0x6969, "NFS"),
    (0x0BD0_0BD0, "Lustre"),
    (0x4750_4653, "GPFS"),
    (0xFF53_4D42, "CIFS"),
    (0xFE53_4D42, "SMB"),
];

/// Result of a walk.
#[derive(Debug, Default)]
pub(super) struct Walked {
    /// Entries that the user cannot use.
    pub findings: Vec<Finding>,
    /// Locks with content, below the cache. Usually locks are empty.
    pub(crate) written_locks: Vec<PathBuf>,
}

/// Walks the cache, or only `repos`. Folders that no client makes are not entered.
pub(super) fn walk(
    cache: &Cache,
    repos: Option<&[RepoName]>,
    user: User<'_>,
    stop: &AtomicBool,
) -> Walked {
    let top = cache.dir.look("").ok();
    let is_group_cache = top.is_some_and(|top| is_group_shared(&top));
    let is_current_user = user.uid == getuid().as_raw();
    let mut walk = Walk {
        is_current_user,
        is_group_cache,
        // Write access to another user's folder was granted on purpose, by an access control list. The
        // mode shows the sharing with a group.
        is_granted_by_owner: is_current_user
            && !is_group_cache
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
        walk.check(&cache.dir, &root, Ok(stamp));
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
                !stop.load(Ordering::Relaxed) && walk.check(&cache.dir, &path, found)
            }),
            Err(error) => {
                walk.check(&cache.dir, &root, Err(error));
            }
        }
    }
    walk.finish()
}

/// Whether a group shares the cache, by the mode of its folder.
const fn is_group_shared(top: &Stamp) -> bool {
    top.mode & 0o020 != 0 && top.mode & SET_GID != 0
}

/// Network file system of the cache.
fn network(hub: &Path) -> Option<&'static str> {
    let magic = statfs(hub).ok()?.f_type as i64;
    NETWORK.iter().find(|(known, _)| *known == magic).map(|(_, name)| *name)
}

/// A walk in progress.
#[derive(Debug)]
struct Walk<'a> {
    user: User<'a>,
    /// Whether this process runs as the user, so that the kernel can be asked.
    is_current_user: bool,
    /// Whether a group shares the cache.
    is_group_cache: bool,
    /// Whether the cache belongs to another user, who granted write access.
    is_granted_by_owner: bool,
    /// Folders of other users with write access.
    writable_folders: HashSet<PathBuf>,
    /// Whether the folder `blobs` is the shared store.
    has_store: bool,
    /// Whether the cache has only entries of Hub clients.
    is_all_clients: bool,
    network: Option<&'static str>,
    walked: Walked,
    /// Entries by problem, by whether they are repairable, and by repo. Grouped, since a root-owned cache
    /// would have a finding for each file.
    groups: BTreeMap<(Problem, bool, Option<RepoName>), Group>,
}

/// Entries that share one finding.
#[derive(Debug, Default)]
struct Group {
    paths: Vec<PathBuf>,
    bytes: u64,
    owner: u32,
}

impl<'a> Walk<'a> {
    /// A walk for `user` in a cache that `user` owns.
    fn of(user: User<'a>) -> Self {
        Self {
            user,
            is_current_user: false,
            is_group_cache: false,
            is_granted_by_owner: false,
            writable_folders: HashSet::new(),
            has_store: false,
            is_all_clients: true,
            network: None,
            walked: Walked::default(),
            groups: BTreeMap::new(),
        }
    }

    /// Checks the entry at `path`. Returns whether to enter it.
    fn check(&mut self, hub: &Dir, path: &Path, found: io::Result<Stamp>) -> bool {
        let is_deepest = path.iter().count() >= DEEPEST;
        let problem = match found {
            Ok(stamp) => {
                let above = || path.parent().and_then(|above| Some(hub.look(above).ok()?.mode));
                let rights = match stamp.kind {
                    Kind::File | Kind::Folder if self.is_current_user => {
                        Rights::of_kernel(hub, path)
                    }
                    _ => None,
                };
                let rights = rights.unwrap_or_else(|| Rights::of(&stamp, self.user));
                self.entry(path, &stamp, rights, above);
                (stamp.kind == Kind::Folder && is_deepest).then(too_deep)
            }
            // The finding for the folder itself says that it is unreadable.
            Err(error) if is_skippable(&error) => return false,
            Err(error) => Some(error),
        };
        let Some(error) = problem else { return is_client_path(path, self.has_store) };
        let problem = if is_too_deep(&error) { Problem::ForeignFile } else { Problem::DiskError };
        self.add(problem, path, 0, error.to_string(), Details::None);
        false
    }

    /// Whether a repair may change owner and mode of the entry.
    fn is_repairable(&self, path: &Path) -> bool {
        match path.as_os_str().is_empty() {
            true => self.is_all_clients,
            false => is_client_path(path, self.has_store),
        }
    }

    /// Checks owner and mode of an entry.
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
        let is_own = uid == self.user.uid;
        let is_shared = self.is_group_cache || self.is_granted_by_owner;
        // The client always makes file lists private to their writer.
        if is_shared && is_tree(path) {
            return;
        }
        let is_readable = match kind {
            Kind::File => rights.read(),
            Kind::Folder => rights.read() && rights.search(),
            _ => true,
        };
        if !is_readable {
            self.unreadable(path, stamp, above);
        }
        let is_writable = is_readable
            && match kind {
                // Payloads are read-only even for their owner.
                Kind::File => rights.write() || is_payload(path),
                Kind::Folder => rights.write(),
                _ => path.parent().is_some_and(|above| self.writable_folders.contains(above)),
            };
        if !is_own && is_writable && kind == Kind::Folder {
            self.writable_folders.insert(path.to_owned());
        }
        // In a shared cache, entries of other users are fine if this user can use them.
        let is_usable = is_writable || is_shared && is_readable && kind != Kind::Folder;
        if !is_own && self.user.uid != 0 {
            if !is_usable {
                self.group(Problem::ForeignOwner, path, stamp);
            }
        } else if kind == Kind::Folder && is_readable && !rights.write() {
            self.group(Problem::ReadOnlyFolder, path, stamp);
        }
        if self.is_group_cache && is_own && lacks_group_permissions(stamp) {
            self.group(Problem::GroupClosed, path, stamp);
        }
    }

    /// Adds the finding for an entry that the user cannot read.
    fn unreadable(&mut self, path: &Path, stamp: &Stamp, above: impl FnOnce() -> Option<u32>) {
        // Without its file list a commit still loads.
        let problem = match stamp.kind == Kind::File && is_tree(path) {
            true => Problem::BrokenTree,
            false => Problem::Unreadable,
        };
        let Stamp { mode, uid, .. } = *stamp;
        let details = if !self.is_repairable(path) {
            Details::None
        } else if uid == self.user.uid {
            // If the mode is already correct, changing it would not help.
            match mode | expected_mode(path, stamp.kind, above().unwrap_or_default()) {
                wanted if wanted != mode => Details::Mode(wanted),
                _ => Details::None,
            }
        } else if self.is_granted_by_owner {
            // Only the owner decides what is shared.
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

    /// Adds an entry to the group of its problem.
    fn group(&mut self, problem: Problem, path: &Path, stamp: &Stamp) {
        let is_repairable = self.is_repairable(path);
        let repo = if is_repairable { repo_of(path) } else { None };
        let new = || Group { owner: stamp.uid, ..Group::default() };
        let group = self.groups.entry((problem, is_repairable, repo)).or_insert_with(new);
        group.paths.push(path.to_owned());
        group.bytes += bytes(stamp);
    }

    /// The result, with one finding for each group of entries.
    fn finish(mut self) -> Walked {
        for ((problem, is_repairable, _), group) in std::mem::take(&mut self.groups) {
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
                        _ if !is_repairable => {
                            ", and no Hub client makes such; a repair leaves them alone".to_owned()
                        }
                        Some(name) => format!("; run a repair on the server of this {name}"),
                        None => String::new(),
                    };
                    if is_repairable && !self.is_granted_by_owner {
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

/// Size of a regular file, and 0 for other entries.
fn bytes(stamp: &Stamp) -> u64 {
    if stamp.kind == Kind::File { stamp.size } else { 0 }
}

/// Minimum mode of an entry, derived from the mode of the folder `above` it. Payloads stay read-only,
/// and file lists private.
fn expected_mode(path: &Path, kind: Kind, above: u32) -> u32 {
    match kind {
        Kind::Folder => 0o700 | above & (0o055 | SET_GID),
        _ if path.starts_with(STORE) => 0o400 | above & 0o044,
        _ if is_tree(path) => 0o600,
        _ => 0o600 | above & 0o044,
    }
}

/// Whether the entry is a payload of the store.
fn is_payload(path: &Path) -> bool {
    path.starts_with(STORE) && path.iter().count() == 3 && path.extension().is_none()
}

/// Whether the entry is a file list of a commit.
fn is_tree(path: &Path) -> bool {
    path.iter().nth(1).is_some_and(|folder| folder == TREES) && path.iter().nth(2).is_some()
}

/// Whether the group lacks permissions on an entry.
fn lacks_group_permissions(stamp: &Stamp) -> bool {
    match stamp.kind {
        Kind::Folder => stamp.mode & 0o070 != 0o070 || stamp.mode & SET_GID == 0,
        Kind::File => stamp.mode & 0o040 == 0,
        _ => false,
    }
}

/// Repo of a path below the cache. A lock belongs to the repo that it locks.
pub(super) fn repo_of(path: &Path) -> Option<RepoName> {
    let mut parts = path.iter().skip_while(|part| *part == LOCKS);
    RepoName::of_folder(parts.next()?.to_str()?)
}

#[cfg(test)]
mod tests;
