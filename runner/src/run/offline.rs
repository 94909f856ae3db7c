//! A run that must do with the cache: whether the cache has what it needs, before it starts.

use std::borrow::Cow;

use anyhow::bail;
use contract::{
    Backend,
    argument::{self, MODEL},
};

use super::Planned;
use crate::{
    hub_cache::readiness::{Readiness, Wanted, look},
    local_input::Kind,
};

/// Names the branch, tag or commit of the model.
const REVISION: &str = "backend.model_kwargs.revision";

/// Looks for the model of an offline run in the cache. The answer is a warning.
///
/// # Errors
/// When the run would fail for want of it.
pub(super) fn check(planned: &Planned) -> anyhow::Result<Option<String>> {
    let Planned { options, detected: _, plan } = planned;
    let backend = plan.backend.value;
    let is_local = options.inputs.local.iter().any(|input| input.kind == Kind::Model);
    if !options.offline || !backend.needs_hub_cache() || is_local {
        return Ok(None);
    }
    let Some(model) = value(&options.args, MODEL) else { return Ok(None) };
    let (id, file) = match model.split_once(':').filter(|_| backend == Backend::Native) {
        Some((id, file)) => (id, Some(file)),
        None => (&*model, None),
    };
    let revision = value(&options.args, REVISION);
    let revision = revision.as_deref();
    match look(options.cache.hub.as_path(), Wanted { id, revision, file, backend }) {
        Readiness::Ready => Ok(None),
        Readiness::Partial(why) => Ok(Some(format!("`{MODEL}={model}`, offline: {why}"))),
        Readiness::Lacking(why) => {
            bail!("`{MODEL}={model}` cannot be loaded without a network: {why}")
        }
    }
}

/// What the last argument with this key says.
fn value<'a>(args: &'a [String], key: &str) -> Option<Cow<'a, str>> {
    args.iter().rev().find_map(|arg| {
        let (name, value) = argument::split(arg)?;
        (name == key && !value.is_empty()).then_some(value)
    })
}
