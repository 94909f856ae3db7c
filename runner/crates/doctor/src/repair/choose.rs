//! Chooses the fixes of findings.

use std::path::{Path, PathBuf};

use hub::{cache::Cache, layout::BLOBS};

use super::{behind_link::LinksAbove, donor::Donors, fix::Fix};
use crate::finding::{Details, Finding};

/// What a repair does about a finding.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Choice {
    /// The fixes; none where a person must decide, or the Hub must help.
    pub(crate) fixes: Vec<Fix>,
    /// The symlink behind which the fixes would have to be made: a repair follows none.
    pub behind: Option<PathBuf>,
}

/// The choice for each finding, in their order.
///
/// # Errors
/// When the cache `hub` cannot be opened.
pub fn choose(hub: &Path, findings: &[Finding]) -> anyhow::Result<Vec<Choice>> {
    let cache = Cache::open(hub)?;
    let donors = Donors::find(&cache, findings);
    let mut links = LinksAbove::of(&cache);
    let choice = |finding: &Finding| {
        let fixes = fixes(finding, &donors);
        let touched = fixes.iter().flat_map(Fix::touched);
        // Owners were found by a walk that follows no symlink.
        let is_owned = matches!(finding.details, Details::Owned(_));
        let behind =
            if is_owned { None } else { touched.into_iter().find_map(|it| links.find(&it)) };
        Choice { fixes: if behind.is_some() { vec![] } else { fixes }, behind }
    };
    Ok(findings.iter().map(choice).collect())
}

fn fixes(finding: &Finding, donors: &Donors) -> Vec<Fix> {
    let path = || finding.path.clone();
    let repo = || PathBuf::from(finding.repo.as_ref().map_or(String::new(), |repo| repo.folder()));
    match &finding.details {
        Details::None => vec![],
        Details::Owned(paths) => vec![Fix::TakeBack { paths: paths.clone() }],
        Details::Mode(mode) => vec![Fix::Mode { path: path(), mode: *mode }],
        Details::Content(content) => {
            vec![Fix::Quarantine { path: content.clone(), repo: repo() }]
        }
        Details::LinkText(text) => vec![Fix::Link { path: path(), text: text.clone() }],
        Details::Links(links) => {
            links.iter().map(|path| Fix::Unlink { path: path.clone() }).collect()
        }
        Details::MissingBlob(name) => vec![match donors.of(name) {
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
