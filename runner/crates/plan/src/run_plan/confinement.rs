//! What a container may not do: each limit with its reason, and each can be taken off by name.

use std::path::Path;

use engine::Engine;
use host::{exit::Usage, machine::Host, paths::host_path::HostPath};
use hub::boundary::Secret;
use serde::Serialize;

use super::{Access, Input, InputBy, Mount, Reasoned, reasoned};
use crate::options::Settings;

/// Processes and threads that a container may have. A stack starts some threads for each processor,
/// and compilers beside them; a benchmark that needs more than this is out of control.
const MOST_PROCESSES: u32 = 32_768;

/// How a user comes by the controllers of control groups.
const DELEGATE: &str = "have it delegated (cgroup v2, and `Delegate=memory pids` for \
                        `user@.service` of systemd)";

/// A limit of a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// No capability, whoever it runs as.
    NoCapabilities,
    /// No program gains privileges.
    NoNewPrivileges,
    /// So many processes and threads at most.
    Processes(u32),
    /// So much memory at most, as the engine writes it.
    Memory(String),
    /// None by SELinux, which the user asked for.
    SelinuxOff,
}

/// The limits of a run on `engine`.
///
/// # Errors
/// When the engine cannot enforce one that was asked for.
pub(super) fn limits(options: &Settings, engine: &Engine) -> Result<Vec<Reasoned<Limit>>, Usage> {
    let security = &options.security;
    let mut limits = vec![];
    if !security.keep_capabilities {
        limits.push(reasoned(
            Limit::NoCapabilities,
            "a benchmark needs none of root's powers, not even where it is root inside",
        ));
    }
    if !security.allow_new_privileges {
        limits.push(reasoned(Limit::NoNewPrivileges, "and no program of the image gains any"));
    }
    if !security.no_pids_limit && engine.limits.processes {
        limits.push(reasoned(
            Limit::Processes(MOST_PROCESSES),
            "a run that forks without end stops before the machine does",
        ));
    }
    if let Some(memory) = &options.memory {
        if !engine.limits.memory {
            return Err(Usage(format!(
                "--memory {memory} cannot be enforced: {} has no memory controller here; {DELEGATE}, \
                 or leave --memory out",
                engine.mode
            )));
        }
        limits.push(reasoned(Limit::Memory(memory.clone()), "asked for with --memory"));
    }
    if security.no_selinux_label {
        limits.push(reasoned(
            Limit::SelinuxOff,
            "asked for with --no-selinux-label: your folders keep their labels",
        ));
    }
    Ok(limits)
}

/// What the container goes without on `engine`, though nobody asked for that.
pub(super) fn notes(options: &Settings, engine: &Engine) -> Vec<String> {
    let is_missing = !options.security.no_pids_limit && !engine.limits.processes;
    let processes = is_missing.then(|| {
        format!("no limit on processes: {} has no pids controller here; {DELEGATE}", engine.mode)
    });
    processes.into_iter().collect()
}

/// What about the limits will warning.
pub(super) fn warnings(options: &Settings, host: &Host) -> Vec<String> {
    let selinux = (host.selinux && !options.security.no_selinux_label).then(|| {
        "SELinux is on, and may close the mounted folders to the container; --no-selinux-label runs \
         it without a label. Nothing is relabelled, because that would last"
            .to_owned()
    });
    selinux.into_iter().collect()
}

/// A file in a mounted folder that the container shall not read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cover {
    /// In the container.
    pub target: String,
    /// Why it is covered.
    pub reason: String,
}

/// Covers for the tokens in mounted folders, under every mount that shows them.
pub(super) fn covers(
    options: &Settings,
    secrets: &[Secret],
    mounts: &[Mount],
    inputs: &[Input],
) -> Vec<Cover> {
    if options.security.expose_tokens {
        return vec![];
    }
    let own = mounts.iter().map(|mount| (&mount.source, mount.target));
    let inputs = inputs.iter().filter(|input| input.by == InputBy::OwnMount);
    let places = own.chain(inputs.map(|input| (&input.source, input.target.as_str())));
    let covers = places.flat_map(|(source, target)| {
        let below = secrets.iter().filter(move |secret| secret.folder == *source);
        below.map(move |secret| Cover {
            target: format!("{target}/{}", secret.below),
            reason: "a token in your folders is none of the benchmark's business".to_owned(),
        })
    });
    covers.collect()
}

/// A folder between the root of a mount and a token below it, mounted at its own place: a mount point
/// cannot be renamed, so the token stays where the next run covers it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pin {
    /// On the host.
    pub source: HostPath,
    /// In the container.
    pub target: String,
    /// Why it is pinned.
    pub reason: String,
}

/// Pins for the folders that hold covered tokens, outermost first.
///
/// # Errors
/// When no engine can mount the path of one.
pub(super) fn pins(
    options: &Settings,
    secrets: &[Secret],
    mounts: &[Mount],
) -> Result<Vec<Pin>, Usage> {
    let mut pins: Vec<Pin> = vec![];
    if options.security.expose_tokens {
        return Ok(pins);
    }
    for mount in mounts.iter().filter(|mount| mount.access == Access::ReadWrite) {
        let below = secrets.iter().filter(|secret| secret.folder == mount.source);
        let folders = below.flat_map(|Secret { below, .. }| {
            below.match_indices('/').map(move |(end, _)| &below[..end])
        });
        for at in folders {
            let source = mount.source.as_path().join(at);
            let pin = Pin {
                source: HostPath::new("folder of a token", &source, Path::new("/"))?,
                target: format!("{}/{at}", mount.target),
                reason: "holds a token, and cannot be renamed away from its cover like this"
                    .to_owned(),
            };
            if !pins.contains(&pin) {
                pins.push(pin);
            }
        }
    }
    pins.sort_by(|one, other| one.target.cmp(&other.target));
    Ok(pins)
}
