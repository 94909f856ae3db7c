//! The Hub cache: what `cache verify` finds, one finding for each kind of breakage.

use std::path::PathBuf;

use super::{Finding, Severity};
use crate::{
    cache_command::verify_now,
    host::Host,
    hub_cache::{
        HubCache,
        breakage::{Breakage, What},
        verify::Scope,
    },
    units::bytes,
};

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
    let mut findings = by_kind(&found.breakages);
    if findings.iter().all(|finding| finding.severity == Severity::Note) {
        let depth = if deep {
            "links, lists, permissions and bytes"
        } else {
            "links, lists and permissions"
        };
        let text = format!("{} repo(s): {depth} are as they should be", found.repos);
        findings.insert(0, Finding::ok("cache", hub, text));
    }
    Ok(findings)
}

/// One finding for each kind, the worst first. The token has a check of its own.
fn by_kind(breakages: &[Breakage]) -> Vec<Finding> {
    let mut kinds: Vec<What> = breakages.iter().map(|breakage| breakage.what).collect();
    kinds.sort();
    kinds.dedup();
    kinds.retain(|kind| !matches!(kind, What::OpenToken | What::UnreadableToken));
    kinds.into_iter().map(|kind| of_kind(kind, breakages)).collect()
}

fn of_kind(kind: What, breakages: &[Breakage]) -> Finding {
    let of_kind: Vec<_> = breakages.iter().filter(|breakage| breakage.what == kind).collect();
    let held: u64 = of_kind.iter().map(|breakage| breakage.bytes).sum();
    let held = if held > 0 { format!(", {}", bytes(held)) } else { String::new() };
    let first: &PathBuf = &of_kind[0].path;
    let mends = of_kind.iter().any(|breakage| !breakage.fixes.is_empty());
    let next = if mends { "repair` shows what mends it" } else { "verify` lists them" };
    Finding {
        severity: kind.severity(),
        check: "cache",
        subject: format!("{} {}", of_kind.len(), kind.name()),
        text: format!(
            "first `{}`{held}: {}; {}; `aienergyscore cache {next}",
            first.display(),
            of_kind[0].evidence,
            kind.remedy()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::{Breakage, What, by_kind};
    use crate::checks::render;

    #[test]
    fn each_kind_is_one_finding() {
        let breakage = |what, path: &str, bytes| Breakage {
            what,
            path: path.into(),
            repo: None,
            bytes,
            evidence: "it is so".to_owned(),
            fixes: vec![],
        };
        let found = by_kind(&[
            breakage(What::OrphanBlob, "models--a/blobs/x", 10),
            breakage(What::DanglingStoreLink, "models--a/blobs/y", 0),
            breakage(What::OrphanBlob, "models--b/blobs/z", 2000),
            breakage(What::OpenToken, "/t", 0),
        ]);
        insta::assert_snapshot!(render(&found, false), @r"
        error   cache    1 dangling-store-link: first `models--a/blobs/y`: it is so; load the model once with a network: the Hub client fetches it for every repo that shares it; `aienergyscore cache verify` lists them
        note    cache    2 orphan-blob: first `models--a/blobs/x`, 2.01 kB: it is so; nothing in this cache leads to it; a `local_dir` of huggingface_hub before 0.23 may have symlinks to it; `aienergyscore cache verify` lists them
        1 error(s), 0 warning(s)
        ");
    }
}
