//! Who may do what in a cache: owners and modes of every entry, for the user whom a container runs
//! as. A walk, by the entries' own data: links are looked at and not followed.

mod rights;

use std::{
    collections::{BTreeMap, HashSet},
    io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use rustix::{fs::Access, process::getuid};
use untrusted::Found;

use crate::hub_cache::{
    belongs::{LOCKS, belongs},
    breakage::{Breakage, Fix, What},
    cache::Cache,
    dir::{DEEPEST, Dir, Kind, Stamp, is_too_deep, too_deep},
    names::RepoName,
    reached::is_passing,
    repo::TREES,
    store::STORE,
};

pub(crate) use rights::Who;
use rights::{Entry, EntryKind, Rights};

/// Permission bits of a folder's set-gid.
const SET_GID: u32 = 0o2000;

/// What a walk found.
#[derive(Debug, Default)]
pub(crate) struct Walked {
    /// What is closed, or somebody else's.
    pub(crate) breakages: Vec<Breakage>,
    /// Locks that hold a text, below the cache: usually they are empty.
    pub(crate) written_locks: Vec<PathBuf>,
}

/// Walks the cache, or only these repos of it. What no client makes is judged by itself, and not
/// entered.
pub(crate) fn walk(
    cache: &Cache,
    repos: Option<&[RepoName]>,
    who: Who<'_>,
    stop: &AtomicBool,
) -> Walked {
    let top = cache.dir.look("").ok();
    let of_group = top.is_some_and(|top| is_shared(&top));
    let is_me = who.uid == getuid().as_raw();
    // Somebody else's folder that is open for writing was opened on purpose, by an access control
    // list. What a group shares is told by its folder.
    let of_others = is_me
        && !of_group
        && top.is_some_and(|top| top.uid != who.uid)
        && cache.dir.may("", Access::WRITE_OK).is_ok_and(|may| may);
    let mut judge = Judge {
        who,
        is_me,
        of_group,
        of_others,
        has_store: cache.store.is_some(),
        is_all_clients: cache.is_all_clients(),
        ..Judge::default()
    };
    let roots: Vec<PathBuf> = match repos {
        None => vec![PathBuf::new()],
        Some(repos) => repos
            .iter()
            .flat_map(|repo| {
                let folder = repo.folder();
                [Path::new(LOCKS).join(&folder), folder.into()]
            })
            .collect(),
    };
    for root in roots {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let Ok(stamp) = cache.dir.look(&root) else { continue };
        judge.found(&cache.dir, &root, Ok(stamp));
        if stamp.kind != Kind::Folder {
            continue;
        }
        match cache.dir.dir(&root) {
            Ok(dir) => dir.walk(DEEPEST, |found| {
                let (path, found) = match found {
                    Found::Entry { path, stamp } => (path, Ok(stamp)),
                    Found::Closed { path, error } => (path, Err(error)),
                };
                !stop.load(Ordering::Relaxed) && judge.found(&cache.dir, &below(&root, path), found)
            }),
            Err(error) => {
                judge.found(&cache.dir, &root, Err(error));
            }
        }
    }
    judge.finish()
}

/// `path` below `root`, without a slash at its end.
fn below(root: &Path, path: &Path) -> PathBuf {
    if path.as_os_str().is_empty() { root.to_owned() } else { root.join(path) }
}

/// Whether a group fills the cache together: its folder says so.
const fn is_shared(top: &Stamp) -> bool {
    top.mode & 0o020 != 0 && top.mode & SET_GID != 0
}

#[derive(Debug)]
struct Judge<'a> {
    who: Who<'a>,
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
    walked: Walked,
    /// By repo, as there may be a great many.
    foreign: BTreeMap<Option<RepoName>, Group>,
    group_closed: BTreeMap<Option<RepoName>, Group>,
    read_only: BTreeMap<Option<RepoName>, Group>,
    /// Somebody else's that no client makes.
    strange: Group,
}

impl Default for Judge<'_> {
    fn default() -> Self {
        Self {
            who: Who { uid: 0, gid: 0, groups: &[] },
            is_me: false,
            of_group: false,
            of_others: false,
            granted: HashSet::new(),
            has_store: false,
            is_all_clients: true,
            walked: Walked::default(),
            strange: Group::default(),
            foreign: BTreeMap::new(),
            group_closed: BTreeMap::new(),
            read_only: BTreeMap::new(),
        }
    }
}

/// Entries with one fault.
#[derive(Debug, Default)]
struct Group {
    paths: Vec<PathBuf>,
    bytes: u64,
    owner: u32,
}

impl Group {
    fn take(&mut self, path: &Path, entry: Entry) {
        if self.paths.is_empty() {
            self.owner = entry.uid;
        }
        self.paths.push(path.to_owned());
        self.bytes += entry.size;
    }
}

impl Judge<'_> {
    /// Judges what was found at `path`; whether to go on below it.
    fn found(&mut self, hub: &Dir, path: &Path, found: io::Result<Stamp>) -> bool {
        let stamp = match found {
            Ok(stamp) => stamp,
            // A closed folder was judged by its own entry.
            Err(error) if is_passing(&error) => return false,
            Err(error) => {
                let what = if is_too_deep(&error) { What::TooDeep } else { What::DiskError };
                self.add(what, path.to_owned(), 0, error.to_string(), vec![]);
                return false;
            }
        };
        let above = || path.parent().and_then(|above| Some(hub.look(above).ok()?.mode));
        let entry = Entry::of(&stamp);
        let rights = match entry.kind {
            EntryKind::File | EntryKind::Folder if self.is_me => Rights::of_kernel(hub, path),
            _ => None,
        };
        self.entry(path, entry, rights.unwrap_or_else(|| Rights::of(&entry, self.who)), above);
        let is_too_deep = path.iter().count() >= DEEPEST && stamp.kind == Kind::Folder;
        if is_too_deep {
            self.add(What::TooDeep, path.to_owned(), 0, too_deep().to_string(), vec![]);
        }
        !is_too_deep && belongs(path, self.has_store)
    }

    /// Whether owner and mode of the entry are a repair's to change.
    fn is_ours(&self, path: &Path) -> bool {
        match path.as_os_str().is_empty() {
            true => self.is_all_clients,
            false => belongs(path, self.has_store),
        }
    }

    fn entry(
        &mut self,
        path: &Path,
        entry: Entry,
        rights: Rights,
        above: impl FnOnce() -> Option<u32>,
    ) {
        let Entry { kind, mode, uid, gid: _, size } = entry;
        if kind == EntryKind::File && size > 0 && path.starts_with(LOCKS) {
            self.walked.written_locks.push(path.to_owned());
        }
        let own = uid == self.who.uid;
        let shared = self.of_group || self.of_others;
        let full = match kind {
            EntryKind::File => rights.read(),
            EntryKind::Folder => rights.read() && rights.search(),
            EntryKind::Other => true,
        };
        let repo = repo_of(path);
        // The client makes a commit's list for its writer alone, whatever the cache is.
        if shared && is_tree(path) {
            return;
        }
        if !full {
            let what = match kind {
                EntryKind::Folder => What::ClosedFolder,
                // Only what is missing cannot be told then.
                _ if is_tree(path) => What::BrokenTree,
                _ => What::UnreadableFile,
            };
            let fix = self.is_ours(path).then(|| match own {
                true => {
                    let wanted = mode | pattern(path, kind, above().unwrap_or_default());
                    // Where the mode is right, something else forbids it.
                    (wanted != mode).then(|| Fix::Mode { path: path.to_owned(), mode: wanted })
                }
                // Who shares a cache decides what is shared.
                false => (!self.of_others).then(|| Fix::TakeBack { paths: vec![path.to_owned()] }),
            });
            let evidence = format!("its mode is {mode:04o}, its owner uid {uid}");
            let fixes = fix.flatten().into_iter().collect();
            self.add(what, path.to_owned(), size, evidence, fixes);
        }
        let is_granted = full
            && match kind {
                // A payload is read-only for its owner, too.
                EntryKind::File => rights.write() || is_payload(path),
                EntryKind::Folder => rights.write(),
                EntryKind::Other => path.parent().is_some_and(|above| self.granted.contains(above)),
            };
        if !own && is_granted && kind == EntryKind::Folder {
            self.granted.insert(path.to_owned());
        }
        // In a shared cache the others' entries are as they should be, if all may use them. A lock
        // of others is used by whoever may write to it.
        let usable = is_granted || shared && full && kind != EntryKind::Folder;
        if !own && self.who.uid != 0 {
            if usable {
            } else if !self.is_ours(path) {
                self.strange.take(path, entry);
            } else {
                self.foreign.entry(repo.clone()).or_default().take(path, entry);
            }
        } else if kind == EntryKind::Folder && full && !rights.write() {
            self.read_only.entry(repo.clone()).or_default().take(path, entry);
        }
        if self.of_group && own && is_closed_to_group(entry) {
            self.group_closed.entry(repo).or_default().take(path, entry);
        }
    }

    fn add(&mut self, what: What, path: PathBuf, bytes: u64, evidence: String, fixes: Vec<Fix>) {
        let repo = repo_of(&path);
        self.walked.breakages.push(Breakage { what, path, repo, bytes, evidence, fixes });
    }

    fn finish(mut self) -> Walked {
        let Group { paths, bytes, owner } = std::mem::take(&mut self.strange);
        if let Some(first) = paths.first() {
            let evidence = format!(
                "{} entries belong to uid {owner} or others, and no Hub client makes such; a repair \
                 leaves them alone",
                paths.len()
            );
            self.add(What::ForeignOwner, first.clone(), bytes, evidence, vec![]);
        }
        let groups = [
            (What::ForeignOwner, std::mem::take(&mut self.foreign)),
            (What::ReadOnlyFolder, std::mem::take(&mut self.read_only)),
            (What::GroupClosed, std::mem::take(&mut self.group_closed)),
        ];
        for (what, groups) in groups {
            for (repo, Group { paths, bytes, owner }) in groups {
                let first = paths[0].clone();
                let count = paths.len();
                let (evidence, fixes) = match what {
                    What::ForeignOwner => (
                        format!("{count} entries belong to uid {owner} or others"),
                        (!self.of_others).then_some(Fix::TakeBack { paths }).into_iter().collect(),
                    ),
                    What::ReadOnlyFolder => {
                        (format!("{count} folder(s) of yours are read-only"), vec![])
                    }
                    _ => (format!("{count} entries of yours are closed to the group"), vec![]),
                };
                self.walked.breakages.push(Breakage {
                    what,
                    path: first,
                    repo,
                    bytes,
                    evidence,
                    fixes,
                });
            }
        }
        self.walked
    }
}

/// What the mode of an entry should have, by that of the folder `above` it: what is open there is
/// open here. Payloads of the store stay read-only, and lists of a commit their owner's.
fn pattern(path: &Path, kind: EntryKind, above: u32) -> u32 {
    match kind {
        EntryKind::Folder => 0o700 | above & (0o055 | SET_GID),
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
fn is_closed_to_group(entry: Entry) -> bool {
    match entry.kind {
        EntryKind::Folder => entry.mode & 0o070 != 0o070 || entry.mode & SET_GID == 0,
        EntryKind::File => entry.mode & 0o040 == 0,
        EntryKind::Other => false,
    }
}

/// The repo that a path below the cache is in; locks are their repo's.
fn repo_of(path: &Path) -> Option<RepoName> {
    let mut parts = path.iter();
    let first = parts.next()?.to_str()?;
    let folder = if first == LOCKS { parts.next()?.to_str()? } else { first };
    RepoName::of_folder(folder)
}

#[cfg(test)]
mod tests;
