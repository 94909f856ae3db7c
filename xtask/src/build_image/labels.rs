//! What an image says of itself.

use contract::{Flavour, label};
use xshell::{Shell, cmd};

/// A base image, as far as it decides over what is built on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Base {
    /// Its reference.
    pub(super) name: String,
    /// Content of the image that was named by hand: its tag may move. None for a default, which is
    /// what its reference says.
    pub(super) id: Option<String>,
}

/// The labels that are inputs themselves.
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

/// Reference of the base.
pub(super) const BASE_NAME: &str = "org.opencontainers.image.base.name";
/// Content of a base that was named by hand.
pub(super) const BASE_ID: &str = "org.aienergyscore.base-id";

/// On the last layer of a build stage whose name is its value, so that it is found when a later
/// build has replaced it.
pub(super) const STAGE: &str = "org.aienergyscore.stage";

/// All labels of an image that is made from `inputs` on `base`.
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

/// The commit of this tree, marked when the tree differs from it; none outside of git. It is no
/// input: a commit that leaves the sources alone does not outdate an image.
pub(super) fn revision(sh: &Shell) -> Option<String> {
    let commit = cmd!(sh, "git rev-parse --verify --quiet HEAD").quiet().ignore_stderr();
    let commit = commit.read().ok()?;
    let changes = cmd!(sh, "git status --porcelain").quiet().ignore_stderr().read().ok()?;
    let mark = if changes.is_empty() { "" } else { "-dirty" };
    Some(format!("{commit}{mark}"))
}
