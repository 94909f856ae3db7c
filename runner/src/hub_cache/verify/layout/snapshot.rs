//! Judges a snapshot: its links, its commit's list, and what it lacks.

use std::{
    collections::HashSet,
    ffi::{OsStr, OsString},
    os::unix::ffi::OsStrExt as _,
    path::Path,
};

use super::Judge;
use crate::hub_cache::{
    breakage::{Fix, What},
    census::completeness,
    completeness::{Completeness, Witness},
    dir::Kind,
    link,
    repair::is_unfinished,
    repo::{BLOBS, Blob, Content, SNAPSHOTS, Snapshot, SnapshotFile, TREES, TreeFault, Trouble},
    tree::{Tree, TreeFile},
    verify::layout::set_aside,
};

/// How many names a message lists.
const SHOWN: usize = 3;

/// What a file of a snapshot gives to a program that opens it.
enum Found {
    Bytes,
    Missing,
    Nothing,
}

impl Judge<'_> {
    /// Judges a snapshot.
    pub(super) fn snapshot(&mut self, snapshot: &Snapshot) {
        let place = Path::new(SNAPSHOTS).join(&snapshot.commit);
        snapshot.troubles.iter().for_each(|trouble| self.trouble(trouble));
        self.is_blind |= !snapshot.troubles.is_empty();
        let tree = self.tree(&snapshot.commit);
        let mut present = HashSet::new();
        let mut dangling = Vec::new();
        let linked = snapshot.files.iter().any(|file| matches!(file.content, Content::Blob { .. }));
        for file in &snapshot.files {
            let entry = tree
                .as_ref()
                .map(|Tree(files)| file.path.to_str().and_then(|path| files.get(path)));
            match self.file(file, &place.join(&file.path), entry, linked) {
                Found::Bytes => {
                    present.insert(file.path.as_path());
                }
                Found::Missing => dangling.push(file.path.as_path()),
                Found::Nothing => {}
            }
        }
        if let Some(Tree(files)) = &tree {
            let payloads = files
                .values()
                .filter_map(|file| Some((file.xet_hash()?.to_owned(), file.etag().to_owned())));
            self.judged.payloads.extend(payloads);
        }
        let complete = completeness(self.repo, snapshot, &present, &dangling);
        self.incomplete(&place, complete, &dangling, snapshot.troubles.is_empty());
    }

    fn tree(&mut self, commit: &str) -> Option<Tree> {
        let path = Path::new(TREES).join(format!("{commit}.json"));
        let aside = |path: &Path, judge: &Self| Fix::SetAside {
            path: judge.folder.join(path),
            repo: judge.folder.clone(),
        };
        match self.repo.tree(commit)? {
            Ok(tree) => {
                if let Some(entry) = tree.contradiction() {
                    let evidence = format!("its entry `{entry}` contradicts itself");
                    let fix = aside(&path, self);
                    self.add_fixed(What::BrokenTree, &path, 0, evidence, vec![fix]);
                    return None;
                }
                Some(tree)
            }
            Err(TreeFault::Unusable(why)) => {
                let fix = aside(&path, self);
                self.add_fixed(What::BrokenTree, &path, 0, why, vec![fix]);
                None
            }
            Err(TreeFault::Unreadable(error)) => {
                self.trouble(&Trouble { path, error });
                None
            }
        }
    }

    /// Judges a file of a snapshot. `entry` is what the commit's list says of it: `Some(None)` when
    /// there is a list without it.
    fn file(
        &mut self,
        file: &SnapshotFile,
        path: &Path,
        entry: Option<Option<&TreeFile>>,
        linked: bool,
    ) -> Found {
        if file.path.file_name().is_some_and(is_unfinished) {
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
                let entry_name = entry.flatten().map(|entry| entry.etag().to_owned());
                let listed = entry.is_none_or(|entry| entry.is_some());
                // Without a list, files beside links are somebody else's; alone they are the work
                // of a file system without links.
                if !listed || (entry.is_none() && linked) {
                    let evidence = "a file that no download made".to_owned();
                    self.add(What::ForeignFile, path, stamp.size, evidence);
                } else {
                    self.judged.copies.push((path.to_owned(), *stamp, entry_name));
                }
                Found::Bytes
            }
            Content::Astray { text, stamp } => {
                if stamp.is_some_and(|stamp| stamp.kind == Kind::Folder) && text.is_empty() {
                    return Found::Nothing;
                }
                self.astray(text, file, path, entry.flatten());
                if stamp.is_some() { Found::Nothing } else { Found::Missing }
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
        let stamp = match self.repo.blobs.get(name) {
            Some(blob) => blob.stamp().copied(),
            // A client that ended since the blobs were listed wrote the blob before the link.
            None => self.repo.dir.look_through(Path::new(BLOBS).join(name)).ok(),
        };
        let Some(stamp) = stamp else {
            // A link to the store that leads nowhere is told once, with the blob.
            if !self.repo.blobs.contains_key(name) {
                let waits = self.set_aside.contains(name);
                let why = if waits { ", which a repair has set aside" } else { "" };
                let evidence = format!("there is no `{BLOBS}/{}`{why}", name.display());
                let fix = (!waits).then(|| Fix::Unlink { path: self.folder.join(path) });
                let bytes = entry.flatten().map_or(0, TreeFile::size);
                let fixes = fix.into_iter().collect();
                self.add_fixed(What::DanglingPointer, path, bytes, evidence, fixes);
            }
            return Found::Missing;
        };
        match entry {
            Some(Some(entry)) if *name != *OsStr::new(entry.etag()) => {
                let right = OsString::from(entry.etag());
                let fix = self.repo.blobs.get(&right).and_then(Blob::stamp).map(|_| Fix::Relink {
                    path: self.folder.join(path),
                    text: link::canonical(file.folders, &right),
                });
                let evidence =
                    format!("it leads to `{}`, the commit has {right:?}", name.display());
                self.add_fixed(
                    What::WrongBlob,
                    path,
                    stamp.size,
                    evidence,
                    fix.into_iter().collect(),
                );
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

    fn size(&mut self, name: &OsString, size: u64, listed: u64) {
        if size == listed || !self.judged.wrong_size.insert(name.clone()) {
            return;
        }
        let evidence = format!("it has {size} bytes, the commit's list says {listed}");
        let path = Path::new(BLOBS).join(name);
        let fix = set_aside(self.repo, &self.folder, name);
        self.add_fixed(What::TruncatedBlob, path, size, evidence, vec![fix]);
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
    ) {
        let Completeness::Partial(witness, mut missing) = complete else { return };
        // What dangles was told link by link, and what is out of sight is not missing.
        missing.retain(|path| !dangling.contains(&Path::new(path)));
        if !seen_whole || missing.is_empty() {
            return;
        }
        let shown = missing.iter().take(SHOWN).map(|path| format!("`{path}`"));
        let more = if missing.len() > SHOWN { ", …" } else { "" };
        let shown = shown.collect::<Vec<_>>().join(", ");
        let evidence = format!("{} file(s) are missing: {shown}{more}", missing.len());
        let what = match witness {
            Witness::Index => What::MissingPart,
            Witness::Tree | Witness::Link => What::PartialSnapshot,
        };
        self.add(what, place, 0, evidence);
    }
}
