//! The list of a cache's repos, as a table and as JSON.

mod loadable;
pub(crate) mod usage;

use std::fmt::Write as _;

use host::output::units::{ago, bytes};
use serde_json::{Value, json};
use untrusted::escape;

use crate::listing::usage::{CacheUsage, RepoUsage, RevisionUsage};

/// Digits of a commit that a table shows.
const COMMIT_SHOWN: usize = 8;

/// What a list is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sort {
    /// Bytes, the largest first.
    #[default]
    Size,
    /// Type and id.
    Name,
    /// Last use, the latest first.
    Used,
    /// Last change, the latest first.
    Modified,
}

/// What to show of a cache.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Listing {
    /// In which order.
    pub sort: Sort,
    /// Each revision, too.
    pub revisions: bool,
}

impl Listing {
    /// The cache with its repos in order.
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

    /// A table, and totals below it.
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
        let mut text = aligned(&rows);
        for repo in &usage.repos {
            for fault in &repo.faults {
                let line = format!("{}: {fault}", repo.name);
                writeln!(text, "{}", escape(&line)).expect("a String takes all");
            }
        }
        for fault in &usage.faults {
            writeln!(text, "{}", escape(fault)).expect("a String takes all");
        }
        writeln!(text, "{}", totals(&usage)).expect("a String takes all");
        text
    }

    /// The same for machines.
    pub fn json(&self, usage: &CacheUsage) -> Value {
        json!(self.sorted(usage))
    }
}

fn row(repo: &RepoUsage, now: f64) -> [String; 7] {
    let refs = repo.revisions.iter().flat_map(|revision| &revision.refs).map(String::as_str);
    let refs = refs.collect::<Vec<_>>().join(" ");
    let count = repo.revisions.len();
    let of_all = repo.revisions.iter().map(|revision| revision.complete);
    let complete = of_all.reduce(|one, other| match (one, other) {
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

/// Columns with two blanks between; numbers end where their column ends.
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
        write!(text, "; {unfinished} unfinished download(s), {wasted}")
            .expect("a String takes all");
    }
    text
}
