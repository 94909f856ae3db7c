//! The list of a cache's repos, as a table and as JSON.

mod loadable;
pub(crate) mod usage;

use host::output::units::{ago, bytes};
use serde_json::{Value, json};
use untrusted::escape;

use crate::listing::usage::{CacheUsage, RepoUsage, RevisionUsage};

/// How many digits of a commit the table shows.
const COMMIT_SHOWN: usize = 8;

/// The sort order of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sort {
    /// By size, the largest first.
    #[default]
    Size,
    /// By type and id.
    Name,
    /// By last use, the latest first.
    Used,
    /// By last change, the latest first.
    Modified,
}

/// How to list a cache.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Listing {
    /// The sort order.
    pub sort: Sort,
    /// Whether to list each revision.
    pub revisions: bool,
}

impl Listing {
    /// Sorts the repos.
    fn sorted(&self, usage: &CacheUsage) -> CacheUsage {
        let mut usage = usage.clone();
        let later = |one: f64, other: f64| other.total_cmp(&one);
        usage.repos.sort_by(|one, other| {
            let order = match self.sort {
                Sort::Size => other.size_bytes.cmp(&one.size_bytes),
                Sort::Name => std::cmp::Ordering::Equal,
                Sort::Used => later(one.last_accessed, other.last_accessed),
                Sort::Modified => later(one.last_modified, other.last_modified),
            };
            order.then_with(|| one.name.cmp(&other.name))
        });
        usage
    }

    /// Renders a table with messages and totals below it.
    pub fn table(&self, usage: &CacheUsage, now: f64) -> String {
        let usage = self.sorted(usage);
        let mut rows = vec![
            ["TYPE", "ID", "SIZE", "FILES", "USED", "REVISIONS", "COMPLETE"].map(str::to_owned),
        ];
        for repo in &usage.repos {
            rows.push(row(repo, now));
            if self.revisions {
                rows.extend(repo.revisions.iter().map(|revision| revision_row(revision, now)));
            }
        }
        // Names of repos, branches and files are untrusted.
        let rows: Vec<_> = rows.iter().map(|row| row.each_ref().map(|cell| escape(cell))).collect();
        let of_repos = usage.repos.iter().flat_map(|repo| {
            repo.faults.iter().map(move |fault| format!("{}: {fault}", repo.name))
        });
        let faults = of_repos.chain(usage.faults.iter().cloned());
        let lines = faults.map(|fault| escape(&fault)).chain([totals(&usage)]);
        aligned(&rows) + &lines.map(|line| line + "\n").collect::<String>()
    }

    /// Renders the list as JSON.
    pub fn json(&self, usage: &CacheUsage) -> Value {
        json!(self.sorted(usage))
    }
}

fn row(repo: &RepoUsage, now: f64) -> [String; 7] {
    let refs = repo.revisions.iter().flat_map(|revision| &revision.refs).map(String::as_str);
    let refs = refs.collect::<Vec<_>>().join(" ");
    let count = repo.revisions.len();
    let of_revisions = repo.revisions.iter().map(|revision| revision.complete);
    let complete = of_revisions.reduce(|one, other| match (one, other) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (None, _) | (_, None) => None,
        _ => Some(true),
    });
    [
        repo.name.kind.to_string(),
        repo.name.id.clone(),
        bytes(repo.size_bytes),
        repo.files.to_string(),
        if repo.last_accessed > 0.0 { ago(now - repo.last_accessed) } else { "?".to_owned() },
        if refs.is_empty() { count.to_string() } else { format!("{count} ({refs})") },
        word(complete.flatten()).to_owned(),
    ]
}

fn revision_row(revision: &RevisionUsage, now: f64) -> [String; 7] {
    let commit = revision.commit.get(..COMMIT_SHOWN).unwrap_or(&revision.commit);
    [
        String::new(),
        format!("  {commit}"),
        bytes(revision.size_bytes),
        revision.files.to_string(),
        format!("changed {}", ago(now - revision.last_modified)),
        revision.refs.join(" "),
        word(revision.complete).to_owned(),
    ]
}

const fn word(complete: Option<bool>) -> &'static str {
    match complete {
        Some(true) => "yes",
        Some(false) => "no",
        None => "unknown",
    }
}

/// Aligns columns, two spaces apart. Numbers are right-aligned.
fn aligned<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |column: usize| {
        rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default()
    };
    let widths: [usize; N] = std::array::from_fn(width);
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(widths).enumerate().map(|(column, (cell, width))| {
            let is_number = column == 2 || column == 3;
            if is_number { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
        });
        let line = cells.collect::<Vec<_>>().join("  ");
        format!("{}\n", line.trim_end())
    };
    rows.iter().map(line).collect()
}

fn totals(usage: &CacheUsage) -> String {
    let sum = |count: fn(&RepoUsage) -> u64| usage.repos.iter().map(count).sum::<u64>();
    let unfinished = sum(|repo| repo.unfinished_files);
    let mut text = format!("{} repo(s), {} in all", usage.repos.len(), bytes(usage.size_bytes));
    if unfinished > 0 {
        let wasted = bytes(sum(|repo| repo.unfinished_bytes));
        text += &format!("; {unfinished} unfinished download(s), {wasted}");
    }
    text
}
