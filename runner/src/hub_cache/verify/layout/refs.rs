//! Judges refs: names of branches, tags and pull requests, and the commits they mean.

use std::{collections::HashSet, io, path::Path};

use super::Judge;
use crate::hub_cache::{
    breakage::{AN_HOUR, Fix, What},
    dir::is_no_text,
    names::is_commit,
    reached::leads_nowhere,
    repo::{NO_EXIST, SNAPSHOTS, TREES},
};

impl Judge<'_> {
    /// Judges all refs of the repo.
    pub(super) fn refs(&mut self) {
        let commits: HashSet<_> =
            self.repo.commits.iter().filter_map(|(name, _)| name.to_str()).collect();
        for reference in &self.repo.refs {
            let path = &reference.path;
            let text = match &reference.text {
                Ok(text) => text,
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => continue,
                Err(error) if is_no_text(error) || leads_nowhere(error) => {
                    self.add(What::RefToNothing, path, 0, format!("it cannot be read: {error}"));
                    continue;
                }
                Err(error) => {
                    self.add(What::DiskError, path, 0, error.to_string());
                    continue;
                }
            };
            if is_unfinished_ref(&reference.name) {
                let fix = Fix::Remove { path: self.folder.join(path), lock: None, idle: AN_HOUR };
                let evidence = "a ref that was being written".to_owned();
                self.add_fixed(What::Leftover, path, text.len() as u64, evidence, vec![fix]);
                continue;
            }
            let commit = text.trim();
            if text != commit && is_commit(commit) {
                let fix = Fix::WriteRef { path: self.folder.join(path), commit: commit.to_owned() };
                let evidence = format!("its text is {text:?}");
                self.add_fixed(What::RefSpelling, path, 0, evidence, vec![fix]);
            }
            let is_here = self.repo.hides(SNAPSHOTS) || commits.contains(commit);
            if !is_here && !self.is_known(commit) {
                let evidence = format!("it names `{commit}`, which has no snapshot");
                self.add(What::RefToNothing, path, 0, evidence);
            }
        }
    }

    /// Whether a client has asked for this commit: then it may well have no snapshot.
    fn is_known(&self, commit: &str) -> bool {
        is_commit(commit)
            && [Path::new(NO_EXIST).join(commit), Path::new(TREES).join(format!("{commit}.json"))]
                .iter()
                .any(|path| self.repo.dir.look(path).is_ok())
    }
}

/// `<ref>.<8hex>.tmp`.
fn is_unfinished_ref(name: &str) -> bool {
    let unique = name.strip_suffix(".tmp").and_then(|stem| stem.rsplit_once('.'));
    unique.is_some_and(|(_, unique)| {
        unique.len() == 8 && unique.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}
