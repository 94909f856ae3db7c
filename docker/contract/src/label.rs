//! Labels on images and containers.

/// On a container: id of the run. On nothing else, so that leftovers are found by it.
pub const RUN: &str = "org.aienergyscore.run";
/// On a container of a run: user id of its owner, who alone is offered the removal of what the run
/// leaves.
pub const USER: &str = "org.aienergyscore.user";
/// On an image: SHA-256 of everything it was built from.
pub const INPUTS: &str = "org.aienergyscore.inputs";
/// On an image: its flavour.
pub const FLAVOUR: &str = "org.aienergyscore.flavour";
/// On an image: its version. Our own images have the version of the programs in them.
pub const VERSION: &str = "org.opencontainers.image.version";
