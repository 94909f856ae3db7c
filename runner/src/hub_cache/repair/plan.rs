//! What a repair would do, from what a verification found. Pure.

use std::{collections::HashSet, path::PathBuf};

use crate::hub_cache::breakage::{Breakage, Fix};

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    /// What.
    pub(crate) fix: Fix,
    /// Because of what.
    pub(crate) why: String,
}

/// Which fixes are planned: who owns what decides what else can be seen and done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
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
pub(crate) fn steps(breakages: &[Breakage], stage: Stage) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut planned = HashSet::new();
    let mut foreign: Vec<PathBuf> = Vec::new();
    for breakage in breakages {
        for fix in breakage.fixes.iter().filter(|fix| stage.has(fix)) {
            match fix {
                Fix::TakeBack { paths } => foreign.extend(paths.iter().cloned()),
                _ if !planned.insert(essence(fix)) => {}
                _ => steps.push(Step { fix: fix.clone(), why: why(breakage) }),
            }
        }
    }
    // All of them go through one container.
    foreign.sort();
    foreign.dedup();
    if !foreign.is_empty() {
        let why = "they belong to somebody else".to_owned();
        steps.push(Step { fix: Fix::TakeBack { paths: foreign }, why });
    }
    steps.sort_by_key(|step| rank(&step.fix));
    steps
}

/// What of a fix tells it from others: a payload that two repos link to lies in one place, and can
/// be set aside once, to whichever of them.
fn essence(fix: &Fix) -> Fix {
    match fix {
        Fix::SetAside { path, repo: _ } => {
            Fix::SetAside { path: path.clone(), repo: PathBuf::new() }
        }
        fix => fix.clone(),
    }
}

fn why(breakage: &Breakage) -> String {
    format!("{}: {}", breakage.what.name(), breakage.evidence)
}

/// What must come first: bytes are in their place before links are made to lead there.
const fn rank(fix: &Fix) -> u8 {
    match fix {
        Fix::TakeBack { .. } => 0,
        Fix::Mode { .. } => 1,
        Fix::Rename { .. } => 2,
        Fix::SetAside { .. } => 3,
        Fix::Copy { .. } => 4,
        Fix::Relink { .. } | Fix::Link { .. } => 5,
        Fix::WriteRef { .. } => 6,
        Fix::Unlink { .. } => 7,
        Fix::Remove { .. } => 8,
    }
}

#[cfg(test)]
mod tests {
    use super::{Stage, steps};
    use crate::hub_cache::breakage::{Breakage, Fix, What};

    #[test]
    fn many_steps_are_planned_in_linear_time() {
        let found: Vec<_> = (0..100_000)
            .map(|at| Fix::Unlink { path: format!("models--a/snapshots/c/{at}").into() })
            .map(|fix| breakage(What::DanglingPointer, fix))
            .collect();
        let begun = std::time::Instant::now();
        assert_eq!(steps(&found, Stage::Rest).len(), 100_000);
        let took = begun.elapsed();
        assert!(took < std::time::Duration::from_secs(10), "{took:?}; every pair takes minutes");
    }

    fn breakage(what: What, fix: Fix) -> Breakage {
        let evidence = "seen".to_owned();
        Breakage { what, path: "p".into(), repo: None, bytes: 0, evidence, fixes: vec![fix] }
    }

    #[test]
    fn what_two_repos_share_is_mended_once_and_owners_come_first() {
        let aside_to = |repo: &str| Fix::SetAside { path: "blobs/ab/x".into(), repo: repo.into() };
        let aside = aside_to("models--a");
        let take = |path: &str| Fix::TakeBack { paths: vec![path.into()] };
        let found = [
            breakage(What::CorruptBlob, aside.clone()),
            breakage(What::CorruptBlob, aside_to("models--b")),
            breakage(What::DanglingPointer, Fix::Unlink { path: "l".into() }),
            breakage(What::ForeignOwner, take("b")),
            breakage(What::UnreadableFile, take("a")),
            breakage(What::UnreadableFile, take("b")),
        ];
        let fixes =
            |stage| steps(&found, stage).into_iter().map(|step| step.fix).collect::<Vec<_>>();
        assert_eq!(fixes(Stage::Access), [Fix::TakeBack { paths: vec!["a".into(), "b".into()] }]);
        assert_eq!(fixes(Stage::Rest), [aside, Fix::Unlink { path: "l".into() }]);
    }
}
