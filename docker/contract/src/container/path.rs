//! Paths in the container.

/// The results folder, and the working directory of the benchmark.
pub const RESULTS: &str = "/results";
/// `$HOME`, writable for any uid.
pub const HOME: &str = "/home/user";
/// The user's HuggingFace home: Hub cache, datasets, modules.
pub const HF_HOME: &str = "/home/user/.cache/huggingface";
/// The Hub cache when it is outside the HuggingFace home. Not below [`HF_HOME`]: an engine creates
/// a missing mount point in another mount as root, in the user's folder.
pub const HUB_CACHE: &str = "/hub_cache";
/// The access token. Not below [`HF_HOME`], for the same reason.
pub const TOKEN: &str = "/run/secrets/hf_token";
/// The API key of a server.
pub const API_KEY: &str = "/run/secrets/vllm_api_key";
/// Certificate authorities of a server.
pub const CERTIFICATES: &str = "/run/secrets/certificates.pem";
/// The static program that every image starts.
pub const ENTRYPOINT: &str = "/usr/local/bin/aienergyscore-entrypoint";
/// Folder of local models, each under its own name.
pub const MODELS: &str = "/models";
/// Folder of local datasets, each under its own name.
pub const DATA: &str = "/data";
/// Python of the stacks' virtual environment. An image without it has only `native`.
pub const PYTHON: &str = "/opt/aienergyscore/bin/python";
/// The Python package that drives the stacks.
pub const ADAPTER: &str = "/usr/local/share/aienergyscore/adapter";
/// Folder for temporary files.
pub const TEMPORARY: &str = "/tmp";
