//! Labels of the images.

use contract::{Flavour, label};
use xshell::{Shell, cmd};

/// The identity of a base image, as an input of the images on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Base {
    /// Reference of the base.
    pub(super) name: String,
    /// Digest of its content, if the user chose the base: its tag may move. Not set for a default
    /// base, which its reference identifies.
    pub(super) id: Option<String>,
}

/// Labels that depend on the flavour and the version alone. They are inputs of the image.
pub(super) fn fixed(flavour: Flavour) -> Vec<(&'static str, String)> {
    vec![
        ("org.opencontainers.image.title", format!("AIEnergyScore, {flavour}")),
        ("org.opencontainers.image.description", flavour.about().to_owned()),
        (label::VERSION, env!("CARGO_PKG_VERSION").to_owned()),
        ("org.opencontainers.image.source", env!("CARGO_PKG_REPOSITORY").to_owned()),
        ("org.opencontainers.image.licenses", env!("CARGO_PKG_LICENSE").to_owned()),
        (label::FLAVOUR, flavour.name().to_owned()),
    ]
}

/// Label with the reference of the base.
pub(super) const BASE_NAME: &str = "org.opencontainers.image.base.name";
/// Label with the content digest of a base that the user chose.
pub(super) const BASE_ID: &str = "org.aienergyscore.base-id";

/// Label with the name of a build stage, on its last layer. `prune` finds replaced stages by it.
pub(super) const STAGE: &str = "org.aienergyscore.stage";

/// All labels of an image with the digest `inputs` on `base`.
pub(super) fn all(
    flavour: Flavour,
    base: Option<&Base>,
    inputs: &str,
    revision: Option<String>,
) -> Vec<(&'static str, String)> {
    let mut labels = fixed(flavour);
    labels.push((label::INPUTS, inputs.to_owned()));
    if let Some(Base { name, id }) = base {
        labels.push((BASE_NAME, name.clone()));
        labels.extend(id.iter().map(|id| (BASE_ID, id.clone())));
    }
    labels.extend(revision.map(|revision| ("org.opencontainers.image.revision", revision)));
    labels
}

/// The commit of this tree, with `-dirty` if files differ from it. None outside of git. It is not an
/// input of the image: a commit that changes no source does not cause a rebuild.
pub(super) fn revision(sh: &Shell) -> Option<String> {
    let commit = cmd!(sh, "git rev-parse --verify --quiet HEAD").quiet().ignore_stderr();
    let commit = commit.read().ok()?;
    let changes = cmd!(sh, "git status --porcelain").quiet().ignore_stderr().read().ok()?;
    let mark = if changes.is_empty() { "" } else { "-dirty" };
    Some(format!("{commit}{mark}"))
}
