//! Checks before a run that its model and dataset can be loaded.

use std::{borrow::Cow, path::Path};

use anyhow::bail;
use contract::{
    Backend,
    argument::{self, DATASET, DEFAULT_CONFIG, MODEL},
    task,
};
use hub::{
    loading::{Keywords, LocalFolder, Remedy, Verdict, dataset, native, transformers},
    readiness::{self, ModelRequest, Readiness},
};
use plan::{
    local_input::{Found, Kind, LocalInput},
    options::Settings,
};
use untrusted::escape;

use crate::run::Planned;

/// Checks a model and a dataset that are named by a path, and for an offline run those in the cache.
/// Returns warnings.
///
/// # Errors
/// When one of them cannot be loaded.
pub(crate) fn check(planned: &Planned) -> anyhow::Result<Vec<String>> {
    let Planned { settings, detected, plan, .. } = planned;
    let (backend, contained) = (plan.backend.value, detected.engine.has_containers());
    let keywords = Keywords::of(&settings.args);
    let mut warnings = Vec::new();
    for kind in [Kind::Model, Kind::Dataset] {
        let local = settings.inputs.local.iter().find(|input| input.kind == kind);
        let (argument, readiness) = if let Some(input) = local {
            let verdict = check_local(input, backend, &keywords, contained);
            let remedy = |kind| {
                let helps = matches!(kind, Remedy::Download | Remedy::Replace);
                helps.then(|| "name a complete copy".to_owned())
            };
            (settings.args[input.argument].clone(), Readiness::of(verdict, remedy))
        } else if settings.offline && backend.needs_hub_cache() {
            let Some((argument, id)) = from_cache(&settings.args, kind, backend) else { continue };
            (argument, check_cached(settings, kind, &id, backend, &keywords, contained))
        } else {
            continue;
        };
        let argument = escape(&argument);
        let offline = if local.is_some() { "" } else { " without a network" };
        match readiness {
            Readiness::Ready(found) => {
                warnings.extend(found.iter().map(|warning| format!("`{argument}`: {warning}")));
            }
            Readiness::NotReady(why) => bail!("`{argument}` cannot be loaded{offline}: {why}"),
        }
    }
    Ok(warnings)
}

/// Checks an input in the cache.
fn check_cached(
    settings: &Settings,
    kind: Kind,
    id: &str,
    backend: Backend,
    keywords: &Keywords,
    contained: bool,
) -> Readiness {
    let hub = settings.cache.hub.as_path();
    match kind {
        Kind::Model => {
            let (id, file) = match id.split_once(':') {
                Some((id, file)) if backend == Backend::Native => (id, Some(file)),
                _ => (id, None),
            };
            readiness::model(hub, ModelRequest { id, file, backend, keywords, contained })
        }
        Kind::Dataset => {
            let prepared = settings.cache.home.as_path().join("datasets");
            readiness::dataset(hub, &prepared, id, backend, contained)
        }
    }
}

/// Checks an input that the user named by its path.
fn check_local(
    input: &LocalInput,
    backend: Backend,
    keywords: &Keywords,
    contained: bool,
) -> Verdict {
    let LocalInput { kind, argument: _, path, found } = input;
    let Some(Found { is_folder, mount, subpath, .. }) = found else { return Ok(vec![]) };
    let path = path.as_path();
    if !is_folder {
        let folder = LocalFolder::new(path.parent().unwrap_or(Path::new("/")), None);
        let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
        return match kind {
            Kind::Model => native::check_file(&folder, &name),
            Kind::Dataset => dataset::check_file(&folder, &name),
        };
    }
    // The symlinks of a snapshot point to blobs in its repo, which is mounted as a whole.
    if !subpath.is_empty() {
        return readiness::snapshot_folder(
            mount.as_path(),
            subpath,
            contained,
            |files| match kind {
                Kind::Model => transformers::check(files, keywords),
                Kind::Dataset => dataset::check_folder(files, backend, false),
            },
        );
    }
    let files = LocalFolder::new(path, contained.then_some(mount.as_path()));
    match kind {
        Kind::Model => transformers::check(&files, keywords),
        Kind::Dataset => dataset::check_folder(&files, backend, false),
    }
}

/// The input that a run loads from the cache: the argument for messages, and its value.
fn from_cache<'a>(
    args: &'a [String],
    kind: Kind,
    backend: Backend,
) -> Option<(String, Cow<'a, str>)> {
    let model = value(args, MODEL)?;
    match kind {
        Kind::Model => Some((format!("{MODEL}={model}"), model)),
        Kind::Dataset => {
            let default = || {
                let stack = backend != Backend::Native;
                stack.then(|| task::dataset(DEFAULT_CONFIG)).flatten().map(Cow::from)
            };
            let dataset = value(args, DATASET).or_else(default)?;
            Some((format!("{DATASET}={dataset}"), dataset))
        }
    }
}

/// Value of the last argument with this key.
fn value<'a>(args: &'a [String], key: &str) -> Option<Cow<'a, str>> {
    args.iter().rev().find_map(|arg| {
        let (name, value) = argument::split(arg)?;
        (name == key && !value.is_empty()).then_some(value)
    })
}
