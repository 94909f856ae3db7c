//! `aienergyscore cache`: lists, verifies and repairs the Hub cache.

mod access;
mod interrupt;
mod owners;
mod trust;

use std::{path::Path, time::UNIX_EPOCH};

use doctor::{
    repair::repair,
    report::Report,
    verify::{Context, Scope, Verification, verify},
};
use engine::EngineChoice;
use host::{
    exit::Exit,
    machine::Host,
    output::{json_text::json_text, terminal},
    paths::{host_path::HostPath, results_folder::results_folder},
    users::subids::Ids,
};
use hub::{
    CacheUsage, HubCache, Listing,
    boundary::{Boundary, WritableFolders},
    token::TokenSource,
};

use self::{access::ensure_readable, interrupt::Interrupt, owners::ContainerOwners};
use crate::cli::CacheCommand;

/// Runs a command on the cache.
///
/// # Errors
/// When the cache is not trusted or not readable.
pub fn run(command: CacheCommand) -> anyhow::Result<Exit> {
    let host = Host::read()?;
    match command {
        CacheCommand::Ls(args) => {
            let as_json = args.json;
            list(&host, &args.into_listing(), as_json)
        }
        CacheCommand::Verify(args) => {
            let as_json = args.json;
            report(&host, &args.into_scope(), as_json)
        }
        CacheCommand::Repair(args) => {
            let (apply, as_json) = (args.yes, args.json);
            let (scope, engine) = args.into_scope();
            repair_or_plan(&host, &scope, engine, apply, as_json)
        }
        CacheCommand::Trust => trust::run(&host),
    }
}

/// `cache ls`: prints the repos of the cache.
fn list(host: &Host, listing: &Listing, as_json: bool) -> anyhow::Result<Exit> {
    let cache = locate(host)?;
    ensure_readable(host, &cache)?;
    let usage = CacheUsage::of(cache.hub.as_path())?;
    let now = host.now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    terminal::print(&if as_json {
        json_text(&listing.json(&usage))
    } else {
        listing.table(&usage, now)
    })?;
    Ok(Exit::Success)
}

/// `cache verify`: prints the findings.
fn report(host: &Host, scope: &Scope, as_json: bool) -> anyhow::Result<Exit> {
    let cache = locate(host)?;
    let interrupt = Interrupt::listen()?;
    let found = in_context(host, &cache, &interrupt, |context| verify(&cache, scope, context))?;
    let interrupted = found.interrupted;
    let report = Report::of(found)?;
    terminal::print(&if as_json { json_text(&report.json()) } else { report.lines() })?;
    Ok(interrupt.exit().filter(|_| interrupted).unwrap_or_else(|| report.exit()))
}

/// `cache repair`: applies the fixes with `apply`, and shows them otherwise.
fn repair_or_plan(
    host: &Host,
    scope: &Scope,
    engine: EngineChoice,
    apply: bool,
    as_json: bool,
) -> anyhow::Result<Exit> {
    let cache = locate(host)?;
    let owners = ContainerOwners { host, engine, ids: Ids::of_this_machine(host) };
    if apply {
        access::reclaim(host, &cache, &owners)?;
    }
    let interrupt = Interrupt::listen()?;
    let done = in_context(host, &cache, &interrupt, |context| {
        repair(&cache, scope, context, &owners, apply)
    })?;
    terminal::print(&if as_json { json_text(&done.json()) } else { done.lines() })?;
    Ok(interrupt.exit().filter(|_| done.interrupted).unwrap_or_else(|| done.exit()))
}

/// Locates the cache, and refuses a symlink that a container may have created.
fn locate(host: &Host) -> anyhow::Result<HubCache> {
    let cache = HubCache::locate(host)?;
    Boundary::of(&results_folder(None, host)?, &cache, host).check_cache(&cache)?;
    Ok(cache)
}

/// Verifies a cache. Ctrl-C stops it between two reads.
///
/// # Errors
/// When the cache is not readable.
pub(crate) fn verify_now(
    host: &Host,
    cache: &HubCache,
    scope: &Scope,
) -> anyhow::Result<Verification> {
    in_context(host, cache, &Interrupt::listen()?, |context| verify(cache, scope, context))
}

/// Calls `work` with the token file and the digest cache of this user. A container could change a digest
/// cache in a folder that it can write to, so none is used there.
fn in_context<T>(
    host: &Host,
    cache: &HubCache,
    interrupt: &Interrupt,
    work: impl FnOnce(&Context<'_>) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    ensure_readable(host, cache)?;
    let digest_cache =
        dirs::cache_dir().filter(|folder| !is_writable_in_container(folder, cache, host));
    let token = TokenSource::locate(host, cache, "")?;
    let token = match &token {
        TokenSource::File(file) => Some(file.as_path()),
        TokenSource::Variable { .. } => None,
    };
    work(&Context { host, token, digest_cache: digest_cache.as_deref(), stop: &interrupt.stop })
}

/// Whether a container can write to `folder`, which may not exist yet.
fn is_writable_in_container(folder: &Path, cache: &HubCache, host: &Host) -> bool {
    let real = folder.ancestors().find_map(|folder| folder.canonicalize().ok());
    let (HubCache { home, hub }, results) = (cache, results_folder(None, host).ok());
    let folders = [home, hub].into_iter().chain(&results).map(HostPath::as_path);
    real.is_some_and(|real| WritableFolders::of(folders, host).contains(&real))
}
