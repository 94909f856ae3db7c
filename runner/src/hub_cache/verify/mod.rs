//! `cache verify`: whether a cache is what it seems, without a network.

mod access;
mod behind;
mod content;
mod elsewhere;
mod layout;
mod locks;
mod payloads;
mod report;
mod surroundings;

use std::{
    collections::{HashMap, HashSet},
    ffi::OsString,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
    time::SystemTime,
};

use self::{
    access::Who,
    content::{Content, Reading},
    layout::Judged,
};
use super::{
    breakage::{Breakage, What},
    cache::Cache,
    hashing,
    names::RepoName,
    store::STORE,
    verified,
};
use crate::{exit::Usage, host::Host, hub_cache::HubCache, progress::Progress, units};

pub use content::Tally;
#[cfg(test)]
pub(crate) use layout::layout_of;

/// Repos that are looked at before their bytes are read: memory follows these, not the cache.
const AT_ONCE: usize = 256;

/// What to verify.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scope {
    /// Only these repos, as they are typed; all if there are none.
    pub repos: Vec<String>,
    /// Whether to read bytes at all.
    pub bytes: bool,
    /// Whether to read what an earlier check has read.
    pub full: bool,
}

/// What is known of a cache after looking at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verification {
    /// The cache.
    pub path: PathBuf,
    /// What is wrong, the worst first.
    pub breakages: Vec<Breakage>,
    /// How many repos were looked at.
    pub repos: usize,
    /// What was checked.
    pub tally: Tally,
    /// Whether somebody stopped it.
    pub interrupted: bool,
}

/// The world around a verification.
#[derive(Debug)]
pub struct Around<'a> {
    /// Whose rights are judged, and where this user works.
    pub host: &'a Host,
    /// The token in force, if it is a file.
    pub token: Option<&'a Path>,
    /// Where earlier checks are remembered, if anywhere.
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
    around: &Around<'_>,
) -> anyhow::Result<Verification> {
    let Around { host, token, memory, stop } = around;
    let cache = Cache::open(places.hub.as_path())?;
    let chosen = chosen(&cache, &scope.repos)?;
    let who = Who { uid: host.uid, gid: host.gid, groups: &host.groups };
    let everything = scope.repos.is_empty();

    let mut walked = access::walk(&cache, (!everything).then_some(&chosen), who, stop);
    let stale = locks::judge(&cache.dir, &walked, SystemTime::now());
    walked.breakages.extend(stale);
    let closed = walked.breakages.iter().filter(|found| found.what == What::ClosedFolder);
    let closed = closed.map(|found| found.path.clone()).collect();
    let mut verification = Verification {
        path: cache.path.clone(),
        breakages: walked.breakages,
        repos: chosen.len(),
        tally: Tally::default(),
        interrupted: false,
    };
    let mut work = Work {
        cache: &cache,
        scope,
        memory: *memory,
        stop,
        closed,
        linked: HashSet::new(),
        is_blind: false,
        listed: HashMap::new(),
        progress: Progress::on_terminal("verifying"),
    };
    for repos in chosen.chunks(AT_ONCE) {
        work.check(repos, &mut verification);
        if stop.load(Ordering::Relaxed) {
            break;
        }
    }
    if everything {
        verification.breakages.extend(surroundings::top(&cache));
        let home = places.home.as_path();
        verification.breakages.extend(surroundings::home(home, *token, &host.cwd, who));
        let Scope { repos: _, bytes, full } = scope;
        if *bytes && !stop.load(Ordering::Relaxed) {
            payloads::unlinked(&work, *full, &mut verification);
            if let Some(base) = memory {
                let repos = cache.repos.iter().map(|repo| repo.folder().into());
                let folders = repos.chain([STORE.into()]).collect();
                // A memory too many costs a little space, and nothing else.
                let _ = verified::sweep(base, &cache.path, &folders);
            }
        }
    }
    verification.interrupted = stop.load(Ordering::Relaxed);
    elsewhere::mend(&cache, &mut verification.breakages);
    behind::leave(&cache, &mut verification.breakages);
    verification
        .breakages
        .sort_by(|one, other| (one.what, &one.path).cmp(&(other.what, &other.path)));
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
    /// Closed folders that the walk through all of them has told of.
    closed: HashSet<PathBuf>,
    /// Payloads of the store that a repo links to.
    linked: HashSet<OsString>,
    /// Whether a repo is out of sight, so that nobody knows what it links to.
    is_blind: bool,
    /// Digests that commits' lists give for payloads.
    listed: HashMap<String, String>,
    /// How far it is.
    progress: Progress,
}

impl Work<'_> {
    fn check(&mut self, repos: &[RepoName], verification: &mut Verification) {
        let Scope { repos: _, bytes, full } = self.scope;
        let looked = self.cache.each(repos, |name, repo| match repo {
            Err(error) => (vec![unopened(name, &error)], None),
            Ok(repo) => {
                let mut judged = layout::judge(&repo);
                let hub = &self.cache.path;
                let memory = self.memory.map(|base| verified::file(base, hub, &name.folder()));
                let content = bytes.then(|| Content::of(&repo, &judged, memory, *full));
                let mut breakages = std::mem::take(&mut judged.breakages);
                if content.is_none() {
                    breakages.extend(judged.suspected());
                }
                (breakages, Some((judged, content)))
            }
        });
        let mut contents = Vec::new();
        let mut reading = Reading::default();
        let now = SystemTime::now();
        for (breakages, rest) in looked {
            let is_new = |found: &Breakage| {
                found.what != What::ClosedFolder || !self.closed.contains(&found.path)
            };
            verification.breakages.extend(breakages.into_iter().filter(is_new));
            let Some((Judged { payloads, .. }, content)) = rest else {
                self.is_blind = true;
                continue;
            };
            self.listed.extend(payloads);
            let Some(content) = content else { continue };
            self.linked.extend(content.linked.iter().cloned());
            self.is_blind |= content.is_blind;
            content.ask(&mut reading);
            contents.push(content);
        }
        self.progress.expect(reading.jobs.iter().map(|job| job.size).sum());
        let hashed = hashing::run(&reading.jobs, &self.progress, self.stop);
        for content in contents {
            let (breakages, tally) = content.finish(&reading, &hashed, now);
            verification.breakages.extend(breakages);
            verification.tally.add(tally);
        }
    }
}

/// A repo whose own folder cannot be entered.
fn unopened(name: &RepoName, error: &std::io::Error) -> Breakage {
    let closed = error.kind() == std::io::ErrorKind::PermissionDenied;
    Breakage {
        what: match closed {
            true => What::ClosedFolder,
            false if layout::leads_astray(error) => What::EscapingLink,
            false => What::DiskError,
        },
        path: name.folder().into(),
        repo: Some(name.clone()),
        bytes: 0,
        evidence: error.to_string(),
        fixes: vec![],
    }
}

impl Verification {
    /// How far it came, in words.
    fn extent(&self) -> String {
        let Tally { hashed, hashed_bytes, remembered, unverifiable, unchecked } = self.tally;
        let mut parts = vec![format!("{} repo(s)", self.repos)];
        if hashed + remembered + unverifiable + unchecked > 0 {
            parts.push(format!("{hashed} file(s) read ({})", units::bytes(hashed_bytes)));
            parts.push(format!("{remembered} unchanged since an earlier check"));
        }
        for (count, what) in
            [(unverifiable, "without a digest to compare"), (unchecked, "not checked")]
        {
            if count > 0 {
                parts.push(format!("{count} {what}"));
            }
        }
        parts.join(", ")
    }
}

#[cfg(test)]
pub(crate) mod tests;
