//! `cache verify`: whether a cache is what it seems, without a network.

mod access;
mod content;
mod layout;
mod locks;
mod top_level;

use std::{
    collections::{HashMap, HashSet},
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::SystemTime,
};

pub use content::Tally;
use host::{exit::Usage, machine::Host, output::progress::Progress};
use hub::{
    HubCache, RepoName,
    cache::Cache,
    digest::{DigestCache, hash_all},
    layout::{Digest, RootedPath, STORE},
};

use self::{
    access::User,
    content::{Batch, Check, Reading, Summary},
    layout::{Inspection, inspect},
};
use super::finding::{Details, Finding, Problem};
#[cfg(test)]
pub(crate) use layout::layout_of;

/// Repos that are inspected before their content is read: memory follows these, not the cache.
const AT_ONCE: usize = 256;

/// What to verify.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scope {
    /// Only these repos, as they are typed; all if there are none.
    pub repos: Vec<String>,
    /// Whether to read content at all.
    pub bytes: bool,
    /// Whether to read what an earlier check has read.
    pub full: bool,
}

/// What is known of a cache after a verification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verification {
    /// The cache.
    pub path: PathBuf,
    /// What is wrong, the worst first.
    pub findings: Vec<Finding>,
    /// How many repos were inspected.
    pub repos: usize,
    /// What was checked.
    pub(crate) tally: Tally,
    /// Whether the user stopped it.
    pub interrupted: bool,
}

/// What a verification needs to know besides the cache.
#[derive(Debug)]
pub struct Context<'a> {
    /// The user whose rights are checked, and the working directory.
    pub host: &'a Host,
    /// The token in force, if it is a file.
    pub token: Option<&'a Path>,
    /// The folder where earlier checks are remembered.
    pub memory: Option<&'a Path>,
    /// Becomes true when the user wants to stop.
    pub stop: &'a AtomicBool,
}

/// Verifies a cache.
///
/// # Errors
/// When it cannot be opened, or a repo that was named is not in it.
pub fn verify(
    places: &HubCache,
    scope: &Scope,
    context: &Context<'_>,
) -> anyhow::Result<Verification> {
    let Context { host, token, memory, stop } = *context;
    let cache = Cache::open(places.hub.as_path())?;
    let chosen = chosen(&cache, &scope.repos)?;
    let user = User { uid: host.uid, gid: host.gid, groups: &host.groups };
    let everything = scope.repos.is_empty();
    let is_stopped = || stop.load(Ordering::Relaxed);

    let mut walked = access::walk(&cache, (!everything).then_some(&chosen), user, stop);
    walked.findings.extend(locks::stale(&cache.dir, &walked.written_locks, SystemTime::now()));
    let unreadable = walked.findings.iter().filter(|found| found.problem == Problem::Unreadable);
    let mut work = Work {
        cache: &cache,
        scope,
        memory,
        stop,
        unreadable: unreadable.map(|found| found.path.clone()).collect(),
        linked: HashSet::new(),
        listed: HashMap::new(),
        is_blind: false,
        progress: Progress::on_terminal("verifying"),
        verification: Verification {
            path: cache.path.clone(),
            findings: walked.findings,
            repos: chosen.len(),
            tally: Tally::default(),
            interrupted: false,
        },
    };
    for repos in chosen.chunks(AT_ONCE) {
        work.check_repos(repos);
        if is_stopped() {
            break;
        }
    }
    if everything {
        let findings = &mut work.verification.findings;
        findings.extend(top_level::entries(&cache));
        findings.extend(top_level::home_and_token(places.home.as_path(), token, &host.cwd, user));
        if scope.bytes && !is_stopped() {
            work.check_store();
            if let Some(base) = memory {
                let repos = cache.repos.iter().map(|repo| repo.folder().into());
                let folders = repos.chain([STORE.into()]).collect();
                // A memory too many costs a little space, and nothing else.
                let _ = DigestCache::remove_stale(base, &cache.path, &folders);
            }
        }
    }
    let mut verification = work.verification;
    verification.interrupted = is_stopped();
    verification
        .findings
        .sort_by(|one, other| (one.problem, &one.path).cmp(&(other.problem, &other.path)));
    Ok(verification)
}

/// The repos that are named: `ORG/NAME`, `TYPE/ORG/NAME`, or a folder's name.
fn chosen(cache: &Cache, named: &[String]) -> anyhow::Result<Vec<RepoName>> {
    if named.is_empty() {
        return Ok(cache.repos.clone());
    }
    let mut chosen = Vec::new();
    for name in named {
        let is_named = |repo: &&RepoName| {
            repo.id == *name || repo.to_string() == *name || repo.folder() == *name
        };
        let found: Vec<_> = cache.repos.iter().filter(is_named).cloned().collect();
        if found.is_empty() {
            return Err(Usage(format!(
                "the cache `{}` has no repo `{name}`; `aienergyscore cache ls` lists what it has",
                cache.path.display()
            ))
            .into());
        }
        chosen.extend(found);
    }
    chosen.sort();
    chosen.dedup();
    Ok(chosen)
}

struct Work<'a> {
    cache: &'a Cache,
    scope: &'a Scope,
    memory: Option<&'a Path>,
    stop: &'a AtomicBool,
    /// What the walk through all folders has reported as unreadable.
    unreadable: HashSet<PathBuf>,
    /// Payloads of the store that a repo links to, below the cache.
    linked: HashSet<PathBuf>,
    /// Digests that commits' lists give for payloads, by Xet hash.
    listed: HashMap<String, String>,
    /// Whether a repo cannot be read, so that its links are unknown.
    is_blind: bool,
    progress: Progress,
    verification: Verification,
}

impl Work<'_> {
    fn check_repos(&mut self, repos: &[RepoName]) {
        let inspected = self.cache.map_repos(repos, |name, repo| match repo {
            Ok(repo) => Ok(inspect(&repo)),
            Err(error) => Err((name.clone(), error)),
        });
        let mut batches = Vec::new();
        for inspection in inspected {
            let inspection = match inspection {
                Ok(inspection) => inspection,
                Err((name, error)) => {
                    self.is_blind = true;
                    let found = unopened(&name, &error);
                    let is_told = self.unreadable.contains(&found.path);
                    self.verification.findings.extend((!is_told).then_some(found));
                    continue;
                }
            };
            let Inspection { repo, findings, checks, suspicions, unverifiable, copies, .. } =
                inspection;
            self.verification.findings.extend(findings);
            self.listed.extend(inspection.listed);
            self.linked.extend(inspection.linked);
            self.is_blind |= inspection.is_blind;
            if !self.scope.bytes {
                self.verification.findings.extend(suspicions);
                continue;
            }
            self.verification.tally.unverifiable += unverifiable.count;
            self.verification.findings.extend(
                [
                    copies.finding(Problem::Copies, Some(&repo), "where links should be"),
                    unverifiable.finding(
                        Problem::Unverifiable,
                        Some(&repo),
                        "whose digest nothing tells",
                    ),
                ]
                .into_iter()
                .flatten(),
            );
            batches.push(self.batch(checks, &repo.folder()));
        }
        self.read(batches);
    }

    /// Payloads of the shared store that no repo links to: a commit's list may tell their digest.
    fn check_store(&mut self) {
        let Some(store) = &self.cache.store else { return };
        let mut checks = Vec::new();
        for payload in store.payloads.iter().filter(|payload| !self.linked.contains(&payload.path))
        {
            let name = payload.path.file_name().and_then(|name| name.to_str());
            let listed = name.and_then(|name| self.listed.get(name));
            let mut add = |problem, what| {
                let mut one = Summary::default();
                one.add(&payload.path, payload.stamp.size);
                self.verification.findings.extend(one.finding(problem, None, what));
            };
            // A download of what a list names links it instead of fetching it.
            if !self.is_blind && listed.is_none() {
                add(Problem::OrphanBlob, "that no repo links to");
            }
            let Some(expected) = listed.and_then(|name| Digest::of_name(name.as_bytes())) else {
                add(Problem::Unverifiable, "that only a repo's link could name the digest of");
                self.verification.tally.unverifiable += 1;
                continue;
            };
            checks.push(Check {
                path: payload.path.clone(),
                repo: None,
                at: RootedPath { dir: Arc::clone(&self.cache.dir), below: payload.path.clone() },
                content: None,
                stamp: payload.stamp,
                expected,
                doubt: None,
            });
        }
        let batch = self.batch(checks, STORE);
        self.read(vec![batch]);
    }

    fn batch(&self, checks: Vec<Check>, folder: &str) -> Batch {
        let memory = self.memory.map(|base| DigestCache::path(base, &self.cache.path, folder));
        Batch::new(checks, memory, self.scope.full)
    }

    fn read(&mut self, batches: Vec<Batch>) {
        let mut reading = Reading::default();
        let now = SystemTime::now();
        batches.iter().for_each(|batch| batch.ask(&mut reading));
        self.progress.expect(reading.jobs.iter().map(|job| job.size).sum());
        let hashed = hash_all(&reading.jobs, &self.progress, self.stop);
        let Verification { findings, tally, .. } = &mut self.verification;
        for batch in batches {
            batch.finish(&reading, &hashed, now, findings, tally);
        }
    }
}

/// A repo whose own folder cannot be entered.
fn unopened(name: &RepoName, error: &io::Error) -> Finding {
    Finding {
        problem: match error.kind() {
            io::ErrorKind::PermissionDenied => Problem::Unreadable,
            _ if layout::leads_astray(error) => Problem::EscapingLink,
            _ => Problem::DiskError,
        },
        path: name.folder().into(),
        repo: Some(name.clone()),
        bytes: 0,
        evidence: error.to_string(),
        details: Details::None,
    }
}

#[cfg(test)]
pub mod tests;
