//! The network of a run, and warnings about a server that the container cannot reach.

use contract::{Backend, HOST_GATEWAY, env};
use engine::Engine;
use host::machine::Host;

use super::parts::{Network, Reasoned};
use crate::{endpoint, options::Settings};

/// The network that the benchmark needs.
pub(super) fn network(
    settings: &Settings,
    backend: Backend,
    host: &Host,
    engine: &Engine,
) -> Reasoned<Network> {
    let hub_is_here = settings.addresses.iter().any(|address| {
        address.in_container().is_some()
            || (address.name == env::HF_ENDPOINT && address.value.contains(HOST_GATEWAY))
    });
    if settings.offline {
        let why = host.env.offline().unwrap_or("--offline");
        Reasoned::new(Network::None, format!("{why}: the container has no network"))
    } else if backend == Backend::Vllm || hub_is_here {
        with_host(host, engine)
    } else {
        Reasoned::new(Network::Default, "the engine's default network")
    }
}

/// The engine's default network with the host's name, if the host's address is known.
fn with_host(host: &Host, engine: &Engine) -> Reasoned<Network> {
    let known = format!("Linux does not resolve {HOST_GATEWAY} by itself");
    let unknown = format!("{} does not know the host's address", engine.mode);
    match host.address {
        _ if engine.supports_host_gateway() => {
            Reasoned::new(Network::WithHost { address: None }, known)
        }
        Some(address) => Reasoned::new(
            Network::WithHost { address: Some(address.to_string()) },
            format!("{known}, and {unknown}"),
        ),
        None => Reasoned::new(Network::Default, format!("{unknown}, and neither do we")),
    }
}

/// Warnings about the address of the `vllm` backend's server as a container sees it.
pub(super) fn warnings(settings: &Settings, backend: Backend, network: &Network) -> Vec<String> {
    let endpoint = settings.endpoint.as_ref().filter(|_| backend == Backend::Vllm);
    let Some(endpoint) = endpoint else { return vec![] };
    let rewritten = endpoint::from_container(endpoint);
    let seen = rewritten.as_ref().unwrap_or(endpoint);
    let unresolved = *network == Network::Default && seen.contains(HOST_GATEWAY);
    let loopback = rewritten.as_ref().map(|seen| {
        format!(
            "{} names `{endpoint}`, which in a container is the container itself: it is given \
             `{seen}`, where a server is reached that listens on more than the loopback, as with \
             `--host 0.0.0.0`",
            env::VLLM_ENDPOINT
        )
    });
    let unresolved = unresolved.then(|| {
        format!(
            "the container cannot be told where {HOST_GATEWAY} is: the engine does not know it, and \
             this machine has no default route to find its own address by; give {} that address in \
             numbers",
            env::VLLM_ENDPOINT
        )
    });
    loopback.into_iter().chain(unresolved).collect()
}
