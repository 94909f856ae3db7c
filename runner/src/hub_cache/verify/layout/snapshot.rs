//! Judges a snapshot: its links, its commit's list, and what it lacks.

use std::{
    borrow::Cow,
    collections::{BTreeSet, HashSet},
    ffi::{OsStr, OsString},
    os::unix::ffi::OsStrExt as _,
    path::Path,
};

use untrusted::Refused;

use super::Judge;
use crate::hub_cache::{
    breakage::{Fix, What},
    census::completeness,
    completeness::{Completeness, LARGEST_INDEX, Witness, is_index},
    dir::Kind,
    link,
    names::{Digest, is_commit},
    reached::{Reached, Seen},
    repair::is_unfinished,
    repo::{BLOBS, Blob, TREES, TreeFault, Trouble},
    snapshot::{Content, Snapshot, SnapshotFile},
    tree::{Tree, TreeFile},
    verify::layout::{Copy, Doubt, set_aside},
};

/// How many names a message lists.
const SHOWN: usize = 3;

/// What a file of a snapshot gives to a program that opens it.
pub(super) enum Found {
    Bytes,
    Missing,
    Nothing,
    /// Nobody knows what.
    OutOfSight,
}

impl Judge<'_> {
    /// Judges a snapshot. What lies behind a link is not ours to mend: it may be another snapshot,
    /// where the same path means something else.
    pub(super) fn snapshot(&mut self, snapshot: &Snapshot) {
        let before = self.judged.breakages.len();
        self.judge_snapshot(snapshot);
        let itself = self.repo.dir.look(&snapshot.place);
        if itself.is_ok_and(|stamp| stamp.kind == Kind::Link) {
            self.judged.breakages.iter_mut().skip(before).for_each(|found| found.fixes.clear());
        }
    }

    fn judge_snapshot(&mut self, snapshot: &Snapshot) {
        let place = &snapshot.place;
        let mut seen_whole = snapshot.troubles.is_empty();
        snapshot.troubles.iter().for_each(|trouble| self.trouble(trouble));
        self.is_blind |= !snapshot.troubles.is_empty();
        let (tree, is_hidden) = self.tree(&snapshot.commit);
        let mut present = HashSet::new();
        let mut dangling = Vec::new();
        // Without a list, files beside links are somebody else's; alone they are the work of a file
        // system without links. A list that is closed to us may name them.
        let is_link = |file: &SnapshotFile| matches!(file.content, Content::Blob { .. });
        let only_links = !is_hidden && snapshot.files.iter().any(is_link);
        for file in &snapshot.files {
            let entry = tree
                .as_ref()
                .map(|Tree(files)| file.path.to_str().and_then(|path| files.get(path)));
            match self.file(snapshot, file, entry, only_links) {
                Found::Bytes => {
                    present.insert(file.path.as_path());
                }
                Found::Missing => dangling.push(file.path.as_path()),
                Found::Nothing => {}
                Found::OutOfSight => seen_whole = false,
            }
        }
        self.too_large(snapshot);
        let complete = completeness(self.repo, snapshot, &present, &dangling, tree.as_ref());
        let parts = match seen_whole {
            true => self.missing_parts(snapshot, &present),
            false => BTreeSet::new(),
        };
        let parts: BTreeSet<_> = parts.iter().map(|part| part.to_string_lossy()).collect();
        self.lacks(What::MissingPart, place, parts.iter().map(AsRef::as_ref));
        self.incomplete(place, complete, &dangling, seen_whole, &parts);
    }

    /// Indexes of weights that are not read.
    fn too_large(&mut self, snapshot: &Snapshot) {
        for file in snapshot.files.iter().filter(|file| is_index(&file.path)) {
            let stamp = match &file.content {
                Content::Blob { name, .. } => match self.repo.seen(name) {
                    Seen::Listed { stamp, .. } => Some(*stamp),
                    _ => None,
                },
                Content::Copy(stamp) => Some(*stamp),
                Content::Astray { .. } | Content::Odd => None,
            };
            let size = stamp.map_or(0, |stamp| stamp.size);
            if size > LARGEST_INDEX {
                let path = snapshot.place.join(&file.path);
                let evidence = Refused::TooLarge(LARGEST_INDEX).to_string();
                self.add(What::TooLarge, path, size, evidence);
            }
        }
    }

    /// Remembers what a commit's list names: a download links it instead of fetching it.
    fn list(&mut self, Tree(files): &Tree) {
        let payloads = files
            .values()
            .filter_map(|file| Some((file.xet_hash()?.to_owned(), file.etag().to_owned())));
        self.judged.payloads.extend(payloads);
        self.listed.extend(files.values().map(|file| OsString::from(file.etag())));
    }

    /// The lists of commits that have no snapshot.
    pub(super) fn lists(&mut self) {
        let list = self.repo.dir.dir(TREES).and_then(|dir| dir.list());
        // What is closed, or no folder, was told as such.
        let Ok(list) = list else { return };
        for (name, _) in list {
            let commit = name.to_str().and_then(|name| name.strip_suffix(".json"));
            let Some(commit) = commit.filter(|commit| is_commit(commit)) else { continue };
            let has_snapshot = self.repo.commits.iter().any(|(name, _)| *name == *commit);
            if !has_snapshot && let Some(Ok(tree)) = self.repo.tree(commit) {
                self.list(&tree);
            }
        }
    }

    /// The commit's list, and whether there is one that is out of sight.
    fn tree(&mut self, commit: &str) -> (Option<Tree>, bool) {
        let path = Path::new(TREES).join(format!("{commit}.json"));
        let aside = |path: &Path, judge: &Self| Fix::SetAside {
            path: judge.folder.join(path),
            repo: judge.folder.clone(),
        };
        match self.repo.tree(commit) {
            None => (None, false),
            Some(Ok(tree)) => {
                self.list(&tree);
                if let Some(entry) = tree.contradiction() {
                    // A server that lists so lists so again.
                    let evidence = format!("its entry `{entry}` contradicts itself");
                    self.add(What::BrokenTree, &path, 0, evidence);
                    return (None, false);
                }
                (Some(tree), false)
            }
            Some(Err(TreeFault::Unusable(why))) => {
                // A pipe or a folder has no bytes to keep: whoever made it knows what it is for.
                let is_file = self.repo.dir.look(&path).is_ok_and(|stamp| stamp.kind == Kind::File);
                let fix = is_file.then(|| aside(&path, self));
                self.add_fixed(What::BrokenTree, &path, 0, why, fix.into_iter().collect());
                (None, false)
            }
            Some(Err(TreeFault::OfAnotherVersion(why))) => {
                self.add(What::BrokenTree, &path, 0, why);
                (None, false)
            }
            Some(Err(TreeFault::Unreadable(error))) => {
                self.trouble(&Trouble { path, error });
                (None, true)
            }
        }
    }

    /// Judges a file of a snapshot. `entry` is what the commit's list says of it: `Some(None)` when
    /// there is a list without it.
    fn file(
        &mut self,
        snapshot: &Snapshot,
        file: &SnapshotFile,
        entry: Option<Option<&TreeFile>>,
        only_links: bool,
    ) -> Found {
        let path = &snapshot.place.join(&file.path);
        let is_link = matches!(file.content, Content::Blob { .. } | Content::Astray { .. });
        if is_link && file.path.file_name().is_some_and(is_unfinished) {
            let fix = Fix::Unlink { path: self.folder.join(path) };
            let evidence = "a link that a repair was making".to_owned();
            self.add_fixed(What::Leftover, path, 0, evidence, vec![fix]);
            return Found::Nothing;
        }
        match &file.content {
            Content::Blob { name, absolute } => {
                self.judged.used.insert(name.clone());
                if *absolute {
                    let text = link::canonical(file.folders, name);
                    let fix = Fix::Relink { path: self.folder.join(path), text };
                    let evidence = "its text is an absolute path".to_owned();
                    self.add_fixed(What::AbsoluteLink, path, 0, evidence, vec![fix]);
                }
                self.pointer(name, file, path, entry)
            }
            Content::Copy(stamp) => {
                let listed = entry.flatten();
                if let Some(name) = self.text_of_link(snapshot, file, stamp, listed) {
                    self.link_as_text(name, file, path);
                    return Found::Missing;
                }
                let entry_name = entry.flatten().map(|entry| entry.etag().to_owned());
                let listed = entry.is_none_or(|entry| entry.is_some());
                if !listed || (entry.is_none() && only_links) {
                    let evidence = "a file that no download made".to_owned();
                    self.add(What::ForeignFile, path, stamp.size, evidence);
                } else {
                    let (path, stamp) = (path.clone(), *stamp);
                    let at = self.repo.file_at(snapshot, file);
                    let copy = at.map(|at| Copy { path, at, stamp, etag: entry_name });
                    self.judged.copies.extend(copy);
                }
                Found::Bytes
            }
            Content::Astray { text, reached } if self.repo.keeps(path, text) => {
                self.sibling(text, reached, path)
            }
            Content::Astray { text, reached } => {
                self.astray(text, file, path, entry.flatten());
                match reached {
                    Reached::There(_) => Found::Nothing,
                    Reached::Nothing => Found::Missing,
                    Reached::OutOfSight(_) => Found::OutOfSight,
                }
            }
            Content::Odd => {
                self.add(What::ForeignFile, path, 0, "it is no file and no link".to_owned());
                Found::Nothing
            }
        }
    }

    fn pointer(
        &mut self,
        name: &OsString,
        file: &SnapshotFile,
        path: &Path,
        entry: Option<Option<&TreeFile>>,
    ) -> Found {
        if let Some(Blob::Astray { .. }) = self.repo.blobs.get(name) {
            self.led_astray.entry(name.clone()).or_default().push(path.to_owned());
        }
        let stamp = match self.repo.seen(name) {
            Seen::Listed { stamp, .. } => *stamp,
            // Its size and bytes are for the next check, when its download is done.
            Seen::Late { .. } => return Found::Bytes,
            Seen::OutOfSight => return Found::OutOfSight,
            Seen::Odd => {
                let evidence = format!("`{BLOBS}/{}` is no file", name.display());
                self.add(What::DanglingPointer, path, 0, evidence);
                return Found::Missing;
            }
            Seen::Missing => {
                self.dangling(name, path, entry.flatten());
                return Found::Missing;
            }
        };
        match entry {
            Some(Some(entry)) if *name != *OsStr::new(entry.etag()) => {
                let right = OsString::from(entry.etag());
                let fix = self.repo.blobs.get(&right).and_then(Blob::stamp).map(|_| Fix::Relink {
                    path: self.folder.join(path),
                    text: link::canonical(file.folders, &right),
                });
                let is_same_size = stamp.size == entry.size();
                let evidence =
                    format!("it leads to `{}`, the commit has {right:?}", name.display());
                let is_likely_right = is_same_size && fix.is_none();
                let fixes = fix.into_iter().collect();
                let found = self.breakage(What::WrongBlob, path, stamp.size, evidence, fixes);
                // A server may give a file another name than its list does.
                match Digest::of_name(right.as_encoded_bytes()) {
                    Some(etag) => {
                        let blob = name.clone();
                        self.judged.doubts.push(Doubt {
                            blob,
                            etag,
                            is_likely_right,
                            breakage: found,
                        });
                    }
                    None if !is_likely_right => self.judged.breakages.push(found),
                    None => {}
                }
            }
            Some(Some(entry)) => self.size(name, stamp.size, entry.size()),
            Some(None) => {
                let evidence = "the commit has no such file".to_owned();
                self.add(What::ForeignFile, path, stamp.size, evidence);
            }
            None => {}
        }
        Found::Bytes
    }

    fn dangling(&mut self, name: &OsStr, path: &Path, entry: Option<&TreeFile>) {
        // A link to the store that leads nowhere is told once, with the blob.
        if self.repo.blobs.contains_key(name) {
            return;
        }
        let waits = self.set_aside.contains(name);
        let why = match (waits, self.lacks_blobs) {
            (true, _) => ", which a repair has set aside",
            // A disk that is not mounted comes back, and then the link is right again.
            (false, true) => ", as `blobs` is no folder now",
            (false, false) => "",
        };
        let evidence = format!("there is no `{BLOBS}/{}`{why}", name.display());
        let fix = why.is_empty().then(|| Fix::Unlink { path: self.folder.join(path) });
        let bytes = entry.map_or(0, TreeFile::size);
        self.add_fixed(What::DanglingPointer, path, bytes, evidence, fix.into_iter().collect());
    }

    fn size(&mut self, name: &OsString, size: u64, listed: u64) {
        if size == listed {
            return;
        }
        let evidence = format!("it has {size} bytes, the commit's list says {listed}");
        let path = Path::new(BLOBS).join(name);
        // A link out of the repo has no bytes of its own: it is told, and goes, as such.
        let is_astray = matches!(self.repo.blobs.get(name), Some(Blob::Astray { .. }));
        let fix = (!is_astray).then(|| set_aside(self.repo, &self.folder, name));
        let fixes = fix.into_iter().collect();
        let found = self.breakage(What::TruncatedBlob, path, size, evidence, fixes);
        self.judged.wrong_size.entry(name.clone()).or_insert(found);
    }

    /// A link out of the repo. Where the repo has the blob that the commit's list names, or one of
    /// the name that the link leads to, the link is made to lead there.
    fn astray(&mut self, text: &[u8], file: &SnapshotFile, path: &Path, entry: Option<&TreeFile>) {
        let target = Path::new(OsStr::from_bytes(text));
        let listed = entry.map(|entry| OsStr::new(entry.etag()));
        let own = listed
            .or(target.file_name())
            .filter(|name| self.repo.blobs.get(*name).is_some_and(|blob| blob.stamp().is_some()));
        let below = self.folder.join(path);
        let fix = match own {
            Some(name) => {
                self.judged.used.insert(name.to_owned());
                Fix::Relink { path: below, text: link::canonical(file.folders, name) }
            }
            None => Fix::Unlink { path: below },
        };
        let evidence = format!("it leads to `{}`", target.display());
        self.add_fixed(What::EscapingLink, path, 0, evidence, vec![fix]);
    }

    fn incomplete(
        &mut self,
        place: &Path,
        complete: Completeness,
        dangling: &[&Path],
        seen_whole: bool,
        parts: &BTreeSet<Cow<'_, str>>,
    ) {
        // What dangles was told link by link, and what is out of sight is not missing.
        let Completeness::Partial(Witness::Tree, mut missing) = complete else { return };
        if !seen_whole {
            return;
        }
        let dangling: HashSet<_> = dangling.iter().copied().collect();
        missing
            .retain(|path| !dangling.contains(Path::new(path)) && !parts.contains(path.as_str()));
        self.lacks(What::PartialSnapshot, place, missing.iter().map(String::as_str));
    }

    fn lacks<'a>(
        &mut self,
        what: What,
        place: &Path,
        missing: impl ExactSizeIterator<Item = &'a str>,
    ) {
        let count = missing.len();
        if count == 0 {
            return;
        }
        let shown: Vec<_> = missing.take(SHOWN).map(|path| format!("`{path}`")).collect();
        let more = if count > SHOWN { ", …" } else { "" };
        let evidence = format!("{count} file(s) are missing: {}{more}", shown.join(", "));
        self.add(what, place, 0, evidence);
    }
}
