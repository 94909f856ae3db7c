//! What the host side, the container side, the Dockerfile and the guides must agree on.
//!
//! Nothing else in the workspace spells these names out a second time. The crate stands beside
//! the Dockerfile, apart from the runner, so that an edit of the runner leaves the image's inputs
//! alone and does not rebuild it.

pub mod argument;
mod backend;
pub mod by_hand;
pub mod clock;
mod device;
pub mod env;
pub mod exit;
mod flavour;
pub mod folders;
pub mod gpus;
pub mod hex;
pub mod host_meter;
pub mod hub;
pub mod output;
pub mod path;
pub mod previous;
pub mod probe;
pub mod published;
pub mod rapl;
pub mod reclaim;
pub mod rows;
pub mod summary;
pub mod task;

pub use backend::{Backend, UnknownBackend};
pub use flavour::{Flavour, UnknownFlavour};

/// Name of the image; the flavour is the tag.
pub const IMAGE: &str = "ai_energy_score";

/// Prompts per run when neither `-n` nor `scenario.num_samples=` says otherwise.
pub const DEFAULT_NUM_SAMPLES: u32 = 20;

/// Size of `/dev/shm` in the container: PyTorch's loaders share tensors there, and the engines'
/// own 64 MiB is too small for them.
pub const SHM_SIZE: &str = "1g";

/// Name by which a container reaches a server on its host.
pub const HOST_GATEWAY: &str = "host.docker.internal";

/// File name of the static program that every flavour starts.
pub const ENTRYPOINT: &str = "aienergyscore-entrypoint";

/// First argument that makes the entrypoint test its mounts instead of running a benchmark. It
/// prints a [`probe::Answer`] in JSON.
pub const PROBE: &str = "probe";

/// First argument that makes the entrypoint change the owners of entries. A [`reclaim::Request`]
/// in JSON follows.
pub const RECLAIM: &str = "reclaim";

/// First argument that makes the entrypoint fetch the model and the dataset of a benchmark, whose
/// arguments follow.
pub const FETCH: &str = "fetch";

/// Labels on images and containers.
pub mod label {
    /// On a container: the run's id. On nothing else, so that leftovers are found by it.
    pub const RUN: &str = "org.aienergyscore.run";
    /// On a container of a run: the number of the user whose run it is. What a run leaves is offered
    /// for removal to its user alone.
    pub const USER: &str = "org.aienergyscore.user";
    /// On an image: SHA-256 over everything it was built from.
    pub const INPUTS: &str = "org.aienergyscore.inputs";
    /// On an image: its flavour.
    pub const FLAVOUR: &str = "org.aienergyscore.flavour";
    /// On an image: its version, that of the programs it was built with if it is one of ours.
    pub const VERSION: &str = "org.opencontainers.image.version";
}

#[cfg(test)]
mod properties;
