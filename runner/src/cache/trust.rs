//! `aienergyscore cache trust`: accepts a Hub cache that is a symlink.

use anyhow::{Context as _, bail};
use host::{exit::Exit, machine::Host, output::terminal, paths::results_folder::results_folder};
use hub::{HubCache, boundary::Boundary};
use untrusted::escape;

/// Records the target of the symlink, so that runs follow it from now on.
///
/// # Errors
/// When the target is not a folder, or the record cannot be written.
pub(super) fn run(host: &Host) -> anyhow::Result<Exit> {
    let cache = HubCache::locate(host)?;
    let boundary = Boundary::of(&results_folder(None, host)?, &cache, host);
    boundary.check_parent_dirs(&cache)?;
    let trust = boundary.trust();
    let hub = escape(cache.hub.as_str());
    let Some((trust, target)) = trust.and_then(|trust| Some((trust, trust.target().transpose()?)))
    else {
        terminal::say(format_args!("`{hub}` is not a symlink that needs to be trusted"));
        return Ok(Exit::Success);
    };
    let target = target?;
    let shown = escape(&target.to_string_lossy());
    if !target.is_dir() {
        bail!("`{hub}` leads to `{shown}`, which is not a folder");
    }
    trust.remember().with_context(|| format!("remembering where `{hub}` leads"))?;
    terminal::say(format_args!("trusted: `{hub}` leads to `{shown}`"));
    Ok(Exit::Success)
}
