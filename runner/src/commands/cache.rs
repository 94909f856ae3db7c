//! `aienergyscore cache`: where the model of a cache meets the user and the world.

use std::{
    collections::BTreeSet,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, UNIX_EPOCH},
};

use anyhow::{Context as _, bail};
use doctor::{
    repair::{Ownership, repair},
    report::Report,
    verify::{Context, Scope, Verification, verify},
};
use engine::EngineChoice;
use host::{
    exit::Exit,
    machine::Host,
    output::{json_text::json_text, terminal},
    paths::{host_path::HostPath, results_folder::results_folder},
    process::signals,
    users::subids::Ids,
};
use hub::{
    CacheUsage, HubCache, Listing,
    boundary::{Boundary, WritableFolders},
    token::TokenSource,
};
use ownership::{
    Failure, find_engine, folders::closed, leave, protected_behind, reclaim_listed, sudo_line,
};
use signal_hook::flag;
use untrusted::Dir;

/// Lists the cache.
///
/// # Errors
/// When it cannot be opened.
pub fn ls(listing: &Listing, as_json: bool) -> anyhow::Result<Exit> {
    let host = Host::read()?;
    let cache = located(&host)?;
    must_be_open(&host, &cache)?;
    let usage = CacheUsage::of(cache.hub.as_path())?;
    let now = host.now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    terminal::print(&if as_json {
        json_text(&listing.json(&usage))
    } else {
        listing.table(&usage, now)
    })?;
    Ok(Exit::Success)
}

/// Verifies the cache.
///
/// # Errors
/// When it cannot be opened.
pub fn check(scope: &Scope, as_json: bool) -> anyhow::Result<Exit> {
    let host = Host::read()?;
    let cache = located(&host)?;
    let signals = Signals::watched()?;
    let found = in_context(&host, &cache, &signals, |context| verify(&cache, scope, context))?;
    let interrupted = found.interrupted;
    let report = Report::of(found)?;
    terminal::print(&if as_json { json_text(&report.json()) } else { report.lines() })?;
    Ok(signals.stopped().filter(|_| interrupted).unwrap_or_else(|| report.exit()))
}

/// Repairs the cache, or shows what that would do.
///
/// # Errors
/// When it cannot be opened.
pub fn mend(
    scope: &Scope,
    engine: EngineChoice,
    really: bool,
    as_json: bool,
) -> anyhow::Result<Exit> {
    let host = Host::read()?;
    let cache = located(&host)?;
    let ids = Ids::of_this_machine(&host);
    let owners = ByEngine { host: &host, choice: engine, ids };
    if really {
        open(&host, &cache, &owners)?;
    }
    let signals = Signals::watched()?;
    let done = in_context(&host, &cache, &signals, |context| {
        repair(&cache, scope, context, &owners, really)
    })?;
    terminal::print(&if as_json { json_text(&done.json()) } else { done.lines() })?;
    Ok(signals.stopped().filter(|_| done.interrupted).unwrap_or_else(|| done.exit()))
}

/// The cache, unless it is a symlink that a container may have made.
fn located(host: &Host) -> anyhow::Result<HubCache> {
    let cache = HubCache::locate(host)?;
    Boundary::of(&results_folder(None, host)?, &cache, host).check_cache(&cache)?;
    Ok(cache)
}

/// Verifies a cache for the user and terminal of this process: Ctrl-C stops it between two reads.
///
/// # Errors
/// When it cannot be opened.
pub(crate) fn verify_now(
    host: &Host,
    cache: &HubCache,
    scope: &Scope,
) -> anyhow::Result<Verification> {
    in_context(host, cache, &Signals::watched()?, |context| verify(cache, scope, context))
}

fn in_context<T>(
    host: &Host,
    cache: &HubCache,
    signals: &Signals,
    work: impl FnOnce(&Context<'_>) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    must_be_open(host, cache)?;
    let memory = dirs::cache_dir().filter(|folder| !is_containers(folder, cache, host));
    let token = TokenSource::locate(host, cache, "")?;
    work(&Context {
        host,
        token: token_file(&token),
        memory: memory.as_deref(),
        stop: &signals.stop,
    })
}

/// Whether a container can write to `folder`, which may be missing yet.
fn is_containers(folder: &Path, cache: &HubCache, host: &Host) -> bool {
    let real = folder.ancestors().find_map(|folder| folder.canonicalize().ok());
    let (HubCache { home, hub }, results) = (cache, results_folder(None, host).ok());
    let folders = [home, hub].into_iter().chain(&results).map(HostPath::as_path);
    real.is_some_and(|real| WritableFolders::of(folders, host).contains(&real))
}

/// Says who closed the cache, and what opens it.
///
/// # Errors
/// When this user cannot look into it.
fn must_be_open(host: &Host, cache: &HubCache) -> anyhow::Result<()> {
    let hub = &cache.hub;
    let Some((folder, remedy)) = closed(hub.as_path(), host) else { return Ok(()) };
    let is_mine = folder.metadata().is_ok_and(|data| data.uid() == host.uid);
    let may_do = !is_mine
        && protected_behind(hub.as_path(), host.home.as_deref()).is_none()
        && is_a_users(hub.as_path(), host.uid);
    let hint = match folder == hub.as_path() && may_do {
        true => "; `aienergyscore cache repair --yes` may do without sudo",
        false => "",
    };
    let place = folder.display();
    bail!("the Hub cache `{hub}` cannot be looked into: `{place}` is closed to you: {remedy}{hint}")
}

/// Takes a cache back of which the folder itself is closed: nothing in it could be looked at.
///
/// # Errors
/// When it is not open afterwards.
fn open(host: &Host, cache: &HubCache, owners: &dyn Ownership) -> anyhow::Result<()> {
    let (hub, itself) = (&cache.hub, PathBuf::new());
    let is_ours = closed(hub.as_path(), host).is_some_and(|(folder, _)| folder == hub.as_path())
        && owners.why_protected(hub, &itself).is_none()
        && is_a_users(hub.as_path(), host.uid);
    if !is_ours {
        return must_be_open(host, cache);
    }
    let failed = owners.reclaim(hub, &[itself]);
    let why = match &failed {
        Ok(failed) => failed.first().map(|failure| failure.error.clone()),
        Err(error) => Some(format!("{error:#}")),
    };
    must_be_open(host, cache).with_context(|| match why {
        Some(why) => format!("taking it back through a container failed: {why}"),
        None => "it was taken back through a container".to_owned(),
    })?;
    terminal::say(format_args!("the Hub cache `{hub}` itself was taken back"));
    Ok(())
}

/// Whether a folder that cannot be looked into is at its own place in a folder of the user's. A
/// symlink may lead to anything that belongs to root.
fn is_a_users(hub: &Path, uid: u32) -> bool {
    let above = hub.parent().and_then(|above| above.metadata().ok());
    !hub.is_symlink() && above.is_some_and(|above| above.uid() == uid)
}

/// Takes entries back through a container.
struct ByEngine<'a> {
    host: &'a Host,
    choice: EngineChoice,
    ids: Ids,
}

impl Ownership for ByEngine<'_> {
    fn why_protected(&self, folder: &HostPath, path: &Path) -> Option<String> {
        if let Some(why) = protected_behind(folder.as_path(), self.host.home.as_deref()) {
            return Some(format!("the Hub cache `{folder}` {why}"));
        }
        // What cannot be looked at now is the container's to judge.
        leave(&Dir::open_itself(folder.as_path()).ok()?.look(path).ok()?, &self.ids)
    }

    fn reclaim(&self, folder: &HostPath, paths: &[PathBuf]) -> anyhow::Result<Vec<Failure>> {
        let engine = find_engine(self.choice, self.host)?;
        reclaim_listed(&engine, self.host, folder, &self.ids, paths)
    }

    fn sudo_line(&self, folder: &HostPath, paths: &[PathBuf]) -> String {
        let owner = |path: &PathBuf| {
            let data = folder.as_path().join(path).symlink_metadata();
            data.map_or(0, |data| data.uid())
        };
        // Their folders at the top of the cache: beside those may lie what is not the Hub's.
        let places: BTreeSet<_> = paths.iter().map(|path| path.iter().next()).collect();
        let places: Vec<_> = places
            .into_iter()
            .map(|top| top.map_or(folder.as_path().to_owned(), |top| folder.as_path().join(top)))
            .collect();
        sudo_line(self.host.uid, &places, &paths.iter().map(owner).collect())
    }
}

/// The file of a token that is in one.
fn token_file(token: &TokenSource) -> Option<&Path> {
    match token {
        TokenSource::File(file) => Some(file.as_path()),
        TokenSource::Variable { .. } => None,
    }
}

/// How long a reader of the findings has once the work was stopped.
const READERS: Duration = Duration::from_secs(3);

/// Ctrl-C and its like, which ask the work to stop; a second one ends the program as if nobody had
/// watched for it.
struct Signals {
    stop: Arc<AtomicBool>,
    which: Arc<AtomicUsize>,
}

impl Signals {
    /// Watches for them from now on.
    fn watched() -> anyhow::Result<Self> {
        let signals = Self { stop: Arc::default(), which: Arc::default() };
        streams::hurry_when(Arc::clone(&signals.stop), READERS);
        for signal in signals::ending() {
            flag::register_conditional_default(signal, Arc::clone(&signals.stop))
                .and_then(|_| {
                    flag::register_usize(signal, Arc::clone(&signals.which), signal as usize)
                })
                .and_then(|_| flag::register(signal, Arc::clone(&signals.stop)))
                .context("watching for signals")?;
        }
        Ok(signals)
    }

    /// What a work that was stopped ends with.
    fn stopped(&self) -> Option<Exit> {
        let signal = u8::try_from(self.which.load(Ordering::Relaxed)).ok()?;
        (signal != 0).then_some(Exit::Benchmark(128 + signal))
    }
}
