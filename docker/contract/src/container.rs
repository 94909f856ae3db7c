//! What a container is started with.

pub mod env;
pub mod gpus;
pub mod mounts;
pub mod path;

/// Size of `/dev/shm` in the container: PyTorch's loaders share tensors there, and the engines'
/// own 64 MiB is too small for them.
pub const SHM_SIZE: &str = "1g";

/// Name by which a container reaches a server on its host.
pub const HOST_GATEWAY: &str = "host.docker.internal";

/// File name of the static program that every flavour starts.
pub const ENTRYPOINT: &str = "aienergyscore-entrypoint";
