//! Where things are inside the container.

/// The results folder, and the working directory of the benchmark.
pub const RESULTS: &str = "/results";
/// `$HOME`, writable for any uid.
pub const HOME: &str = "/home/user";
/// The user's HuggingFace home: Hub cache, datasets, modules.
pub const HF_HOME: &str = "/home/user/.cache/huggingface";
/// The Hub cache when it does not lie inside the HuggingFace home. A place of its own, because
/// an engine makes a missing mount point inside another mount as root, in the user's folder.
pub const HUB_CACHE: &str = "/hub_cache";
/// The access token, on its own: a mount point inside the cache would be made there as root.
pub const TOKEN: &str = "/run/secrets/hf_token";
/// The static program that every image starts.
pub const ENTRYPOINT: &str = "/usr/local/bin/aienergyscore-entrypoint";
