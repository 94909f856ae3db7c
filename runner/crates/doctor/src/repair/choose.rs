//! Chooses the fixes for each finding, by the details that `verify` recorded.

use std::path::{Path, PathBuf};

use hub::{cache::Cache, layout::BLOBS};

use super::{copy_source::CopySources, fix::Fix, symlinks_above::SymlinksAbove};
use crate::finding::{Details, Finding};

/// Fixes for a finding.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Choice {
    /// The fixes. Empty if the user must decide or download.
    pub(crate) fixes: Vec<Fix>,
    /// Symlink above the entry that prevents the fixes, as a repair follows none.
    pub(crate) behind_symlink: Option<PathBuf>,
}

/// Chooses the fixes for each of `findings`, in their order.
///
/// # Errors
/// When the cache `hub` cannot be opened.
pub(crate) fn choose(hub: &Path, findings: &[Finding]) -> anyhow::Result<Vec<Choice>> {
    let cache = Cache::open(hub)?;
    let sources = CopySources::find(&cache, findings);
    let mut links = SymlinksAbove::of(&cache);
    let choice = |finding: &Finding| {
        let fixes = fixes(finding, &sources);
        let touched = fixes.iter().flat_map(Fix::touched);
        // The check of owners follows no symlink.
        let is_owned = matches!(finding.details, Details::Owned(_));
        let behind_symlink =
            if is_owned { None } else { touched.into_iter().find_map(|it| links.find(&it)) };
        Choice { fixes: if behind_symlink.is_some() { vec![] } else { fixes }, behind_symlink }
    };
    Ok(findings.iter().map(choice).collect())
}

/// The fixes for `finding`. Empty if the user must decide or download.
fn fixes(finding: &Finding, sources: &CopySources) -> Vec<Fix> {
    let path = || finding.path.clone();
    let repo = || PathBuf::from(finding.repo.as_ref().map_or(String::new(), |repo| repo.folder()));
    match &finding.details {
        Details::None => vec![],
        Details::Owned(paths) => vec![Fix::Reclaim { paths: paths.clone() }],
        Details::Mode(mode) => vec![Fix::Mode { path: path(), mode: *mode }],
        Details::Content(content) => {
            vec![Fix::Quarantine { path: content.clone(), repo: repo() }]
        }
        Details::LinkText(text) => vec![Fix::Link { path: path(), text: text.clone() }],
        Details::Links(links) => {
            links.iter().map(|path| Fix::Unlink { path: path.clone() }).collect()
        }
        Details::MissingBlob(name) => vec![match sources.of(name) {
            Some(from) => Fix::Copy { from: from.to_owned(), path: repo().join(BLOBS).join(name) },
            None => Fix::Unlink { path: path() },
        }],
        Details::Commit(commit) => vec![Fix::WriteRef { path: path(), commit: commit.clone() }],
        Details::Unused { lock, idle } => {
            vec![Fix::Remove { path: path(), lock: lock.clone(), idle: *idle }]
        }
        Details::OnlyCopyOf(blob) => vec![Fix::Rename { path: path(), to: blob.clone() }],
    }
}
