//! Orders the chosen fixes into steps. Reads no file.

use std::{collections::HashSet, path::PathBuf};

use super::{choose::Choice, fix::Fix};
use crate::finding::Finding;

/// A fix and its reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    /// The fix.
    pub(crate) fix: Fix,
    /// The reason, from the finding.
    pub(crate) why: String,
}

/// Stages of a repair. Owners and modes come first, as they decide what else is readable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Owners and modes.
    Access,
    /// All other fixes.
    Content,
}

impl Stage {
    /// Whether `fix` belongs to this stage.
    fn has(self, fix: &Fix) -> bool {
        matches!(fix, Fix::Reclaim { .. } | Fix::Mode { .. }) == (self == Self::Access)
    }
}

/// Steps of a stage in their order, without duplicates.
pub(super) fn steps<'a>(
    chosen: impl IntoIterator<Item = (&'a Finding, &'a Choice)>,
    stage: Stage,
) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut planned = HashSet::new();
    let mut reclaimed: Vec<PathBuf> = Vec::new();
    for (finding, choice) in chosen {
        for fix in choice.fixes.iter().filter(|fix| stage.has(fix)) {
            match fix {
                Fix::Reclaim { paths } => reclaimed.extend(paths.iter().cloned()),
                _ if !planned.insert(dedup_key(fix)) => {}
                _ => steps.push(Step { fix: fix.clone(), why: why(finding) }),
            }
        }
    }
    // One container changes all owners.
    reclaimed.sort();
    reclaimed.dedup();
    if !reclaimed.is_empty() {
        let why = "they belong to another user".to_owned();
        steps.push(Step { fix: Fix::Reclaim { paths: reclaimed }, why });
    }
    steps.sort_by_key(|step| rank(&step.fix));
    steps
}

/// Key of a fix for the removal of duplicates. A payload shared by two repos can be moved only once.
fn dedup_key(fix: &Fix) -> Fix {
    match fix {
        Fix::Quarantine { path, repo: _ } => {
            Fix::Quarantine { path: path.clone(), repo: PathBuf::new() }
        }
        fix => fix.clone(),
    }
}

/// The reason of a step: kind and evidence of the finding.
fn why(finding: &Finding) -> String {
    format!("{}: {}", finding.problem.name(), finding.evidence)
}

/// Rank in the order of steps. Files come before the symlinks to them.
const fn rank(fix: &Fix) -> u8 {
    match fix {
        Fix::Reclaim { .. } => 0,
        Fix::Mode { .. } => 1,
        Fix::Rename { .. } => 2,
        Fix::Quarantine { .. } => 3,
        Fix::Copy { .. } => 4,
        Fix::Link { .. } => 5,
        Fix::WriteRef { .. } => 6,
        Fix::Unlink { .. } => 7,
        Fix::Remove { .. } => 8,
    }
}

#[cfg(test)]
mod tests {
    use super::{Choice, Fix, Stage, steps};
    use crate::finding::{Finding, Problem};

    fn chosen(problem: Problem, fix: Fix) -> (Finding, Choice) {
        let finding = Finding::new(problem, "p", "seen");
        (finding, Choice { fixes: vec![fix], behind_symlink: None })
    }

    fn planned(chosen: &[(Finding, Choice)], stage: Stage) -> Vec<Fix> {
        let chosen = chosen.iter().map(|(finding, choice)| (finding, choice));
        steps(chosen, stage).into_iter().map(|step| step.fix).collect()
    }

    #[test]
    fn duplicates_among_many_steps_are_removed_in_linear_time() {
        let found: Vec<_> = (0..100_000)
            .map(|at| Fix::Unlink { path: format!("models--a/snapshots/c/{at}").into() })
            .map(|fix| chosen(Problem::DanglingPointer, fix))
            .collect();
        let begun = std::time::Instant::now();
        assert_eq!(planned(&found, Stage::Content).len(), 100_000);
        let took = begun.elapsed();
        assert!(took < std::time::Duration::from_secs(10), "{took:?}; every pair takes minutes");
    }

    #[test]
    fn shared_payload_is_moved_once_and_owners_come_first() {
        let aside_to =
            |repo: &str| Fix::Quarantine { path: "blobs/ab/x".into(), repo: repo.into() };
        let aside = aside_to("models--a");
        let unlink = || Fix::Unlink { path: "l".into() };
        let reclaim = |path: &str| Fix::Reclaim { paths: vec![path.into()] };
        let found = [
            chosen(Problem::CorruptBlob, aside.clone()),
            chosen(Problem::CorruptBlob, aside_to("models--b")),
            chosen(Problem::DanglingPointer, unlink()),
            chosen(Problem::ForeignOwner, reclaim("b")),
            chosen(Problem::Unreadable, reclaim("a")),
            chosen(Problem::Unreadable, reclaim("b")),
        ];
        let owners = Fix::Reclaim { paths: vec!["a".into(), "b".into()] };
        assert_eq!(planned(&found, Stage::Access), [owners]);
        assert_eq!(planned(&found, Stage::Content), [aside, unlink()]);
    }
}
