//! Inspects refs: branches, tags and pull requests with their commits.

use std::{collections::HashSet, io, path::Path};

use hub::layout::{NO_EXIST, SNAPSHOTS, TREES, is_commit, is_dangling, is_refused};

use super::Inspector;
use crate::finding::{Details, Problem};

impl Inspector<'_> {
    /// Inspects all refs of the repo.
    pub(super) fn refs(&mut self) {
        let commits: HashSet<_> =
            self.repo.commits.iter().filter_map(|(name, _)| name.to_str()).collect();
        for reference in &self.repo.refs {
            let path = &reference.path;
            let text = match &reference.text {
                Ok(text) => text,
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => continue,
                Err(error) if is_refused(error) || is_dangling(error) => {
                    let evidence = format!("it cannot be read: {error}");
                    self.report(Problem::BrokenRef, path, evidence);
                    continue;
                }
                Err(error) => {
                    self.report(Problem::DiskError, path, error.to_string());
                    continue;
                }
            };
            if is_unfinished(&reference.name) {
                self.leftover(path, text.len() as u64, "a ref that was being written");
                continue;
            }
            let commit = text.trim();
            if text != commit && is_commit(commit) {
                let evidence = format!("its text is {text:?}");
                let details = Details::Commit(commit.to_owned());
                self.add(Problem::BrokenRef, path, 0, evidence, details);
            }
            let is_here = self.repo.is_unreadable(SNAPSHOTS) || commits.contains(commit);
            if !is_here && !self.is_known(commit) {
                let evidence = format!("it names `{commit}`, which has no snapshot");
                self.report(Problem::BrokenRef, path, evidence);
            }
        }
    }

    /// Whether a client has queried the commit, which needs no snapshot.
    fn is_known(&self, commit: &str) -> bool {
        is_commit(commit)
            && [Path::new(NO_EXIST).join(commit), Path::new(TREES).join(format!("{commit}.json"))]
                .iter()
                .any(|path| self.repo.dir.look(path).is_ok())
    }
}

/// Whether `name` is an unfinished ref, `<ref>.<8hex>.tmp`.
fn is_unfinished(name: &str) -> bool {
    let unique = name.strip_suffix(".tmp").and_then(|stem| stem.rsplit_once('.'));
    unique.is_some_and(|(_, unique)| {
        unique.len() == 8 && unique.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}
