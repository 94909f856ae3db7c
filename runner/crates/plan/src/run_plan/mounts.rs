//! The folders and files of the host that a run mounts.

use contract::{Backend, env, path};
use engine::Mode;
use host::paths::host_path::HostPath;
use hub::token::TokenSource;

use super::parts::{Access, Mount, MountVariable};
use crate::options::Settings;

/// The mounts of a run, each with its reason.
pub(super) fn mounts(settings: &Settings, backend: Backend, mode: Mode) -> Vec<Mount> {
    let mut mounts = vec![Mount {
        source: settings.results.clone(),
        target: path::RESULTS,
        access: Access::ReadWrite,
        variable: MountVariable::OnHost(env::RESULTS_DIR),
        reason: "results land in your folder, owned by you".to_owned(),
    }];
    if backend.needs_hub_cache() {
        mounts.extend(cache(settings, mode));
    }
    // The host engine's child process inherits the variables of the shell.
    let inherited = mode == Mode::Host;
    let file_of = |secret: &TokenSource| match secret {
        TokenSource::Variable { .. } if inherited => None,
        secret => Some(secret.file().clone()),
    };
    if let Some(token) = settings.token.as_ref().and_then(file_of) {
        mounts.push(file(
            token,
            path::TOKEN,
            env::HF_TOKEN_PATH,
            "the token of gated models, as a file: a variable would show in `inspect`",
        ));
    }
    let server = settings.server.as_ref().filter(|_| backend == Backend::Vllm);
    if let Some(key) = server.and_then(|server| file_of(server.key.as_ref()?)) {
        mounts.push(file(
            key,
            path::API_KEY,
            env::VLLM_API_KEY_PATH,
            "the key that the server wants, as a file: a variable would show in `inspect`",
        ));
    }
    mounts.extend(settings.addresses.iter().filter_map(|address| {
        let reason = format!(
            "{} as a file, because it holds a password: a variable would show in `inspect`",
            address.name
        );
        let source = file_of(address.secret.as_ref()?)?;
        Some(file(source, address.address.path, address.address.path_name, &reason))
    }));
    if let Some(certificates) = server.and_then(|server| server.certificates.clone()) {
        mounts.push(file(
            certificates,
            path::CERTIFICATES,
            env::SSL_CERT_FILE,
            "whose certificates count, as on your machine",
        ));
    }
    mounts
}

/// The mounts of the HuggingFace home and of a Hub cache outside of it.
fn cache(settings: &Settings, mode: Mode) -> Vec<Mount> {
    let (access, how) = if settings.offline {
        (Access::ReadOnly, ", and --offline leaves it as it is")
    } else {
        (Access::ReadWrite, "")
    };
    let mut mounts = vec![Mount {
        source: settings.cache.home.clone(),
        target: path::HF_HOME,
        access,
        variable: MountVariable::OnHost(env::HF_HOME),
        reason: format!("weights in your cache are used, never fetched twice{how}"),
    }];
    let apart = settings.cache.hub_outside_home();
    // A child process inherits the user's variable, and does not expand a `~` in it.
    if apart.is_some() || mode == Mode::Host {
        mounts.push(Mount {
            source: settings.cache.hub.clone(),
            target: path::HUB_CACHE,
            access,
            variable: MountVariable::Always(env::HF_HUB_CACHE),
            reason: match apart {
                Some(_) => format!("your Hub cache lies outside of HF_HOME{how}"),
                None => format!("your Hub cache, said outright{how}"),
            },
        });
    }
    mounts
}

/// A read-only file whose path the benchmark reads from `variable`.
fn file(source: HostPath, target: &'static str, variable: &'static str, reason: &str) -> Mount {
    Mount {
        source,
        target,
        access: Access::ReadOnly,
        variable: MountVariable::Always(variable),
        reason: reason.to_owned(),
    }
}
