//! Check of the Hub cache: the findings of `cache verify`, summed up for each kind of problem.

use doctor::{
    finding::{self, Problem},
    report::Report,
    verify::Scope,
};
use host::{machine::Host, output::units::bytes};
use hub::HubCache;

use super::{Finding, Severity};
use crate::cache::verify_now;

/// Checks symlinks, lists and permissions of the cache, and with `deep` every byte.
///
/// # Errors
/// When the cache is not readable.
pub(super) fn check(host: &Host, cache: &HubCache, deep: bool) -> anyhow::Result<Vec<Finding>> {
    let scope = Scope { repos: vec![], bytes: deep, full: false };
    let found = verify_now(host, cache, &scope)?;
    let hub = cache.hub.as_str();
    if found.interrupted {
        let text = "interrupted; `aienergyscore cache verify` goes on from here".to_owned();
        return Ok(vec![Finding::error("cache", hub, text)]);
    }
    let repos = found.repos;
    let mut findings = by_problem(&Report::of(found)?.findings().collect::<Vec<_>>());
    if findings.iter().all(|finding| finding.severity == Severity::Note) {
        let depth = if deep {
            "links, lists, permissions and bytes"
        } else {
            "links, lists and permissions"
        };
        let text = format!("{repos} repo(s): {depth} are as they should be");
        findings.insert(0, Finding::ok("cache", hub, text));
    }
    Ok(findings)
}

/// One finding for each kind of problem, the most severe first. The token has its own check.
fn by_problem(found: &[(&finding::Finding, bool)]) -> Vec<Finding> {
    let problems = Problem::ALL.iter().filter(|problem| **problem != Problem::TokenFile);
    problems.filter_map(|problem| summary(*problem, found)).collect()
}

fn summary(problem: Problem, found: &[(&finding::Finding, bool)]) -> Option<Finding> {
    let found: Vec<_> = found.iter().filter(|(found, _)| found.problem == problem).collect();
    let (first, _) = found.first()?;
    let size: u64 = found.iter().map(|(found, _)| found.bytes).sum();
    let size = if size > 0 { format!(", {}", bytes(size)) } else { String::new() };
    let is_repairable = found.iter().any(|(_, is_repairable)| *is_repairable);
    let next = if is_repairable { "repair` shows what mends it" } else { "verify` lists them" };
    Some(Finding {
        severity: problem.severity(),
        check: "cache",
        subject: format!("{} {}", found.len(), problem.name()),
        text: format!(
            "first `{}`{size}: {}; {}; `aienergyscore cache {next}",
            first.path.display(),
            first.evidence,
            problem.advice()
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::{Problem, by_problem, finding};
    use crate::verify::render;

    #[test]
    fn problems_of_one_kind_are_one_finding() {
        let finding = |problem, path: &str, bytes| finding::Finding {
            problem,
            path: path.into(),
            repo: None,
            bytes,
            evidence: "it is so".to_owned(),
            details: finding::Details::None,
        };
        let found = [
            finding(Problem::OrphanBlob, "models--a/blobs/x", 10),
            finding(Problem::DanglingPointer, "models--a/blobs/y", 0),
            finding(Problem::OrphanBlob, "models--b/blobs/z", 2000),
            finding(Problem::TokenFile, "/t", 0),
        ];
        let found = by_problem(&found.iter().map(|found| (found, false)).collect::<Vec<_>>());
        insta::assert_snapshot!(render(&found, false), @r"
        error   cache    1 dangling-pointer: first `models--a/blobs/y`: it is so; `hf download` fetches the file; `aienergyscore cache verify` lists them
        note    cache    2 orphan-blob: first `models--a/blobs/x`, 2.01 kB: it is so; nothing in this cache leads to it; a `local_dir` of huggingface_hub before 0.23 may have symlinks to it; `aienergyscore cache verify` lists them
        1 error(s), 0 warning(s)
        ");
    }
}
