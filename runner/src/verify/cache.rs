//! The Hub cache: what `cache verify` finds, one finding for each kind of problem.

use doctor::{
    finding::{self, Problem},
    report::Report,
    verify::Scope,
};
use host::{machine::Host, output::units::bytes};
use hub::HubCache;

use super::{Finding, Severity};
use crate::cache::verify_now;

/// Looks at the cache: links, lists and permissions, and with `deep` every byte.
///
/// # Errors
/// When it cannot be opened.
pub(super) fn check(host: &Host, places: &HubCache, deep: bool) -> anyhow::Result<Vec<Finding>> {
    let scope = Scope { repos: vec![], bytes: deep, full: false };
    let found = verify_now(host, places, &scope)?;
    let hub = places.hub.as_str();
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

/// One finding for each kind of problem, the worst first. The token has a check of its own.
fn by_problem(found: &[(&finding::Finding, bool)]) -> Vec<Finding> {
    let problems = Problem::ALL.iter().filter(|problem| **problem != Problem::TokenFile);
    problems.filter_map(|problem| summary(*problem, found)).collect()
}

fn summary(problem: Problem, found: &[(&finding::Finding, bool)]) -> Option<Finding> {
    let found: Vec<_> = found.iter().filter(|(found, _)| found.problem == problem).collect();
    let (first, _) = found.first()?;
    let held: u64 = found.iter().map(|(found, _)| found.bytes).sum();
    let held = if held > 0 { format!(", {}", bytes(held)) } else { String::new() };
    let is_mendable = found.iter().any(|(_, is_mendable)| *is_mendable);
    let next = if is_mendable { "repair` shows what mends it" } else { "verify` lists them" };
    Some(Finding {
        severity: problem.severity(),
        check: "cache",
        subject: format!("{} {}", found.len(), problem.name()),
        text: format!(
            "first `{}`{held}: {}; {}; `aienergyscore cache {next}",
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
    fn each_kind_is_one_finding() {
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
