//! The table of environment variables.

use contract::env;

use crate::docs::content::{Content, code};

/// Name, meaning and default of every variable that a user may set on the host.
pub(crate) const VARIABLES: [(&str, &str, &str); 13] = [
    (env::DOCKER_IMAGE, "image to run", "`ai_energy_score`, the tag by backend"),
    (env::RESULTS_DIR, "folder for the results", "`./results`"),
    (env::HF_HOME, "HuggingFace home with the Hub cache", "`~/.cache/huggingface`"),
    (env::HF_HUB_CACHE, "Hub cache, if it lies elsewhere", "`$HF_HOME/hub`"),
    (env::HF_TOKEN, "access token for gated models", "the token file"),
    (env::HF_TOKEN_PATH, "file with the access token", "`$HF_HOME/token`"),
    (env::BENCHMARK_BACKEND, "backend, if `--backend` does not say", "by image"),
    (env::VLLM_ENDPOINT, "server of the `vllm` backend", "none; required there"),
    (env::VLLM_API_KEY, "API key of that server, if it wants one", "the file below"),
    (env::VLLM_API_KEY_PATH, "file with that key", "none"),
    (env::SSL_CERT_FILE, "authorities of an `https://` server's certificate", "the usual ones"),
    (env::OMP_NUM_THREADS, "threads of the Python stacks on the CPU", "all processors but one"),
    (
        env::ENTRYPOINT,
        "entrypoint program of the `host` engine",
        "looked for in the build folder, beside the runner and on `PATH`",
    ),
];

/// Environment variables of the host.
pub(crate) fn variables() -> Content {
    let rows = VARIABLES
        .map(|(name, meaning, default)| vec![code(name), meaning.to_owned(), default.to_owned()]);
    Content::Table { head: vec!["Variable", "Meaning", "Default"], rows: rows.into() }
}

#[cfg(test)]
mod tests {
    use contract::env;

    use super::VARIABLES;

    #[test]
    fn every_variable_of_the_host_is_documented() {
        assert_eq!(VARIABLES.map(|(name, ..)| name), env::HOST);
    }
}
