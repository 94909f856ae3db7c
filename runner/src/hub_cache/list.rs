//! The list of a cache's repos, as a table and as JSON.

use std::fmt::Write as _;

use serde_json::{Value, json};

use untrusted::escape;

use super::{
    cache::CacheCensus,
    census::{RepoCensus, RevisionCensus},
    filter::Filter,
};
use crate::units::{ago, bytes};

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
    /// Only repos for which all of these hold.
    pub filters: Vec<Filter>,
    /// Each revision, too.
    pub revisions: bool,
}

impl Listing {
    /// The repos to show, in order. `now` is in seconds since 1970.
    fn chosen<'a>(&self, census: &'a CacheCensus, now: f64) -> Vec<&'a RepoCensus> {
        let holds = |repo: &&RepoCensus| self.filters.iter().all(|filter| filter.holds(repo, now));
        let mut repos: Vec<_> = census.repos.iter().filter(holds).collect();
        let later = |one: f64, other: f64| other.total_cmp(&one);
        repos.sort_by(|one, other| {
            let order = match self.sort {
                Sort::Size => other.size_bytes.cmp(&one.size_bytes),
                Sort::Name => std::cmp::Ordering::Equal,
                Sort::Used => later(one.last_accessed, other.last_accessed),
                Sort::Modified => later(one.last_modified, other.last_modified),
            };
            order.then_with(|| one.name.cmp(&other.name))
        });
        repos
    }

    /// A table, and totals below it.
    pub fn table(&self, census: &CacheCensus, now: f64) -> String {
        let repos = self.chosen(census, now);
        let mut rows = vec![
            ["TYPE", "ID", "SIZE", "FILES", "USED", "REVISIONS", "COMPLETE"].map(str::to_owned),
        ];
        for repo in &repos {
            rows.push(row(repo, now));
            if self.revisions {
                rows.extend(repo.revisions.iter().map(|revision| revision_row(revision, now)));
            }
        }
        // Whoever fills the cache names repos, branches and files.
        let rows: Vec<_> = rows.iter().map(|row| row.each_ref().map(|cell| escape(cell))).collect();
        let mut text = aligned(&rows);
        for repo in &repos {
            for fault in &repo.faults {
                let line = format!("{}: {fault}", repo.name);
                writeln!(text, "{}", escape(&line)).expect("a String takes all");
            }
        }
        for fault in &census.faults {
            writeln!(text, "{}", escape(fault)).expect("a String takes all");
        }
        writeln!(text, "{}", totals(census, &repos)).expect("a String takes all");
        text
    }

    /// The same for machines.
    pub fn json(&self, census: &CacheCensus, now: f64) -> Value {
        let repos: Vec<_> = self.chosen(census, now).into_iter().map(repo_json).collect();
        json!({
            "path": census.path.to_string_lossy(),
            "size_bytes": census.size_bytes,
            "repos": repos,
            "faults": census.faults,
        })
    }
}

fn row(repo: &RepoCensus, now: f64) -> [String; 7] {
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

fn revision_row(revision: &RevisionCensus, now: f64) -> [String; 7] {
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

fn totals(census: &CacheCensus, shown: &[&RepoCensus]) -> String {
    let repos = census.repos.len();
    let (unfinished, wasted) = census.repos.iter().fold((0, 0), |(count, bytes), repo| {
        (count + repo.unfinished.0, bytes + repo.unfinished.1)
    });
    let mut text = format!("{repos} repo(s), {} in all", bytes(census.size_bytes));
    if shown.len() != repos {
        let sum = shown.iter().map(|repo| repo.size_bytes).sum();
        write!(text, "; {} of them shown, {}", shown.len(), bytes(sum))
            .expect("a String takes all");
    }
    if unfinished > 0 {
        write!(text, "; {unfinished} unfinished download(s), {}", bytes(wasted))
            .expect("a String takes all");
    }
    text
}

fn repo_json(repo: &RepoCensus) -> Value {
    let RepoCensus {
        name,
        path,
        size_bytes,
        files,
        last_accessed,
        last_modified,
        revisions,
        unfinished: (unfinished_files, unfinished_bytes),
        faults,
        shared_bytes,
    } = repo;
    let revisions: Vec<_> = revisions
        .iter()
        .map(|revision| {
            let RevisionCensus {
                commit,
                refs,
                size_bytes,
                files,
                last_modified,
                complete,
                backends,
            } = revision;
            let backends: Vec<_> = backends.iter().map(|backend| backend.name()).collect();
            json!({
                "commit": commit,
                "refs": refs,
                "size_bytes": size_bytes,
                "files": files,
                "last_modified": last_modified,
                "complete": complete,
                "backends": backends,
            })
        })
        .collect();
    json!({
        "type": name.kind,
        "id": name.id,
        "path": path.to_string_lossy(),
        "size_bytes": size_bytes,
        "shared_bytes": shared_bytes,
        "files": files,
        "last_accessed": last_accessed,
        "last_modified": last_modified,
        "unfinished_files": unfinished_files,
        "unfinished_bytes": unfinished_bytes,
        "revisions": revisions,
        "faults": faults,
    })
}
