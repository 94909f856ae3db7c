//! Commands of the entrypoint besides the benchmark, and their JSON.

pub mod probe;
pub mod reclaim;

/// First argument that makes the entrypoint test its mounts instead of running a benchmark. It
/// prints a [`probe::Answer`] in JSON.
pub const PROBE: &str = "probe";

/// First argument that makes the entrypoint change the owners of entries. A [`reclaim::Request`]
/// in JSON follows.
pub const RECLAIM: &str = "reclaim";

/// First argument that makes the entrypoint fetch the model and the dataset of a benchmark, whose
/// arguments follow.
pub const FETCH: &str = "fetch";
