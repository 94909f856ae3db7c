//! `cache verify`: checks a cache without a network.

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

pub(crate) use content::Tally;
use host::{exit::Usage, machine::Host, output::progress::Progress};
use hub::{
    HubCache, RepoName,
    cache::Cache,
    digest::{DigestCache, hash_all},
    layout::{Digest, RootedPath, STORE},
};

use self::{
    access::User,
    content::{Batch, Check, FileGroup, HashJobs},
    layout::{Inspection, inspect},
};
use crate::finding::{Finding, Problem};
#[cfg(test)]
pub(crate) use layout::layout_of;

/// Repos inspected together before their content is read. Bounds the memory for a large cache.
const AT_ONCE: usize = 256;

/// What to verify.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scope {
    /// Repos by name; all if empty.
    pub repos: Vec<String>,
    /// Whether to read file contents.
    pub bytes: bool,
    /// Whether to hash all files again, without the digest cache.
    pub full: bool,
}

/// Result of a verification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verification {
    /// Path of the cache.
    pub path: PathBuf,
    /// Problems, worst first.
    pub findings: Vec<Finding>,
    /// Number of inspected repos.
    pub repos: usize,
    /// Counts of checked files.
    pub(crate) tally: Tally,
    /// Whether the user interrupted.
    pub interrupted: bool,
}

/// What a verification needs besides the cache.
#[derive(Debug)]
pub struct Context<'a> {
    /// The user whose permissions are checked, and the working directory.
    pub host: &'a Host,
    /// File of the token that clients would use.
    pub token: Option<&'a Path>,
    /// Folder of the digest cache.
    pub digest_cache: Option<&'a Path>,
    /// True once the user interrupts.
    pub stop: &'a AtomicBool,
}

/// Verifies a cache.
///
/// # Errors
/// When it cannot be opened, or a repo that was named is not in it.
pub fn verify(
    paths: &HubCache,
    scope: &Scope,
    context: &Context<'_>,
) -> anyhow::Result<Verification> {
    let Context { host, token, digest_cache, stop } = *context;
    let cache = Cache::open(paths.hub.as_path())?;
    let chosen = chosen(&cache, &scope.repos)?;
    let user = User { uid: host.uid, gid: host.gid, groups: &host.groups };
    let everything = scope.repos.is_empty();
    let is_stopped = || stop.load(Ordering::Relaxed);

    let mut walked = access::walk(&cache, (!everything).then_some(&chosen), user, stop);
    walked.findings.extend(locks::stale(&cache.dir, &walked.written_locks, SystemTime::now()));
    let unreadable = walked.findings.iter().filter(|found| found.problem == Problem::Unreadable);
    let mut verifier = Verifier {
        cache: &cache,
        scope,
        digest_cache,
        stop,
        unreadable: unreadable.map(|found| found.path.clone()).collect(),
        linked: HashSet::new(),
        listed: HashMap::new(),
        has_unknown_links: false,
        now: host.now,
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
        verifier.check_repos(repos);
        if is_stopped() {
            break;
        }
    }
    if everything {
        let findings = &mut verifier.verification.findings;
        findings.extend(top_level::entries(&cache));
        findings.extend(top_level::home_and_token(paths.home.as_path(), token, &host.cwd, user));
        if scope.bytes && !is_stopped() {
            verifier.check_store();
            if let Some(base) = digest_cache {
                let repos = cache.repos.iter().map(|repo| repo.folder().into());
                let folders = repos.chain([STORE.into()]).collect();
                // An error is ignored: stale files of the digest cache only take space.
                let _ = DigestCache::remove_stale(base, &cache.path, &folders);
            }
        }
    }
    let mut verification = verifier.verification;
    verification.interrupted = is_stopped();
    verification
        .findings
        .sort_by(|one, other| (one.problem, &one.path).cmp(&(other.problem, &other.path)));
    Ok(verification)
}

/// Repos by name: `ORG/NAME`, `TYPE/ORG/NAME` or the name of the folder.
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

/// A verification in progress.
struct Verifier<'a> {
    cache: &'a Cache,
    scope: &'a Scope,
    /// Folder of the digest cache.
    digest_cache: Option<&'a Path>,
    stop: &'a AtomicBool,
    /// Paths already reported as unreadable.
    unreadable: HashSet<PathBuf>,
    /// Payloads of the shared store that a repo has a symlink to, below the cache.
    linked: HashSet<PathBuf>,
    /// SHA-256 digests of payloads from the commits' file lists, by Xet hash.
    listed: HashMap<String, String>,
    /// Whether a repo is unreadable, so that its symlinks are unknown.
    has_unknown_links: bool,
    /// Start of the program: files changed since then are not added to the digest cache.
    now: SystemTime,
    progress: Progress,
    verification: Verification,
}

impl Verifier<'_> {
    /// Inspects the layout of `repos`, then hashes their blobs.
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
                    self.has_unknown_links = true;
                    let found = unreadable_repo(&name, &error);
                    let is_reported = self.unreadable.contains(&found.path);
                    self.verification.findings.extend((!is_reported).then_some(found));
                    continue;
                }
            };
            let Inspection { repo, findings, checks, suspected, unverifiable, copies, .. } =
                inspection;
            self.verification.findings.extend(findings);
            self.listed.extend(inspection.listed);
            self.linked.extend(inspection.linked);
            self.has_unknown_links |= inspection.has_unknown_links;
            if !self.scope.bytes {
                self.verification.findings.extend(suspected);
                continue;
            }
            self.verification.tally.unverifiable += unverifiable.count;
            let groups = [
                (copies, Problem::Copies, "where links should be"),
                (unverifiable, Problem::Unverifiable, "whose digest nothing tells"),
            ];
            let groups = groups.iter();
            self.verification.findings.extend(
                groups.filter_map(|(group, problem, what)| {
                    group.finding(*problem, Some(&repo), what)
                }),
            );
            batches.push(self.batch(checks, &repo.folder()));
        }
        self.read(batches);
    }

    /// Checks payloads of the shared store that no repo has a symlink to. A commit's file list may have their
    /// digest.
    fn check_store(&mut self) {
        let Some(store) = &self.cache.store else { return };
        let mut checks = Vec::new();
        for payload in store.payloads.iter().filter(|payload| !self.linked.contains(&payload.path))
        {
            let name = payload.path.file_name().and_then(|name| name.to_str());
            let listed = name.and_then(|name| self.listed.get(name));
            let mut add = |problem, what| {
                let mut one = FileGroup::default();
                one.add(&payload.path, payload.stamp.size);
                self.verification.findings.extend(one.finding(problem, None, what));
            };
            // A listed payload is in use: the next download links to it.
            if !self.has_unknown_links && listed.is_none() {
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
                suspected: None,
            });
        }
        let batch = self.batch(checks, STORE);
        self.read(vec![batch]);
    }

    /// The checks of the repo in `folder`, or of the store, with their digest cache.
    fn batch(&self, checks: Vec<Check>, folder: &str) -> Batch {
        let file = self.digest_cache.map(|base| DigestCache::path(base, &self.cache.path, folder));
        Batch::new(checks, file, self.scope.full)
    }

    /// Hashes the files of `batches` and adds the findings.
    fn read(&mut self, batches: Vec<Batch>) {
        let mut jobs = HashJobs::default();
        batches.iter().for_each(|batch| batch.add_jobs(&mut jobs));
        self.progress.expect(jobs.jobs.iter().map(|job| job.size).sum());
        let hashed = hash_all(&jobs.jobs, &self.progress, self.stop);
        let Verification { findings, tally, .. } = &mut self.verification;
        for batch in batches {
            batch.finish(&jobs, &hashed, self.now, findings, tally);
        }
    }
}

/// The finding for a repo whose folder cannot be opened.
fn unreadable_repo(name: &RepoName, error: &io::Error) -> Finding {
    let problem = match error.kind() {
        io::ErrorKind::PermissionDenied => Problem::Unreadable,
        _ if layout::is_escape(error) => Problem::EscapingLink,
        _ => Problem::DiskError,
    };
    let repo = Some(name.clone());
    Finding { repo, ..Finding::new(problem, name.folder(), error.to_string()) }
}

#[cfg(test)]
pub mod tests;
