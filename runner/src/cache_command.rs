//! `aienergyscore cache`: where the model of a cache meets the user and the world.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicBool},
    time::UNIX_EPOCH,
};

use anyhow::Context as _;
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    flag,
};

use crate::{
    exit::Exit,
    give_back::{Entry, Failure, Ids, find_engine, give_back, leave, sudo_line},
    host::Host,
    host_path::HostPath,
    hub_cache::{
        CacheCensus, HubCache, Listing,
        repair::{TakeBack, repair},
        verify::{Around, Scope, Verification, verify},
    },
    options::EngineChoice,
    terminal,
    token::TokenSource,
};

/// Lists the cache.
///
/// # Errors
/// When it cannot be opened.
pub fn ls(listing: &Listing, as_json: bool) -> anyhow::Result<Exit> {
    let host = Host::read()?;
    let cache = HubCache::locate(&host)?;
    let census = CacheCensus::take(cache.hub.as_path())?;
    let now = host.now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    terminal::print(&if as_json {
        format!("{:#}\n", listing.json(&census, now))
    } else {
        listing.table(&census, now)
    })?;
    Ok(Exit::Success)
}

/// Verifies the cache.
///
/// # Errors
/// When it cannot be opened.
pub fn check(scope: &Scope, as_json: bool) -> anyhow::Result<Exit> {
    let host = Host::read()?;
    let cache = HubCache::locate(&host)?;
    let found = verify_now(&host, &cache, scope)?;
    terminal::print(&if as_json { format!("{:#}\n", found.json()) } else { found.lines() })?;
    Ok(found.exit())
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
    let cache = HubCache::locate(&host)?;
    let ids = Ids::of_this_machine(host.uid);
    let owners = ByEngine { host: &host, choice: engine, ids };
    let done = around(&host, &cache, |around| repair(&cache, scope, around, &owners, really))?;
    terminal::print(&if as_json { format!("{:#}\n", done.json()) } else { done.lines() })?;
    Ok(done.exit())
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
    around(host, cache, |around| verify(cache, scope, around))
}

fn around<T>(
    host: &Host,
    cache: &HubCache,
    work: impl FnOnce(&Around<'_>) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let stop = stopped_by_signals()?;
    let memory = dirs::cache_dir();
    let token = TokenSource::locate(host, cache, "")?;
    work(&Around { host, token: token_file(&token), memory: memory.as_deref(), stop: &stop })
}

/// Takes entries back through a container.
struct ByEngine<'a> {
    host: &'a Host,
    choice: EngineChoice,
    ids: Ids,
}

impl TakeBack for ByEngine<'_> {
    fn leave(&self, folder: &HostPath, path: &Path) -> Option<String> {
        // What cannot be looked at now is the container's to judge.
        let data = folder.as_path().join(path).symlink_metadata().ok()?;
        leave(&data, &self.ids)
    }

    fn take_back(&self, folder: &HostPath, paths: &[PathBuf]) -> anyhow::Result<Vec<Failure>> {
        let engine = find_engine(self.choice, self.host)?;
        let entries: Vec<_> = paths.iter().map(Entry::at).collect();
        Ok(give_back(&engine, self.host, folder, &entries)?.failed)
    }

    fn sudo_line(&self, folder: &HostPath, paths: &[PathBuf]) -> String {
        let entries: Vec<_> = paths.iter().map(|path| Entry::seen_at(folder, path)).collect();
        sudo_line(self.host, folder, &entries)
    }
}

/// The file of a token that is in one.
fn token_file(token: &TokenSource) -> Option<&Path> {
    match token {
        TokenSource::File(file) => Some(file.as_path()),
        TokenSource::Variable { .. } => None,
    }
}

/// A flag that Ctrl-C and SIGTERM set; a second one ends the program as if nobody had asked.
fn stopped_by_signals() -> anyhow::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        flag::register_conditional_default(signal, Arc::clone(&stop))
            .and_then(|_| flag::register(signal, Arc::clone(&stop)))
            .context("watching for signals")?;
    }
    Ok(stop)
}
