//! The plan of a run: engine-neutral data, each part with its reason. Building it is pure.

mod confinement;
mod gpus;
mod inputs;
mod masks;
mod mounts;
mod network;
mod parts;
mod variables;

use contract::{Backend, Flavour, SHM_SIZE};
use engine::{Engine, Groups};
use host::{exit::Usage, gpus::Devices, machine::Host, paths::host_path::HostPath};
use serde::Serialize;
use untrusted::NEW;

use crate::{
    addresses::ShellAddress,
    options::{Resolved, Settings},
};

pub use confinement::Limit;
pub use gpus::expected;
pub use masks::{MaskedFile, PinnedFolder};
pub use parts::{
    Access, Identity, Image, Input, InputBy, Mount, MountVariable, Network, Pull, Reasoned, Root,
    Supervision, Tmpfs, Variable,
};

use confinement::Confinement;

/// All decisions about a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RunPlan {
    /// Unique name of the run.
    pub run_id: String,
    /// The image; `None` for the host engine.
    pub image: Option<Reasoned<Image>>,
    /// The backend that runs the model.
    pub backend: Reasoned<Backend>,
    /// The user that the benchmark runs as.
    pub identity: Reasoned<Identity>,
    /// Whether the container's root file system is writable; `None` for the host engine.
    pub root: Option<Reasoned<Root>>,
    /// Limits of the container; empty for the host engine.
    pub limits: Vec<Reasoned<Limit>>,
    /// Default limits that the engine cannot enforce.
    pub notes: Vec<String>,
    /// Folders that are writable besides the mounts.
    pub tmpfs: Vec<Tmpfs>,
    /// Folders and files of the host.
    pub mounts: Vec<Mount>,
    /// Folders below the mounts that the container cannot rename.
    #[serde(rename = "pins")]
    pub pinned_folders: Vec<PinnedFolder>,
    /// Files below the mounts that the container cannot read.
    #[serde(rename = "covers")]
    pub masked_files: Vec<MaskedFile>,
    /// Models and datasets of this machine that the arguments name.
    pub inputs: Vec<Input>,
    /// Environment variables, besides those that name the mounts.
    pub env: Vec<Variable>,
    /// GPUs of the benchmark.
    pub gpus: Reasoned<Devices>,
    /// A warning that the run uses no GPU although the machine has one.
    pub(crate) missed_gpus: Option<String>,
    /// The network of the benchmark.
    pub network: Reasoned<Network>,
    /// Size of `/dev/shm`.
    pub(crate) shm_size: Reasoned<String>,
    /// How the runner supervises the container; `None` for a guide's command.
    pub supervision: Option<Supervision>,
    /// Arguments of the benchmark, with paths as the benchmark sees them.
    pub args: Vec<String>,
    /// Warnings for the user.
    pub warnings: Vec<String>,
}

impl RunPlan {
    /// Plans a run.
    ///
    /// # Errors
    /// When the engine cannot do what the settings ask for.
    pub fn new(run: &Resolved, host: &Host, engine: &Engine) -> Result<Self, Usage> {
        let Resolved { settings, secrets, groups, trust: _, cidfile } = run;
        engine.refuse_remote()?;
        let container = engine.has_containers();
        let backend = backend(settings, engine);
        let network = network::network(settings, backend.value, host, engine);
        let inputs = inputs::place(settings, backend.value, container)?;
        let mounts = mounts::mounts(settings, backend.value, engine.mode);
        let (mut masked_files, mut pinned_folders) = (vec![], vec![]);
        if container && !settings.security.expose_tokens {
            masked_files = masks::masked_files(secrets, &mounts, &inputs.places);
            pinned_folders = masks::pinned_folders(secrets, &mounts)?;
        }
        let own_mounts = inputs.places.iter().filter(|input| input.by == InputBy::OwnMount);
        mounts
            .iter()
            .map(|mount| &mount.source)
            .chain(own_mounts.map(|input| &input.source))
            .chain(pinned_folders.iter().map(|folder| &folder.source))
            .try_for_each(|source| check_source(engine, source))?;
        let gpus = gpus::devices(&settings.gpus, backend.value, host, engine)?;
        let mut warnings = inputs.warnings;
        let mut confinement = Confinement::default();
        if container {
            confinement = Confinement::new(settings, engine)?;
            warnings.extend(network::warnings(settings, backend.value, &network.value));
            warnings.extend(lost_groups(groups, engine));
            warnings.extend(confinement::warning(settings, host));
            warnings.extend(settings.addresses.iter().filter_map(ShellAddress::warning));
        }
        let Confinement { root, limits, notes, tmpfs } = confinement;
        Ok(Self {
            run_id: settings.run_id.clone(),
            image: container.then(|| image(&settings.image)),
            identity: Reasoned::new(
                Identity { uid: host.uid, gid: host.gid, groups: groups.clone() },
                "you: files in the mounts stay yours, and nothing runs as root",
            ),
            root,
            limits,
            notes,
            tmpfs,
            mounts,
            pinned_folders,
            masked_files,
            inputs: inputs.places,
            env: variables::variables(settings, backend.value, host, container),
            missed_gpus: gpus::missed(&settings.gpus, backend.value, &gpus, host),
            gpus,
            network,
            shm_size: Reasoned::new(
                SHM_SIZE.to_owned(),
                "PyTorch's loaders share tensors in /dev/shm, where the default is 64 MiB",
            ),
            supervision: Some(Supervision {
                container: format!("aienergyscore-{}", settings.run_id),
                cidfile: cidfile.clone(),
                folders: Some(format!("{NEW}{}", settings.run_id)),
            }),
            args: inputs.args,
            warnings,
            backend,
        })
    }

    /// The plan without the list of mounts, which only a run writes.
    #[must_use]
    pub fn without_mount_list(&self) -> Self {
        let mut plan = self.clone();
        if let Some(supervision) = &mut plan.supervision {
            supervision.folders = None;
        }
        plan
    }

    /// All warnings in one text.
    pub fn warning(&self) -> Option<String> {
        let warnings = self.missed_gpus.iter().chain(&self.warnings).map(String::as_str);
        let warnings = warnings.collect::<Vec<_>>();
        (!warnings.is_empty()).then(|| warnings.join("; "))
    }

    /// The plan as a guide shows it: without supervision, since the user watches the run.
    #[must_use]
    pub fn for_guide(self) -> Self {
        Self { supervision: None, ..self }
    }
}

fn backend(settings: &Settings, engine: &Engine) -> Reasoned<Backend> {
    if let Some(backend) = settings.backend {
        return Reasoned::new(backend, "chosen by --backend or BENCHMARK_BACKEND");
    }
    if !engine.has_containers() {
        return Reasoned::new(Backend::Native, "the host engine's default");
    }
    let labelled = engine.image.as_ref().and_then(|image| image.flavour);
    let flavour = labelled.unwrap_or_else(|| Flavour::of_image(&settings.image));
    Reasoned::new(flavour.default_backend(), format!("the default of a `{flavour}` image"))
}

fn image(reference: &str) -> Reasoned<Image> {
    let tag = reference.strip_prefix(contract::IMAGE);
    let (pull, reason) = if tag.is_some_and(|tag| tag.is_empty() || tag.starts_with(':')) {
        (Pull::Never, "built here by `cargo xtask build-image`, so no registry is asked for it")
    } else {
        (Pull::Missing, "chosen by --image or DOCKER_IMAGE")
    };
    Reasoned::new(Image { reference: reference.to_owned(), pull }, reason)
}

/// Refuses a source that the engine cannot mount.
fn check_source(engine: &Engine, source: &HostPath) -> Result<(), Usage> {
    if engine.strips_mount_quotes() && source.needs_quotes() && source.as_str().contains(':') {
        return Err(Usage(format!(
            "`{source}` holds a colon and a comma, quote or newline, which Podman cannot be told by \
             docker's client; use Podman's own with --engine podman, or another folder"
        )));
    }
    Ok(())
}

/// A warning if the container lacks a group that a mounted folder belongs to.
fn lost_groups(groups: &[u32], engine: &Engine) -> Option<String> {
    let Groups::Never(why) = engine.groups() else { return None };
    let groups: Vec<_> = groups.iter().map(u32::to_string).collect();
    (!groups.is_empty()).then(|| {
        format!(
            "what only your group {} may use in the mounted folders is closed to the container: \
             {why}; give yourself the rights (`setfacl -m u:$(id -u):rwX`), or use a rootful engine",
            groups.join(", ")
        )
    })
}

#[cfg(test)]
mod tests;
