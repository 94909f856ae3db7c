//! The digest of everything that an image is built from. It covers sources and no build results, so
//! that an image is known to be up to date without building anything.

use std::path::Path;

use contract::Flavour;

use super::{
    context::{self, Content, Entry},
    labels::{self, Base},
};
use crate::{entrypoint::Entrypoint, sha256::PartsHasher};

/// Digest of everything that an image of `flavour` on `base` is built from.
///
/// # Errors
/// When a source cannot be read.
pub(super) fn digest(
    root: &Path,
    program: &Entrypoint,
    flavour: Flavour,
    base: Option<&Base>,
) -> anyhow::Result<String> {
    let mut inputs = PartsHasher::default();
    inputs.add("program", program.digest.as_bytes());
    inputs.add("flavour", flavour.name().as_bytes());
    if let Some(Base { name, id }) = base {
        inputs.add("base", name.as_bytes());
        inputs.add("base's id", id.as_deref().unwrap_or_default().as_bytes());
    }
    for (name, value) in labels::fixed(flavour) {
        inputs.add(name, value.as_bytes());
    }
    for Entry { path, mode, content } in context::sources(root, flavour)? {
        inputs.add(&path, &mode.to_be_bytes());
        if let Content::File(bytes) = content {
            inputs.add(&path, &bytes);
        }
    }
    Ok(inputs.finish())
}
