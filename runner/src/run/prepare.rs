//! Preparation of a run: folders, the lock of the results folder, and checks of image and inputs.

pub(super) mod loadable;
mod unfinished;

use std::time::SystemTime;

use anyhow::{Context as _, bail};
use backend_reports::Folder;
use contract::{Backend, previous::archive};
use engine::Engine;
use host::{
    gpus::Devices,
    machine::Host,
    output::terminal::{self, warn},
    shell::shown_for_shell,
};
use ownership::folders::{Need, foreign_cache_folders, prepare_folder, repos_outside_cache};
use plan::{
    options::Settings,
    run_plan::{Pull, RunPlan},
};

use self::unfinished::remove_unfinished;
use super::{Planned, lock::ResultsLock};

/// A planned run, and the lock of its results folder.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) planned: Planned,
    pub(super) lock: ResultsLock,
}

/// Prepares folders, plans the run, prints a summary of the plan and archives earlier results.
///
/// # Errors
/// When a folder, the image or an input is unusable. Earlier results then stay in place.
pub(super) fn prepare(settings: Settings, host: &Host) -> anyhow::Result<Prepared> {
    settings.check_cache(host)?;
    // Folders come first: a cache that is a symlink is followed only if its target exists.
    prepare_folder("results folder", &settings.results, host, Need::Write)?;
    let (lock, warning) = ResultsLock::take(&settings.results, &settings.run_id)?;
    warn(warning);
    remove_unfinished(lock.folder(), host.uid, host.now)
        .with_context(|| format!("reading the results folder `{}`", settings.results))?;
    if settings.backend.is_none_or(Backend::needs_hub_cache) {
        let need = if settings.offline { Need::Read } else { Need::WriteOrWarn };
        for (what, folder) in settings.cache.folders() {
            warn(prepare_folder(what, folder, host, need)?);
        }
        // An offline run downloads nothing into them.
        if !settings.offline {
            warn(foreign_cache_folders(&settings.cache, host));
        }
    }
    let planned = Planned::new(settings, host)?;
    let Planned { settings, detected, plan, .. } = &planned;
    warn(detected.warning.as_ref());
    warn(plan.warning());
    if detected.engine.has_containers() && plan.backend.value.needs_hub_cache() {
        warn(repos_outside_cache(&settings.cache));
    }
    warn(check_image(&detected.engine, plan)?);
    for warning in loadable::check(&planned)? {
        warn(Some(warning));
    }
    if host.uid == 0 {
        let sudo = host.env.get("SUDO_UID").map_or("", |_| {
            "; leave `sudo` out: Docker's group, or Podman's socket by CONTAINER_HOST, is all that a \
             rootful engine takes"
        });
        warn(Some(format!("you are root, so the benchmark and its files are root's, too{sudo}")));
    }
    announce(&detected.why, plan);
    if let Some(name) = host.env.offline().filter(|_| settings.offline) {
        terminal::say(format_args!("offline: {name} is set"));
    }
    archive_earlier_results(lock.folder())?;
    Ok(Prepared { planned, lock })
}

/// Checks that the image can be run, and returns a warning. An image that is never pulled must be on this
/// machine.
///
/// # Errors
/// When the image is missing or unsuitable.
pub(super) fn check_image(engine: &Engine, plan: &RunPlan) -> anyhow::Result<Option<String>> {
    let Some(image) = &plan.image else { return Ok(None) };
    let reference = &image.value.reference;
    if let Some(why) = engine.architecture_mismatch(reference) {
        bail!("the image `{reference}` is {why}, or name another with --flavour or --image");
    }
    if engine.image.is_none() && image.value.pull == Pull::Never {
        bail!(
            "the image `{reference}` is not on this machine; {}, or name another with --flavour or \
             --image",
            engine.build_hint(reference)
        );
    }
    let warning = engine.version_mismatch(reference);
    Ok(warning.map(|warning| format!("the image `{reference}` is {warning}")))
}

/// Prints engine, image, GPUs and notes of the plan.
fn announce(why: &str, plan: &RunPlan) {
    terminal::say(format_args!("engine: {why}"));
    if let Some(image) = &plan.image {
        terminal::say(format_args!(
            "image: {}, backend {}",
            image.value.reference, plan.backend.value
        ));
    }
    let gpus = match &plan.gpus.value {
        Devices::None => "none".to_owned(),
        Devices::All => "all".to_owned(),
        Devices::Count(count) => count.to_string(),
        Devices::List(list) => list.join(", "),
    };
    terminal::say(format_args!("GPUs: {gpus} ({})", plan.gpus.reason));
    plan.notes.iter().for_each(|note| terminal::say(format_args!("note: {note}")));
}

/// Moves earlier results to `previous/` in the results folder.
fn archive_earlier_results(results: &Folder) -> anyhow::Result<()> {
    let moved = archive(results.dir(), SystemTime::now()).with_context(|| {
        format!(
            "moving earlier results in `{}` aside; if they are not yours, `aienergyscore reclaim \
             --yes {}` takes them back without sudo",
            results.shown(""),
            shown_for_shell(results.path())
        )
    })?;
    if let Some(folder) = moved {
        terminal::say(format_args!("earlier results: moved to {}", results.shown(&folder)));
    }
    Ok(())
}
