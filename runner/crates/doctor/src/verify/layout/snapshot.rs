//! Inspects a snapshot: its symlinks, its commit's file list and missing files.

use std::{
    collections::{BTreeSet, HashSet},
    ffi::{OsStr, OsString},
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};

use hub::layout::{
    BLOBS, Blob, Content, Digest, Kind, LinkTarget, ReadError, Snapshot, SnapshotFile, Stamp,
    TREES, Tree, TreeFault, TreeFile, is_commit,
    link::{self, Pointer},
};

use super::{Check, Inspector, unproven};
use crate::finding::{Details, Problem, is_unfinished};

/// Limit of names in a message.
const SHOWN: usize = 3;

/// Result of opening a file of a snapshot.
enum Opened {
    Content,
    Missing,
    Nothing,
    Unknown,
}

impl Inspector<'_> {
    /// Inspects a snapshot.
    pub(super) fn snapshot(&mut self, snapshot: &Snapshot) {
        let mut is_known = snapshot.errors.is_empty();
        snapshot.errors.iter().for_each(|read_error| self.read_error(read_error));
        self.has_unread_snapshots |= !is_known;
        let (tree, is_hidden) = self.tree(&snapshot.commit);
        let mut present = HashSet::new();
        let mut dangling = HashSet::new();
        // Without a file list, files among symlinks come from another program. Files alone come from a
        // client on a file system without symlinks. An unreadable list may name them.
        let is_link = |file: &SnapshotFile| matches!(file.content, Content::Blob { .. });
        let only_links = !is_hidden && snapshot.files.iter().any(is_link);
        for file in &snapshot.files {
            let entry = tree
                .as_ref()
                .map(|Tree(files)| file.path.to_str().and_then(|path| files.get(path)));
            let path = snapshot.place.join(&file.path);
            match self.file(snapshot, file, &path, entry, only_links) {
                Opened::Content => drop(present.insert(file.path.as_path())),
                Opened::Missing => drop(dangling.insert(file.path.as_path())),
                Opened::Nothing => {}
                Opened::Unknown => is_known = false,
            }
        }
        let mut missing = self.missing_shards(snapshot, &present);
        if let Some(Tree(files)) = &tree {
            // Dangling symlinks are reported one by one.
            let paths = files.keys().map(PathBuf::from);
            missing.extend(paths.filter(|path| {
                !present.contains(path.as_path()) && !dangling.contains(path.as_path())
            }));
        }
        // An unreadable file is not missing.
        if is_known {
            self.missing(&snapshot.place, &missing);
        }
    }

    /// Reports missing files.
    fn missing(&mut self, place: &Path, missing: &BTreeSet<PathBuf>) {
        if missing.is_empty() {
            return;
        }
        let shown: Vec<_> =
            missing.iter().take(SHOWN).map(|path| format!("`{}`", path.display())).collect();
        let more = if missing.len() > SHOWN { ", …" } else { "" };
        let evidence = format!("{} file(s) are missing: {}{more}", missing.len(), shown.join(", "));
        self.report(Problem::PartialSnapshot, place, evidence);
    }

    /// Collects the blobs of a file list. A download links to them instead of fetching them.
    fn collect_listed(&mut self, Tree(files): &Tree) {
        let payloads = files
            .values()
            .filter_map(|file| Some((file.xet_hash()?.to_owned(), file.etag().to_owned())));
        self.found.listed.extend(payloads);
        self.listed.extend(files.values().map(|file| OsString::from(file.etag())));
    }

    /// Collects the blobs of file lists without a snapshot.
    pub(super) fn lists(&mut self) {
        // An unreadable folder is reported elsewhere.
        let list = self.repo.dir.dir(TREES).and_then(|dir| dir.list()).unwrap_or_default();
        for (name, _) in list {
            let commit = name.to_str().and_then(|name| name.strip_suffix(".json"));
            let Some(commit) = commit.filter(|commit| is_commit(commit)) else { continue };
            let has_snapshot = self.repo.commits.iter().any(|(name, _)| *name == *commit);
            if !has_snapshot && let Some(Ok(tree)) = self.repo.tree(commit) {
                self.collect_listed(&tree);
            }
        }
    }

    /// The commit's file list, and whether it exists but is unreadable.
    fn tree(&mut self, commit: &str) -> (Option<Tree>, bool) {
        let path = Path::new(TREES).join(format!("{commit}.json"));
        let (why, details) = match self.repo.tree(commit) {
            None => return (None, false),
            Some(Ok(tree)) => {
                self.collect_listed(&tree);
                return (Some(tree), false);
            }
            Some(Err(TreeFault::Unusable(why))) => {
                // A pipe or a folder cannot be moved to `.set-aside`.
                let is_file = self.repo.dir.look(&path).is_ok_and(|stamp| stamp.kind == Kind::File);
                let content = is_file.then(|| Details::Content(self.below(&path)));
                (why, content.unwrap_or(Details::None))
            }
            Some(Err(TreeFault::OtherVersion(why))) => (why, Details::None),
            Some(Err(TreeFault::Unreadable(error))) => {
                self.read_error(&ReadError { path, error });
                return (None, true);
            }
        };
        self.add(Problem::BrokenTree, &path, 0, why, details);
        (None, false)
    }

    /// Inspects a file of a snapshot. `entry` is its entry in the commit's file list; `Some(None)` if the
    /// list lacks it.
    fn file(
        &mut self,
        snapshot: &Snapshot,
        file: &SnapshotFile,
        path: &Path,
        entry: Option<Option<&TreeFile>>,
        only_links: bool,
    ) -> Opened {
        let is_link = !matches!(file.content, Content::Entry(_));
        if is_link && file.path.file_name().is_some_and(is_unfinished) {
            let details = Details::Links(vec![self.below(path)]);
            self.add(Problem::Leftover, path, 0, "a link that a repair was making", details);
            return Opened::Nothing;
        }
        match &file.content {
            Content::Blob { name, absolute } => {
                self.used.insert(name.clone());
                if *absolute {
                    let details = Details::LinkText(link::canonical(file.folders, name));
                    let evidence = "its text is an absolute path";
                    self.add(Problem::AbsoluteLink, path, 0, evidence, details);
                }
                self.pointer(name, file, path, entry)
            }
            Content::Entry(stamp) if stamp.kind == Kind::File => {
                if let Some(name) = self.text_of_link(snapshot, file, stamp, entry.flatten()) {
                    self.link_as_text(name, file, path);
                    return Opened::Missing;
                }
                if entry.map_or(only_links, |entry| entry.is_none()) {
                    self.foreign(path, stamp.size, "a file that no download made");
                } else {
                    self.copy(snapshot, file, stamp, path, entry.flatten());
                }
                Opened::Content
            }
            Content::Entry(_) => {
                self.foreign(path, 0, "it is no file and no link");
                Opened::Nothing
            }
            Content::Link { text, target } if self.repo.contains_target(path, text) => {
                self.link_in_repo(text, *target, path)
            }
            Content::Link { text, target } => {
                self.escaping_link(text, file, path, entry.flatten());
                match target {
                    LinkTarget::Found(_) => Opened::Nothing,
                    LinkTarget::Missing => Opened::Missing,
                    LinkTarget::Unknown(_) => Opened::Unknown,
                }
            }
        }
    }

    /// Inspects a file in place of a symlink.
    fn copy(
        &mut self,
        snapshot: &Snapshot,
        file: &SnapshotFile,
        stamp: &Stamp,
        path: &Path,
        entry: Option<&TreeFile>,
    ) {
        let path = self.below(path);
        let Some(at) = self.repo.file_at(snapshot, file) else { return };
        self.found.copies.add(&path, stamp.size);
        match entry.and_then(|entry| Digest::of_name(entry.etag().as_bytes())) {
            Some(expected) => self.found.checks.push(Check {
                content: Some(path.clone()),
                path,
                repo: Some(self.repo.name.clone()),
                at,
                stamp: *stamp,
                expected,
                suspected: None,
            }),
            None => self.found.unverifiable.add(&path, stamp.size),
        }
    }

    /// Inspects a symlink to a blob of the repo.
    fn pointer(
        &mut self,
        name: &OsString,
        file: &SnapshotFile,
        path: &Path,
        entry: Option<Option<&TreeFile>>,
    ) -> Opened {
        let listed = self.repo.blobs.get(name);
        if listed.is_some_and(Blob::is_foreign_link) {
            let link = self.below(path);
            self.users_of_escaping.entry(name.clone()).or_default().push(link);
        }
        match self.repo.blob_target(name) {
            LinkTarget::Found(stamp) if stamp.kind == Kind::File => {}
            LinkTarget::Found(_) => {
                let evidence = format!("`{BLOBS}/{}` is no file", name.display());
                self.report(Problem::DanglingPointer, path, evidence);
                return Opened::Missing;
            }
            LinkTarget::Missing => {
                self.dangling(name, path, entry.flatten());
                return Opened::Missing;
            }
            LinkTarget::Unknown(_) => return Opened::Unknown,
        }
        // A blob downloaded since then is left to the next verification.
        let Some((blob, stamp)) = listed.and_then(|blob| Some((blob, blob.file()?))) else {
            return Opened::Content;
        };
        match entry {
            Some(Some(entry)) if *name != *OsStr::new(entry.etag()) => {
                self.wrong_blob(name, blob, stamp, file, path, entry);
            }
            Some(Some(entry)) if stamp.size != entry.size() => {
                let (size, listed) = (stamp.size, entry.size());
                let evidence = format!("it has {size} bytes, the commit's list says {listed}");
                // A blob that is a symlink out of the repo has its own finding.
                let details = match blob.is_foreign_link() {
                    true => Details::None,
                    false => Details::Content(self.content_of(name, blob)),
                };
                let path = Path::new(BLOBS).join(name);
                let found = self.finding(Problem::TruncatedBlob, path, size, evidence, details);
                self.wrong_size.entry(name.clone()).or_insert(found);
            }
            Some(None) => self.foreign(path, stamp.size, "the commit has no such file"),
            _ => {}
        }
        Opened::Content
    }

    /// Inspects a symlink to another blob than in the file list. The content decides, as a server may use
    /// another etag than the list.
    fn wrong_blob(
        &mut self,
        name: &OsString,
        blob: &Blob,
        stamp: &Stamp,
        file: &SnapshotFile,
        path: &Path,
        entry: &TreeFile,
    ) {
        let right = OsStr::new(entry.etag());
        let has_right = self.repo.blobs.get(right).is_some_and(|blob| blob.file().is_some());
        let details = match has_right {
            true => Details::LinkText(link::canonical(file.folders, right)),
            false => Details::None,
        };
        let evidence = format!("it leads to `{}`, the commit has {right:?}", name.display());
        let found = self.finding(Problem::CorruptBlob, path, stamp.size, evidence, details);
        let is_likely_right = stamp.size == entry.size() && !has_right;
        match (Digest::of_name(right.as_bytes()), self.repo.blob_at(name)) {
            (Some(expected), at) => {
                self.found.suspected.extend((!is_likely_right).then(|| unproven(&found)));
                self.found.checks.extend(at.map(|at| Check {
                    path: self.below(&Path::new(BLOBS).join(name)),
                    repo: Some(self.repo.name.clone()),
                    at,
                    content: Some(self.content_of(name, blob)),
                    stamp: *stamp,
                    expected,
                    suspected: Some(found),
                }));
            }
            (None, _) if !is_likely_right => self.found.findings.push(found),
            (None, _) => {}
        }
    }

    /// Reports a symlink to a missing blob.
    fn dangling(&mut self, name: &OsStr, path: &Path, entry: Option<&TreeFile>) {
        // A dangling symlink to the store is reported once, with the blob.
        if self.repo.blobs.contains_key(name) {
            return;
        }
        let why = match (self.quarantined.contains(name), self.has_no_blobs_folder) {
            (true, _) => ", which a repair has set aside",
            // The symlink is right again once the disk is mounted.
            (false, true) => ", as `blobs` is no folder now",
            (false, false) => "",
        };
        let evidence = format!("there is no `{BLOBS}/{}`{why}", name.display());
        let details = match why {
            "" => Details::MissingBlob(name.to_owned()),
            _ => Details::None,
        };
        let bytes = entry.map_or(0, TreeFile::size);
        self.add(Problem::DanglingPointer, path, bytes, evidence, details);
    }

    /// Inspects a symlink to another file of the repo, which no client makes.
    fn link_in_repo(&mut self, text: &[u8], target: LinkTarget, path: &Path) -> Opened {
        let evidence = format!("it leads to `{}`", String::from_utf8_lossy(text));
        match target {
            LinkTarget::Found(_) => {
                if text.starts_with(b"/") {
                    self.report(Problem::AbsoluteLink, path, evidence);
                }
                target.file().map_or(Opened::Nothing, |_| Opened::Content)
            }
            LinkTarget::Missing => {
                self.report(Problem::DanglingPointer, path, evidence);
                Opened::Missing
            }
            LinkTarget::Unknown(_) => Opened::Unknown,
        }
    }

    /// Reports a symlink out of the repo. The right target is the blob in the file list, or the blob with
    /// the file name of the current target.
    fn escaping_link(
        &mut self,
        text: &[u8],
        file: &SnapshotFile,
        path: &Path,
        entry: Option<&TreeFile>,
    ) {
        let target = Path::new(OsStr::from_bytes(text));
        let listed = entry.map(|entry| OsStr::new(entry.etag()));
        let right = listed
            .or(target.file_name())
            .filter(|name| self.repo.blobs.get(*name).is_some_and(|blob| blob.file().is_some()));
        self.used.extend(right.map(OsStr::to_owned));
        let details = match right {
            Some(name) => Details::LinkText(link::canonical(file.folders, name)),
            None => Details::Links(vec![self.below(path)]),
        };
        let evidence = format!("it leads to `{}`", target.display());
        self.add(Problem::EscapingLink, path, 0, evidence, details);
    }

    /// The blob named by a file that was a symlink and became a text file in a copy.
    fn text_of_link(
        &self,
        snapshot: &Snapshot,
        file: &SnapshotFile,
        stamp: &Stamp,
        entry: Option<&TreeFile>,
    ) -> Option<OsString> {
        let is_itself = entry.is_some_and(|entry| entry.size() == stamp.size);
        if is_itself || stamp.size > link::MAX_TEXT {
            return None;
        }
        let bytes = self.repo.file_at(snapshot, file)?.read(link::MAX_TEXT).ok()?;
        match link::pointer(&link::text_in_file(&bytes)?, file.folders, &self.repo.path) {
            Pointer::Blob(name) | Pointer::AbsoluteBlob(name) => {
                let is_blob = self.repo.blobs.contains_key(&name);
                (is_blob || Digest::of_name(name.as_bytes()).is_some()).then_some(name)
            }
            Pointer::Elsewhere => None,
        }
    }

    /// Reports a symlink that became a text file.
    fn link_as_text(&mut self, name: OsString, file: &SnapshotFile, path: &Path) {
        let is_there = self.repo.blobs.get(&name).is_some_and(|blob| blob.file().is_some());
        let (lacks, details) = match is_there {
            true => ("", Details::LinkText(link::canonical(file.folders, &name))),
            false => (", and there is no such blob", Details::None),
        };
        let evidence = format!("it names `{BLOBS}/{}`{lacks}", name.display());
        self.add(Problem::LinkAsText, path, 0, evidence, details);
        self.used.insert(name);
    }
}
