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
/// The API key of a server, likewise.
pub const API_KEY: &str = "/run/secrets/vllm_api_key";
/// The authorities of a server's certificate.
pub const CERTIFICATES: &str = "/run/secrets/certificates.pem";
/// The static program that every image starts.
pub const ENTRYPOINT: &str = "/usr/local/bin/aienergyscore-entrypoint";
/// Where local models appear, each under its own name.
pub const MODELS: &str = "/models";
/// Where local datasets appear, each under its own name.
pub const DATA: &str = "/data";
/// The Python of the stacks: an environment of its own. An image without it has only `native`.
pub const PYTHON: &str = "/opt/aienergyscore/bin/python";
/// The Python package that drives the stacks.
pub const ADAPTER: &str = "/usr/local/share/aienergyscore/adapter";
/// What every library may write to besides the home folder.
pub const TEMPORARY: &str = "/tmp";
