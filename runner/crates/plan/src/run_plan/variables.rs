//! The variables of a run, beyond those that tell where its mounts are.

use contract::{Backend, env};
use host::machine::Host;

use super::Variable;
use crate::{addresses::without_proxy, endpoint, options::Settings};

/// The umask that engines start programs with.
const USUAL_UMASK: u32 = 0o022;

/// The variables, each with its reason.
pub(super) fn variables(
    options: &Settings,
    backend: Backend,
    host: &Host,
    container: bool,
) -> Vec<Variable> {
    let mut variables = vec![Variable {
        name: env::BENCHMARK_BACKEND,
        value: backend.name().to_owned(),
        reason: "the backend, said once and for all".to_owned(),
    }];
    if backend == Backend::Vllm
        && let Some(endpoint) = &options.endpoint
    {
        let seen = endpoint::from_container(endpoint).filter(|_| container);
        variables.push(Variable {
            name: env::VLLM_ENDPOINT,
            value: seen.unwrap_or_else(|| endpoint.clone()),
            reason: "the server that runs the model".to_owned(),
        });
        if !container && options.server.as_ref().is_none_or(|server| server.key.is_none()) {
            // A child has the caller's variables, whatever --no-api-key says.
            variables.extend([env::VLLM_API_KEY, env::VLLM_API_KEY_PATH].map(|name| Variable {
                name,
                value: String::new(),
                reason: "the server is sent no key".to_owned(),
            }));
        }
        let wait = options.server.as_ref().and_then(|server| server.wait);
        variables.extend(wait.map(|seconds| Variable {
            name: env::WAIT_FOR_ENDPOINT,
            value: seconds.to_string(),
            reason: "how long it may take to start".to_owned(),
        }));
    }
    if let Some(threads) = options.threads.as_ref().filter(|_| backend.uses_gpus()) {
        variables.push(Variable {
            name: env::OMP_NUM_THREADS,
            value: threads.clone(),
            reason: "threads that compute on the CPU, as you set them".to_owned(),
        });
    }
    if options.offline {
        variables.push(Variable {
            name: env::HF_HUB_OFFLINE,
            value: "1".to_owned(),
            reason: "--offline: the libraries do not even try the network".to_owned(),
        });
    } else if let Some(name) = host.env.offline() {
        variables.push(Variable {
            name: env::HF_HUB_OFFLINE,
            value: "1".to_owned(),
            reason: format!("{name} is set: the Hub is not asked"),
        });
    }
    if container {
        variables.extend(addresses(options, host));
        variables.extend(host.umask.filter(|umask| *umask != USUAL_UMASK).map(|umask| Variable {
            name: env::UMASK,
            value: format!("{umask:04o}"),
            reason: "your umask: an engine starts programs with 0022".to_owned(),
        }));
    }
    variables
}

/// The addresses that hold no password, in every case that a client may read.
fn addresses(options: &Settings, host: &Host) -> Vec<Variable> {
    let plain = options.addresses.iter().filter(|given| given.secret.is_none());
    let mut variables: Vec<_> = plain
        .flat_map(|given| {
            given.address.names.iter().map(|name| Variable {
                name,
                value: given.seen_inside().unwrap_or_else(|| given.value.clone()),
                reason: format!("{}, as in your shell", given.name),
            })
        })
        .collect();
    if options.addresses.iter().any(|given| given.name != env::HF_ENDPOINT) {
        variables.extend(env::NO_PROXY.map(|name| Variable {
            name,
            value: without_proxy(host),
            reason: "what is asked without a proxy, this machine among it".to_owned(),
        }));
    }
    variables
}
