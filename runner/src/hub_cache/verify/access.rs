//! Who may do what in a cache: owners and modes of every entry, for the user whom a container runs
//! as. A walk, by the entries' own data: links are looked at and not followed.

use std::{
    collections::BTreeMap,
    fs::Metadata,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use walkdir::WalkDir;

use crate::hub_cache::{
    breakage::{Breakage, Fix, What},
    dir::{DEEPEST, is_too_deep, too_deep},
    names::RepoName,
    reached::is_passing,
    repo::TREES,
    store::STORE,
};

/// Permission bits of a folder's set-gid.
const SET_GID: u32 = 0o2000;

/// Whose rights are judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Who<'a> {
    /// The user.
    pub(crate) uid: u32,
    /// The group.
    pub(crate) gid: u32,
    /// Other groups. Where an engine does not pass them on, a run says so.
    pub(crate) groups: &'a [u32],
}

/// What a user may do with an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rights(u32);

impl Rights {
    /// What the mode of `data` allows.
    fn of(data: &Entry, who: Who<'_>) -> Self {
        Self(if who.uid == 0 {
            0o7
        } else if data.uid == who.uid {
            data.mode >> 6 & 0o7
        } else if data.gid == who.gid || who.groups.contains(&data.gid) {
            data.mode >> 3 & 0o7
        } else {
            data.mode & 0o7
        })
    }

    const fn read(self) -> bool {
        self.0 & 0o4 != 0
    }

    const fn write(self) -> bool {
        self.0 & 0o2 != 0
    }

    const fn search(self) -> bool {
        self.0 & 0o1 != 0
    }
}

/// What of an entry matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    kind: EntryKind,
    mode: u32,
    uid: u32,
    gid: u32,
    size: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum EntryKind {
    File,
    Folder,
    Other,
}

impl Entry {
    fn of(data: &Metadata) -> Self {
        let kind = if data.is_dir() {
            EntryKind::Folder
        } else if data.is_file() {
            EntryKind::File
        } else {
            EntryKind::Other
        };
        let (mode, uid, gid) = (data.mode() & 0o7777, data.uid(), data.gid());
        Self { kind, mode, uid, gid, size: if data.is_file() { data.len() } else { 0 } }
    }
}

/// What a walk found.
#[derive(Debug, Default)]
pub(crate) struct Walked {
    /// What is closed, or somebody else's.
    pub(crate) breakages: Vec<Breakage>,
    /// Locks that hold a text, below the cache: usually they are empty.
    pub(crate) written_locks: Vec<PathBuf>,
}

/// Walks the cache at `hub`, or only these repos of it.
pub(crate) fn walk(hub: &Path, repos: Option<&[RepoName]>, who: Who<'_>) -> Walked {
    let mut judge = Judge { who, shared: is_shared(hub), ..Judge::default() };
    let roots: Vec<PathBuf> = match repos {
        None => vec![hub.to_owned()],
        Some(repos) => repos
            .iter()
            .flat_map(|repo| {
                let folder = repo.folder();
                [hub.join(&folder), hub.join(".locks").join(folder)]
            })
            .filter(|path| path.symlink_metadata().is_ok())
            .collect(),
    };
    for root in roots {
        let mut entries = WalkDir::new(&root).follow_root_links(true).into_iter();
        while let Some(entry) = entries.next() {
            let looked = entry.and_then(|entry| Ok((entry.metadata()?, entry)));
            match looked {
                Ok((data, entry)) => {
                    let below = entry.path().strip_prefix(hub).unwrap_or(entry.path());
                    judge.entry(below, entry.depth(), Entry::of(&data));
                    if entry.depth() == DEEPEST && data.is_dir() {
                        entries.skip_current_dir();
                        judge.add(
                            What::TooDeep,
                            below.to_owned(),
                            0,
                            too_deep().to_string(),
                            vec![],
                        );
                    }
                }
                // A closed folder was judged by its own entry.
                Err(error) if error.io_error().is_some_and(is_passing) => {}
                Err(error) => {
                    let path = error.path().unwrap_or(hub);
                    let below = path.strip_prefix(hub).unwrap_or(path).to_owned();
                    let is_too_deep = error.io_error().is_some_and(is_too_deep);
                    let what = if is_too_deep { What::TooDeep } else { What::DiskError };
                    judge.add(what, below, 0, error.to_string(), vec![]);
                }
            }
        }
    }
    judge.finish()
}

/// Whether a group fills the cache together: its folder says so.
fn is_shared(hub: &Path) -> bool {
    hub.metadata().is_ok_and(|data| data.mode() & 0o020 != 0 && data.mode() & SET_GID != 0)
}

#[derive(Debug)]
struct Judge<'a> {
    who: Who<'a>,
    shared: bool,
    walked: Walked,
    /// Modes of the folders on the way to an entry.
    folders: Vec<u32>,
    /// By repo, as there may be a great many.
    foreign: BTreeMap<Option<RepoName>, Group>,
    group_closed: BTreeMap<Option<RepoName>, Group>,
    read_only: BTreeMap<Option<RepoName>, Group>,
}

impl Default for Judge<'_> {
    fn default() -> Self {
        Self {
            who: Who { uid: 0, gid: 0, groups: &[] },
            shared: false,
            walked: Walked::default(),
            folders: vec![],
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
    fn entry(&mut self, path: &Path, depth: usize, entry: Entry) {
        let Entry { kind, mode, uid, gid: _, size } = entry;
        if kind == EntryKind::File && size > 0 && path.starts_with(".locks") {
            self.walked.written_locks.push(path.to_owned());
        }
        if kind == EntryKind::Folder {
            self.folders.truncate(depth);
            self.folders.push(mode);
        }
        let own = uid == self.who.uid;
        let rights = Rights::of(&entry, self.who);
        let full = match kind {
            EntryKind::File => rights.read(),
            EntryKind::Folder => rights.read() && rights.search(),
            EntryKind::Other => true,
        };
        let repo = repo_of(path);
        // The client makes a commit's list for its writer alone, whatever the cache is.
        if self.shared && is_tree(path) {
            return;
        }
        if !full {
            let what = match kind {
                EntryKind::Folder => What::ClosedFolder,
                // Only what is missing cannot be told then.
                _ if is_tree(path) => What::BrokenTree,
                _ => What::UnreadableFile,
            };
            let fix = if own {
                let above = depth.checked_sub(1).and_then(|above| self.folders.get(above));
                let mode = mode | pattern(path, kind, above.copied().unwrap_or_default());
                Fix::Mode { path: path.to_owned(), mode }
            } else {
                Fix::TakeBack { paths: vec![path.to_owned()] }
            };
            let evidence = format!("its mode is {mode:04o}, its owner uid {uid}");
            self.add(what, path.to_owned(), size, evidence, vec![fix]);
        }
        // On a cache of a group the others' entries are as they should be, if the group may use
        // them. A lock of others is used by whoever may write to it.
        let usable = full && (rights.write() || kind != EntryKind::Folder || !self.shared);
        if !own && self.who.uid != 0 {
            if self.shared && usable {
            } else {
                self.foreign.entry(repo.clone()).or_default().take(path, entry);
            }
        } else if kind == EntryKind::Folder && full && !rights.write() {
            self.read_only.entry(repo.clone()).or_default().take(path, entry);
        }
        if self.shared && own && is_closed_to_group(entry) {
            self.group_closed.entry(repo).or_default().take(path, entry);
        }
    }

    fn add(&mut self, what: What, path: PathBuf, bytes: u64, evidence: String, fixes: Vec<Fix>) {
        let repo = repo_of(&path);
        self.walked.breakages.push(Breakage { what, path, repo, bytes, evidence, fixes });
    }

    fn finish(mut self) -> Walked {
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
                        vec![Fix::TakeBack { paths }],
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
    let folder = if first == ".locks" { parts.next()?.to_str()? } else { first };
    RepoName::of_folder(folder)
}

#[cfg(test)]
mod tests;
