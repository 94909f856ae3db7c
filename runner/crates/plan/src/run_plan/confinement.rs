//! Security limits of the container: read-only root, capabilities, processes, memory, SELinux label.

use contract::path;
use engine::Engine;
use host::{exit::Usage, machine::Host};
use serde::Serialize;

use super::parts::{Reasoned, Root, Tmpfs};
use crate::options::Settings;

/// Maximum number of processes and threads of a container. The backends start several threads per
/// processor, and compilers.
const MAX_PROCESSES: u32 = 32_768;

/// Hint for a missing cgroup controller.
const DELEGATE: &str = "have it delegated (cgroup v2, and `Delegate=memory pids` for \
                        `user@.service` of systemd)";

/// A limit of a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// No capabilities, also for root.
    NoCapabilities,
    /// No program gains privileges.
    NoNewPrivileges,
    /// Maximum number of processes and threads.
    Processes(u32),
    /// Maximum memory, in the engine's notation.
    Memory(String),
    /// No SELinux label (`--no-selinux-label`).
    SelinuxOff,
}

/// Security restrictions of a container. The host engine has none.
#[derive(Debug, Default)]
pub(super) struct Confinement {
    pub(super) root: Option<Reasoned<Root>>,
    pub(super) limits: Vec<Reasoned<Limit>>,
    /// Default limits that the engine cannot enforce.
    pub(super) notes: Vec<String>,
    pub(super) tmpfs: Vec<Tmpfs>,
}

impl Confinement {
    /// The confinement of a container on `engine`.
    ///
    /// # Errors
    /// When the engine cannot enforce a limit that the user asked for.
    pub(super) fn new(settings: &Settings, engine: &Engine) -> Result<Self, Usage> {
        let security = &settings.security;
        let root = if security.writable_root {
            Reasoned::new(Root::Writable, "asked for with --writable-root")
        } else {
            let reason = "what a run leaves behind is in your folders, and nowhere else";
            Reasoned::new(Root::ReadOnly, reason)
        };
        let (mut limits, mut notes) = (vec![], vec![]);
        if !security.keep_capabilities {
            limits.push(Reasoned::new(
                Limit::NoCapabilities,
                "a benchmark needs no capability of root, even where it runs as root in the container",
            ));
        }
        if !security.allow_new_privileges {
            let reason = "and no program of the image gains any";
            limits.push(Reasoned::new(Limit::NoNewPrivileges, reason));
        }
        if !security.no_pids_limit && engine.limits.processes {
            limits.push(Reasoned::new(
                Limit::Processes(MAX_PROCESSES),
                "a run that forks without end stops before the machine does",
            ));
        } else if !security.no_pids_limit {
            notes.push(format!(
                "no limit on processes: {} has no pids controller here; {DELEGATE}",
                engine.mode
            ));
        }
        if let Some(memory) = &settings.memory {
            if !engine.limits.memory {
                return Err(Usage(format!(
                    "--memory {memory} cannot be enforced: {} has no memory controller here; \
                     {DELEGATE}, or leave --memory out",
                    engine.mode
                )));
            }
            limits.push(Reasoned::new(Limit::Memory(memory.clone()), "asked for with --memory"));
        }
        if security.no_selinux_label {
            limits.push(Reasoned::new(
                Limit::SelinuxOff,
                "asked for with --no-selinux-label: your folders keep their labels",
            ));
        }
        Ok(Self { root: Some(root), limits, notes, tmpfs: tmpfs() })
    }
}

/// Writable folders for programs under a read-only root. Any uid may write to them: `--tmpfs` takes a mode
/// on every engine, but an owner on some only.
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

/// A warning if SELinux may block the mounts.
pub(super) fn warning(settings: &Settings, host: &Host) -> Option<String> {
    (host.selinux && !settings.security.no_selinux_label).then(|| {
        "SELinux is on, and may close the mounted folders to the container; --no-selinux-label runs \
         it without a label. Nothing is relabelled, because that would last"
            .to_owned()
    })
}
