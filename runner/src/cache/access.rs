//! Access of the user to the folder of the Hub cache.

use std::{
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use doctor::repair::Ownership;
use host::{machine::Host, output::terminal};
use hub::HubCache;
use ownership::{folders::denied, why_protected};

/// Checks that the user can list the cache.
///
/// # Errors
/// When permission is denied, with the owner and a remedy.
pub(super) fn ensure_readable(host: &Host, cache: &HubCache) -> anyhow::Result<()> {
    let hub = &cache.hub;
    let Some((folder, remedy)) = denied(hub.as_path(), host) else { return Ok(()) };
    let is_mine = folder.metadata().is_ok_and(|data| data.uid() == host.uid);
    let is_reclaimable = !is_mine
        && why_protected(hub.as_path(), host.home.as_deref()).is_none()
        && is_in_folder_of(hub.as_path(), host.uid);
    let hint = if folder == hub.as_path() && is_reclaimable {
        "; `aienergyscore cache repair --yes` may do without sudo"
    } else {
        ""
    };
    let place = folder.display();
    bail!("the Hub cache `{hub}` cannot be looked into: `{place}` is closed to you: {remedy}{hint}")
}

/// Takes ownership of the cache's own folder, if the user cannot list it: the repair could not find
/// anything in it.
///
/// # Errors
/// When it is not readable afterwards.
pub(super) fn reclaim(host: &Host, cache: &HubCache, owners: &dyn Ownership) -> anyhow::Result<()> {
    let (hub, itself) = (&cache.hub, PathBuf::new());
    let is_reclaimable = denied(hub.as_path(), host)
        .is_some_and(|(folder, _)| folder == hub.as_path())
        && owners.why_protected(hub, &itself).is_none()
        && is_in_folder_of(hub.as_path(), host.uid);
    if !is_reclaimable {
        return ensure_readable(host, cache);
    }
    let failed = owners.reclaim(hub, &[itself]);
    let why = match &failed {
        Ok(failed) => failed.first().map(|failure| failure.error.clone()),
        Err(error) => Some(format!("{error:#}")),
    };
    ensure_readable(host, cache).with_context(|| match why {
        Some(why) => format!("taking it back through a container failed: {why}"),
        None => "it was taken back through a container".to_owned(),
    })?;
    terminal::say(format_args!("the Hub cache `{hub}` itself was taken back"));
    Ok(())
}

/// Whether `hub` is a real entry of a folder that belongs to `uid`. A symlink may point to any root-owned
/// folder.
fn is_in_folder_of(hub: &Path, uid: u32) -> bool {
    let parent = hub.parent().and_then(|parent| parent.metadata().ok());
    !hub.is_symlink() && parent.is_some_and(|parent| parent.uid() == uid)
}
