//! The plan of a run: engine-neutral data, each part with its reason. Building it is pure.

mod confinement;
mod gpus;
mod inputs;
mod parts;
mod variables;

use contract::{Backend, Flavour, HOST_GATEWAY, SHM_SIZE, env, path};
use engine::{Engine, Groups, Mode};
use host::{exit::Usage, gpus::Devices, machine::Host, paths::host_path::HostPath};
use hub::token::TokenSource;
use serde::Serialize;
use untrusted::NEW;

use crate::{
    addresses::Given,
    endpoint,
    options::{Resolved, Settings},
};
pub use confinement::{Cover, Limit, Pin};
pub use gpus::expected;
pub use parts::{
    Access, Identity, Image, Input, InputBy, Mount, MountVariable, Network, Pull, Reasoned, Root,
    Supervision, Tmpfs, Variable,
};

/// A value with its reason.
fn reasoned<T>(value: T, reason: impl Into<String>) -> Reasoned<T> {
    Reasoned { value, reason: reason.into() }
}

/// Everything that a run is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RunPlan {
    /// Names the run.
    pub run_id: String,
    /// The image; none for the host engine.
    pub image: Option<Reasoned<Image>>,
    /// What runs the model.
    pub backend: Reasoned<Backend>,
    /// Who the benchmark runs as.
    pub identity: Reasoned<Identity>,
    /// Whether the container's own files may change; none for the host engine.
    pub root: Option<Reasoned<Root>>,
    /// What the container may not do; nothing for the host engine.
    pub limits: Vec<Reasoned<Limit>>,
    /// What the container goes without, though nobody asked for that.
    pub notes: Vec<String>,
    /// What it may write to besides its mounts.
    pub tmpfs: Vec<Tmpfs>,
    /// Folders and files of the host.
    pub mounts: Vec<Mount>,
    /// Folders in them that stay where they are.
    pub pins: Vec<Pin>,
    /// Files in them that it shall not read.
    pub covers: Vec<Cover>,
    /// Models and datasets of this machine that the arguments name.
    pub inputs: Vec<Input>,
    /// Variables, beyond those that tell where the mounts are.
    pub env: Vec<Variable>,
    /// GPUs.
    pub gpus: Reasoned<Devices>,
    /// Why a run on a machine with GPUs gets none, though nobody asked for that.
    pub(crate) missed_gpus: Option<String>,
    /// What the benchmark can reach.
    pub network: Reasoned<Network>,
    /// Size of `/dev/shm`.
    pub(crate) shm_size: Reasoned<String>,
    /// How the run is kept in hand; a guide's command has none.
    pub supervision: Option<Supervision>,
    /// The benchmark's arguments, paths as the benchmark sees them.
    pub args: Vec<String>,
    /// What about the plan will warning its user.
    pub warnings: Vec<String>,
}

impl RunPlan {
    /// Decides everything that a run is.
    ///
    /// # Errors
    /// When the engine cannot do what the options ask for.
    pub fn new(run: &Resolved, host: &Host, engine: &Engine) -> Result<Self, Usage> {
        let Resolved { settings: options, secrets, groups, trust: _, cidfile } = run;
        engine.refuse_remote()?;
        let backend = backend(options, engine);
        let network = network(options, backend.value, host, engine);
        let unreachable = options.addresses.iter().filter_map(Given::warning);
        let unreachable = unreachable.filter(|_| engine.has_containers());
        let container = engine.has_containers();
        let inputs = inputs::place(options, backend.value, container)?;
        let endpoint = options.endpoint.as_ref().filter(|_| backend.value == Backend::Vllm);
        let confined = if container { confinement::warnings(options, host) } else { vec![] };
        let served = endpoint.filter(|_| container);
        let own = served.and_then(|endpoint| containers_own(endpoint));
        let nowhere = served.and_then(|endpoint| nowhere(endpoint, &network.value));
        let mounts = mounts(options, backend.value, engine.mode);
        let sources = mounts.iter().map(|mount| &mount.source);
        let is_own = |input: &&Input| input.by == InputBy::OwnMount;
        let inputs_own = inputs.places.iter().filter(is_own).map(|input| &input.source);
        let pins = if container { confinement::pins(options, secrets, &mounts)? } else { vec![] };
        let pinned = pins.iter().map(|pin| &pin.source);
        sources.chain(inputs_own).chain(pinned).try_for_each(|it| can_mount(engine, it))?;
        let devices = gpus::devices(&options.gpus, backend.value, host, engine)?;
        let warnings = inputs
            .warnings
            .into_iter()
            .chain(own)
            .chain(nowhere)
            .chain(lost_groups(groups, engine));
        let warnings = warnings.chain(confined).chain(unreachable);
        Ok(Self {
            run_id: options.run_id.clone(),
            image: container.then(|| image(&options.image)),
            identity: reasoned(
                Identity { uid: host.uid, gid: host.gid, groups: groups.clone() },
                "you: files in the mounts stay yours, and nothing runs as root",
            ),
            root: container.then(|| root(options.security.writable_root)),
            limits: if container { confinement::limits(options, engine)? } else { vec![] },
            notes: if container { confinement::notes(options, engine) } else { vec![] },
            pins,
            covers: if container {
                confinement::covers(options, secrets, &mounts, &inputs.places)
            } else {
                vec![]
            },
            tmpfs: if container { tmpfs() } else { vec![] },
            mounts,
            inputs: inputs.places,
            env: variables::variables(options, backend.value, host, container),
            missed_gpus: gpus::missed(&options.gpus, backend.value, &devices, host),
            gpus: devices,
            network,
            shm_size: reasoned(
                SHM_SIZE.to_owned(),
                "PyTorch's loaders share tensors in /dev/shm, where the default is 64 MiB",
            ),
            supervision: Some(Supervision {
                container: format!("aienergyscore-{}", options.run_id),
                cidfile: cidfile.clone(),
                folders: Some(format!("{NEW}{}", options.run_id)),
            }),
            args: inputs.args,
            warnings: warnings.collect(),
            backend,
        })
    }

    /// The same to be run by hand: without the list of mounts, which only a run writes.
    #[must_use]
    pub fn by_hand(&self) -> Self {
        let supervision = self.supervision.clone();
        let supervision =
            supervision.map(|supervision| Supervision { folders: None, ..supervision });
        Self { supervision, ..self.clone() }
    }

    /// What about the plan will warning its user, in one text.
    pub fn warning(&self) -> Option<String> {
        let warnings = self.missed_gpus.iter().chain(&self.warnings).map(String::as_str);
        let warnings = warnings.collect::<Vec<_>>();
        (!warnings.is_empty()).then(|| warnings.join("; "))
    }

    /// The same run as a guide shows it: without supervision, for a user who watches it.
    #[must_use]
    pub fn for_guide(self) -> Self {
        Self { supervision: None, ..self }
    }
}

fn backend(options: &Settings, engine: &Engine) -> Reasoned<Backend> {
    if let Some(backend) = options.backend {
        return reasoned(backend, "chosen by --backend or BENCHMARK_BACKEND");
    }
    if !engine.has_containers() {
        return reasoned(Backend::Native, "the host engine's default");
    }
    let labelled = engine.image.as_ref().and_then(|image| image.flavour);
    let flavour = labelled.unwrap_or_else(|| Flavour::of_image(&options.image));
    reasoned(flavour.default_backend(), format!("the default of a `{flavour}` image"))
}

fn image(reference: &str) -> Reasoned<Image> {
    let ours = reference == contract::IMAGE
        || reference.strip_prefix(contract::IMAGE).is_some_and(|tag| tag.starts_with(':'));
    let (pull, reason) = if ours {
        (Pull::Never, "built here by `cargo xtask build-image`, so no registry is asked for it")
    } else {
        (Pull::Missing, "chosen by --image or DOCKER_IMAGE")
    };
    reasoned(Image { reference: reference.to_owned(), pull }, reason)
}

fn root(writable: bool) -> Reasoned<Root> {
    if writable {
        return reasoned(Root::Writable, "asked for with --writable-root");
    }
    reasoned(Root::ReadOnly, "what a run leaves behind is in your folders, and nowhere else")
}

/// The places that a read-only root needs. All are open to any uid, because only the mode of a
/// tmpfs can be chosen on every engine.
fn tmpfs() -> Vec<Tmpfs> {
    let tmpfs = |target, exec, reason: &str| Tmpfs { target, exec, reason: reason.to_owned() };
    let home_cache = path::HF_HOME.rsplit_once('/').map_or(path::HOME, |(parent, _)| parent);
    vec![
        tmpfs(
            path::TEMPORARY,
            true,
            "scratch files, and kernels that are compiled and loaded there",
        ),
        tmpfs(path::HOME, false, "a home that any uid may write to"),
        tmpfs(home_cache, false, "the engine makes the way to the cache's mount as root's"),
    ]
}

fn mounts(options: &Settings, backend: Backend, mode: Mode) -> Vec<Mount> {
    let mut mounts = vec![Mount {
        source: options.results.clone(),
        target: path::RESULTS,
        access: Access::ReadWrite,
        variable: MountVariable::OnHost(env::RESULTS_DIR),
        reason: "results land in your folder, owned by you".to_owned(),
    }];
    if backend.needs_hub_cache() {
        let (access, how) = if options.offline {
            (Access::ReadOnly, ", and --offline leaves it as it is")
        } else {
            (Access::ReadWrite, "")
        };
        mounts.push(Mount {
            source: options.cache.home.clone(),
            target: path::HF_HOME,
            access,
            variable: MountVariable::OnHost(env::HF_HOME),
            reason: format!("weights in your cache are used, never fetched twice{how}"),
        });
        let apart = options.cache.apart();
        // A child inherits the caller's variable, which may hold a `~` that it does not expand.
        if apart.is_some() || mode == Mode::Host {
            mounts.push(Mount {
                source: options.cache.hub.clone(),
                target: path::HUB_CACHE,
                access,
                variable: MountVariable::Always(env::HF_HUB_CACHE),
                reason: match apart {
                    Some(_) => format!("your Hub cache lies outside of HF_HOME{how}"),
                    None => format!("your Hub cache, said outright{how}"),
                },
            });
        }
    }
    // A child process has the variable already.
    let inherited =
        |token: &TokenSource| mode == Mode::Host && matches!(token, TokenSource::Variable { .. });
    if let Some(token) = options.token.as_ref().filter(|token| !inherited(token)) {
        mounts.push(Mount {
            source: token.file().clone(),
            target: path::TOKEN,
            access: Access::ReadOnly,
            variable: MountVariable::Always(env::HF_TOKEN_PATH),
            reason: "the token of gated models, as a file: a variable would show in `inspect`"
                .to_owned(),
        });
    }
    let server = options.server.as_ref().filter(|_| backend == Backend::Vllm);
    let key = server.and_then(|server| server.key.as_ref()).filter(|key| !inherited(key));
    mounts.extend(key.map(|key| {
        Mount {
            source: key.file().clone(),
            target: path::API_KEY,
            access: Access::ReadOnly,
            variable: MountVariable::Always(env::VLLM_API_KEY_PATH),
            reason: "the key that the server wants, as a file: a variable would show in `inspect`"
                .to_owned(),
        }
    }));
    // A child process has the variables already.
    let addresses = options.addresses.iter().filter(|_| mode != Mode::Host);
    mounts.extend(addresses.filter_map(|given| {
        Some(Mount {
            source: given.secret.as_ref()?.file().clone(),
            target: given.address.path,
            access: Access::ReadOnly,
            variable: MountVariable::Always(given.address.path_name),
            reason: format!(
                "{} as a file, because it holds a password: a variable would show in `inspect`",
                given.name
            ),
        })
    }));
    let certificates = server.and_then(|server| server.certificates.as_ref());
    mounts.extend(certificates.map(|file| Mount {
        source: file.clone(),
        target: path::CERTIFICATES,
        access: Access::ReadOnly,
        variable: MountVariable::Always(env::SSL_CERT_FILE),
        reason: "whose certificates count, as on your machine".to_owned(),
    }));
    mounts
}

fn network(
    options: &Settings,
    backend: Backend,
    host: &Host,
    engine: &Engine,
) -> Reasoned<Network> {
    let offline = options.offline;
    let hub_is_here = options.addresses.iter().any(|given| {
        given.seen_inside().is_some()
            || (given.name == env::HF_ENDPOINT && given.value.contains(HOST_GATEWAY))
    });
    if offline {
        let why = host.env.offline().unwrap_or("--offline");
        reasoned(Network::None, format!("{why}: the container has no network"))
    } else if backend == Backend::Vllm || hub_is_here {
        with_host(host, engine)
    } else {
        reasoned(Network::Default, "the engine's default network")
    }
}

/// The engine's default network with the host in it, as far as anybody knows where that is.
fn with_host(host: &Host, engine: &Engine) -> Reasoned<Network> {
    let known = format!("Linux does not resolve {HOST_GATEWAY} by itself");
    let unknown = format!("{} does not know the host's address", engine.mode);
    match host.address {
        _ if engine.supports_host_gateway() => reasoned(Network::WithHost { address: None }, known),
        Some(address) => reasoned(
            Network::WithHost { address: Some(address.to_string()) },
            format!("{known}, and {unknown}"),
        ),
        None => reasoned(Network::Default, format!("{unknown}, and neither do we")),
    }
}

/// Refuses a source that this engine has no words for.
fn can_mount(engine: &Engine, source: &HostPath) -> Result<(), Usage> {
    if engine.strips_mount_quotes() && source.needs_quotes() && source.as_str().contains(':') {
        return Err(Usage(format!(
            "`{source}` holds a colon and a comma, quote or newline, which Podman cannot be told by \
             docker's client; use Podman's own with --engine podman, or another folder"
        )));
    }
    Ok(())
}

/// A warning when the container lacks a group that a folder may be open to.
fn lost_groups(groups: &[u32], engine: &Engine) -> Option<String> {
    let Groups::Never(why) = engine.groups() else { return None };
    let groups: Vec<_> = groups.iter().map(u32::to_string).collect();
    (engine.has_containers() && !groups.is_empty()).then(|| {
        format!(
            "what only your group {} may use in the mounted folders is closed to the container: \
             {why}; give yourself the rights (`setfacl -m u:$(id -u):rwX`), or use a rootful engine",
            groups.join(", ")
        )
    })
}

/// A warning when nobody can tell a container where this machine is, and its server is there.
fn nowhere(endpoint: &str, network: &Network) -> Option<String> {
    let seen = endpoint::from_container(endpoint).unwrap_or_else(|| endpoint.to_owned());
    (*network == Network::Default && seen.contains(HOST_GATEWAY)).then(|| {
        format!(
            "the container cannot be told where {HOST_GATEWAY} is: the engine does not know it, and \
             this machine has no default route to find its own address by; give {} that address in \
             numbers",
            env::VLLM_ENDPOINT
        )
    })
}

/// A warning when a server is named as only this machine's own programs see it.
fn containers_own(endpoint: &str) -> Option<String> {
    let seen = endpoint::from_container(endpoint)?;
    Some(format!(
        "{} names `{endpoint}`, which in a container is the container itself: it is given `{seen}`, \
         where a server is reached that listens on more than the loopback, as with `--host 0.0.0.0`",
        env::VLLM_ENDPOINT
    ))
}

#[cfg(test)]
mod tests;
