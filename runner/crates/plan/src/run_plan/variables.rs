//! The environment variables of a run, besides those that name its mounts.

use contract::{Backend, env};
use host::machine::Host;

use super::Variable;
use crate::{addresses::no_proxy_hosts, endpoint, options::Settings};

/// The umask that engines start programs with.
const DEFAULT_UMASK: u32 = 0o022;

/// The variables of a run, each with its reason.
pub(super) fn variables(
    settings: &Settings,
    backend: Backend,
    host: &Host,
    container: bool,
) -> Vec<Variable> {
    let mut variables = vec![variable(
        env::BENCHMARK_BACKEND,
        backend.name(),
        "the backend, said once and for all",
    )];
    if backend == Backend::Vllm
        && let Some(endpoint) = &settings.endpoint
    {
        let seen = endpoint::from_container(endpoint).filter(|_| container);
        variables.push(variable(
            env::VLLM_ENDPOINT,
            seen.as_ref().unwrap_or(endpoint),
            "the server that runs the model",
        ));
        let server = settings.server.as_ref();
        if !container && server.is_none_or(|server| server.key.is_none()) {
            // A child process inherits the variables of the shell, despite --no-api-key.
            let names = [env::VLLM_API_KEY, env::VLLM_API_KEY_PATH];
            variables.extend(names.map(|name| variable(name, "", "the server is sent no key")));
        }
        if let Some(seconds) = server.and_then(|server| server.wait) {
            let reason = "how long it may take to start";
            variables.push(variable(env::WAIT_FOR_ENDPOINT, seconds.to_string(), reason));
        }
    }
    if let Some(threads) = settings.threads.as_ref().filter(|_| backend.uses_gpus()) {
        let reason = "threads that compute on the CPU, as you set them";
        variables.push(variable(env::OMP_NUM_THREADS, threads, reason));
    }
    if settings.offline {
        let reason = "--offline: the libraries do not even try the network";
        variables.push(variable(env::HF_HUB_OFFLINE, "1", reason));
    } else if let Some(name) = host.env.offline() {
        let reason = format!("{name} is set: the Hub is not asked");
        variables.push(variable(env::HF_HUB_OFFLINE, "1", reason));
    }
    if container {
        variables.extend(addresses(settings, host));
        if let Some(umask) = host.umask.filter(|umask| *umask != DEFAULT_UMASK) {
            let reason = "your umask: an engine starts programs with 0022";
            variables.push(variable(env::UMASK, format!("{umask:04o}"), reason));
        }
    }
    variables
}

/// Variables for proxies and the Hub's address, if they have no password. In upper and lower case, since
/// HTTP clients differ in the one they read.
fn addresses(settings: &Settings, host: &Host) -> Vec<Variable> {
    let plain = settings.addresses.iter().filter(|address| address.secret.is_none());
    let mut variables: Vec<_> = plain
        .flat_map(|address| {
            address.address.names.iter().map(|name| {
                let value = address.in_container().unwrap_or_else(|| address.value.clone());
                variable(name, value, format!("{}, as in your shell", address.name))
            })
        })
        .collect();
    if settings.addresses.iter().any(|address| address.name != env::HF_ENDPOINT) {
        let reason = "what is asked without a proxy, this machine among it";
        variables.extend(env::NO_PROXY.map(|name| variable(name, no_proxy_hosts(host), reason)));
    }
    variables
}

/// A variable with its reason.
fn variable(name: &'static str, value: impl Into<String>, reason: impl Into<String>) -> Variable {
    Variable { name, value: value.into(), reason: reason.into() }
}
