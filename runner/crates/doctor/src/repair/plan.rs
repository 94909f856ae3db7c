//! What a repair would do, from what a verification found. Pure.

use std::{collections::HashSet, path::PathBuf};

use super::{choose::Choice, fix::Fix};
use crate::finding::Finding;

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    /// The fix.
    pub(crate) fix: Fix,
    /// The finding that it is for.
    pub why: String,
}

/// Which fixes are planned: who owns what decides what else can be seen and done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Owners and modes.
    Access,
    /// Everything else.
    Rest,
}

impl Stage {
    fn has(self, fix: &Fix) -> bool {
        matches!(fix, Fix::TakeBack { .. } | Fix::Mode { .. }) == (self == Self::Access)
    }
}

/// The steps of a stage, each once, in an order in which none stands in another's way.
pub(super) fn steps<'a>(
    chosen: impl IntoIterator<Item = (&'a Finding, &'a Choice)>,
    stage: Stage,
) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut planned = HashSet::new();
    let mut foreign: Vec<PathBuf> = Vec::new();
    for (finding, choice) in chosen {
        for fix in choice.fixes.iter().filter(|fix| stage.has(fix)) {
            match fix {
                Fix::TakeBack { paths } => foreign.extend(paths.iter().cloned()),
                _ if !planned.insert(essence(fix)) => {}
                _ => steps.push(Step { fix: fix.clone(), why: why(finding) }),
            }
        }
    }
    // All of them go through one container.
    foreign.sort();
    foreign.dedup();
    if !foreign.is_empty() {
        let why = "they belong to another user".to_owned();
        steps.push(Step { fix: Fix::TakeBack { paths: foreign }, why });
    }
    steps.sort_by_key(|step| rank(&step.fix));
    steps
}

/// What tells a fix from others: a payload that two repos link to lies in one place, and can be moved
/// to one of them only.
fn essence(fix: &Fix) -> Fix {
    match fix {
        Fix::Quarantine { path, repo: _ } => {
            Fix::Quarantine { path: path.clone(), repo: PathBuf::new() }
        }
        fix => fix.clone(),
    }
}

fn why(finding: &Finding) -> String {
    format!("{}: {}", finding.problem.name(), finding.evidence)
}

/// What must come first: bytes are in their place before links are made to lead there.
const fn rank(fix: &Fix) -> u8 {
    match fix {
        Fix::TakeBack { .. } => 0,
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
    use crate::finding::{Details, Finding, Problem};

    fn chosen(problem: Problem, fix: Fix) -> (Finding, Choice) {
        let finding = Finding {
            problem,
            path: "p".into(),
            repo: None,
            bytes: 0,
            evidence: "seen".to_owned(),
            details: Details::None,
        };
        (finding, Choice { fixes: vec![fix], behind: None })
    }

    fn planned(chosen: &[(Finding, Choice)], stage: Stage) -> Vec<Fix> {
        let chosen = chosen.iter().map(|(finding, choice)| (finding, choice));
        steps(chosen, stage).into_iter().map(|step| step.fix).collect()
    }

    #[test]
    fn many_steps_are_planned_in_linear_time() {
        let found: Vec<_> = (0..100_000)
            .map(|at| Fix::Unlink { path: format!("models--a/snapshots/c/{at}").into() })
            .map(|fix| chosen(Problem::DanglingPointer, fix))
            .collect();
        let begun = std::time::Instant::now();
        assert_eq!(planned(&found, Stage::Rest).len(), 100_000);
        let took = begun.elapsed();
        assert!(took < std::time::Duration::from_secs(10), "{took:?}; every pair takes minutes");
    }

    #[test]
    fn what_two_repos_share_is_mended_once_and_owners_come_first() {
        let aside_to =
            |repo: &str| Fix::Quarantine { path: "blobs/ab/x".into(), repo: repo.into() };
        let aside = aside_to("models--a");
        let unlink = || Fix::Unlink { path: "l".into() };
        let take = |path: &str| Fix::TakeBack { paths: vec![path.into()] };
        let found = [
            chosen(Problem::CorruptBlob, aside.clone()),
            chosen(Problem::CorruptBlob, aside_to("models--b")),
            chosen(Problem::DanglingPointer, unlink()),
            chosen(Problem::ForeignOwner, take("b")),
            chosen(Problem::Unreadable, take("a")),
            chosen(Problem::Unreadable, take("b")),
        ];
        let owners = Fix::TakeBack { paths: vec!["a".into(), "b".into()] };
        assert_eq!(planned(&found, Stage::Access), [owners]);
        assert_eq!(planned(&found, Stage::Rest), [aside, unlink()]);
    }
}
