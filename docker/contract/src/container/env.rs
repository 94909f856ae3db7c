//! Environment variables on the host and in the container.

/// The image to run (host).
pub const DOCKER_IMAGE: &str = "DOCKER_IMAGE";
/// The results folder (host; in the container only for the entrypoint outside of one).
pub const RESULTS_DIR: &str = "RESULTS_DIR";
/// The HuggingFace home (both sides).
pub const HF_HOME: &str = "HF_HOME";
/// The Hub cache, if it is elsewhere (both sides).
pub const HF_HUB_CACHE: &str = "HF_HUB_CACHE";
/// Deprecated name of [`HF_HUB_CACHE`], which huggingface_hub still reads (host).
pub const HUGGINGFACE_HUB_CACHE: &str = "HUGGINGFACE_HUB_CACHE";
/// The access token (host only: it never enters an argument vector).
pub const HF_TOKEN: &str = "HF_TOKEN";
/// Deprecated name of [`HF_TOKEN`], which huggingface_hub still reads (host).
pub const HUGGING_FACE_HUB_TOKEN: &str = "HUGGING_FACE_HUB_TOKEN";
/// The file that holds the token (both sides).
pub const HF_TOKEN_PATH: &str = "HF_TOKEN_PATH";
/// Keeps the Hub client off the network (container).
pub const HF_HUB_OFFLINE: &str = "HF_HUB_OFFLINE";
/// Base of the default cache folder (host).
pub const XDG_CACHE_HOME: &str = "XDG_CACHE_HOME";
/// Base of the default state folder (host).
pub const XDG_STATE_HOME: &str = "XDG_STATE_HOME";
/// The backend (both sides).
pub const BENCHMARK_BACKEND: &str = "BENCHMARK_BACKEND";
/// The server of the `vllm` backend (both sides).
pub const VLLM_ENDPOINT: &str = "VLLM_ENDPOINT";
/// The key of that server (host; in the container of a run by hand).
pub const VLLM_API_KEY: &str = "VLLM_API_KEY";
/// The file that holds the key (both sides).
pub const VLLM_API_KEY_PATH: &str = "VLLM_API_KEY_PATH";
/// File with the certificate authorities of the server (both sides).
pub const SSL_CERT_FILE: &str = "SSL_CERT_FILE";
/// Seconds to wait for that server (container).
pub const WAIT_FOR_ENDPOINT: &str = "AIENERGYSCORE_WAIT_FOR_ENDPOINT";
/// Number of CPU threads of the Python stacks (both sides).
pub const OMP_NUM_THREADS: &str = "OMP_NUM_THREADS";
/// `$HOME` (both sides).
pub const HOME: &str = "HOME";
/// Id of a supervised run (container). If set, the entrypoint ends the benchmark at the end of
/// standard input, because the supervisor is gone.
pub const RUN_ID: &str = "AIENERGYSCORE_RUN_ID";
/// GPUs that the entrypoint requires before it starts the benchmark (container), in the format of
/// [`Expected`](crate::gpus::Expected).
pub const GPUS: &str = "AIENERGYSCORE_GPUS";
/// The file of the results folder that lists the mounts (container), a
/// [`MountList`](crate::mounts::MountList). The entrypoint starts nothing where it sees other
/// folders.
pub const FOLDERS: &str = "AIENERGYSCORE_FOLDERS";
/// Umask of the user in octal (container), for the benchmark's files.
pub const UMASK: &str = "AIENERGYSCORE_UMASK";
/// Another server than huggingface.co for the Hub client (both sides).
pub const HF_ENDPOINT: &str = "HF_ENDPOINT";
/// Variables that keep a Hub library from the network (host).
pub const OFFLINE: [&str; 3] = [HF_HUB_OFFLINE, "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE"];
/// Hosts without a proxy, in both spellings that clients read (both sides).
pub const NO_PROXY: [&str; 2] = ["no_proxy", "NO_PROXY"];

/// An address that network clients read from the environment. One with a password is passed to the
/// container as a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address {
    /// Variables with the address. The first one that is set counts, as in Python.
    pub names: &'static [&'static str],
    /// Variable with the path of the file (container).
    pub path_name: &'static str,
    /// Path of the file (container).
    pub path: &'static str,
    /// Ending of the file's name (host).
    pub file: &'static str,
}

/// All addresses, the Hub's last.
pub const ADDRESSES: [Address; 4] = [
    Address {
        names: &["https_proxy", "HTTPS_PROXY"],
        path_name: "AIENERGYSCORE_HTTPS_PROXY_PATH",
        path: "/run/secrets/https_proxy",
        file: "https-proxy",
    },
    Address {
        names: &["http_proxy", "HTTP_PROXY"],
        path_name: "AIENERGYSCORE_HTTP_PROXY_PATH",
        path: "/run/secrets/http_proxy",
        file: "http-proxy",
    },
    Address {
        names: &["all_proxy", "ALL_PROXY"],
        path_name: "AIENERGYSCORE_ALL_PROXY_PATH",
        path: "/run/secrets/all_proxy",
        file: "all-proxy",
    },
    Address {
        names: &[HF_ENDPOINT],
        path_name: "AIENERGYSCORE_HF_ENDPOINT_PATH",
        path: "/run/secrets/hf_endpoint",
        file: "hf-endpoint",
    },
];
/// The entrypoint for the `host` engine (host).
pub const ENTRYPOINT: &str = "AIENERGYSCORE_ENTRYPOINT";

/// The variables that a user may set on the host, in the order of the guides.
pub const HOST: [&str; 13] = [
    DOCKER_IMAGE,
    RESULTS_DIR,
    HF_HOME,
    HF_HUB_CACHE,
    HF_TOKEN,
    HF_TOKEN_PATH,
    BENCHMARK_BACKEND,
    VLLM_ENDPOINT,
    VLLM_API_KEY,
    VLLM_API_KEY_PATH,
    SSL_CERT_FILE,
    OMP_NUM_THREADS,
    ENTRYPOINT,
];
