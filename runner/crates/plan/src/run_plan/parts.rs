//! The parts of a plan, each with its reason.

use host::paths::host_path::HostPath;
use serde::Serialize;

/// A value with its reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reasoned<T> {
    /// The value.
    pub value: T,
    /// The reason, on one line.
    pub reason: String,
}

impl<T> Reasoned<T> {
    pub(super) fn new(value: T, reason: impl Into<String>) -> Self {
        Self { value, reason: reason.into() }
    }
}

/// An image, and when to pull it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Image {
    /// The reference.
    pub reference: String,
    /// When to pull it.
    pub pull: Pull,
}

/// When the engine pulls an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Pull {
    /// If the engine does not have it.
    Missing,
    /// Never, since no registry has it.
    Never,
}

/// The user that runs the benchmark.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Identity {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
    /// Supplementary groups that own a mounted folder.
    pub groups: Vec<u32>,
}

/// A folder or file of the host, and its path for the benchmark.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mount {
    /// Path on the host.
    pub source: HostPath,
    /// Path in a container.
    pub target: &'static str,
    /// Whether it is writable.
    pub access: Access,
    /// The variable that names its path.
    pub variable: MountVariable,
    /// Why it is mounted.
    pub reason: String,
}

/// Whether a mount is writable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// Read and write.
    ReadWrite,
    /// Read-only.
    ReadOnly,
}

/// The variable that names the path of a mount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", content = "name", tag = "told")]
pub enum MountVariable {
    /// Set on every engine.
    Always(&'static str),
    /// Set on the host engine only. In a container the target is the default path.
    OnHost(&'static str),
}

/// The root file system of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Root {
    /// Read-only, except for mounts and tmpfs.
    ReadOnly,
    /// Writable everywhere.
    Writable,
}

/// A folder of a container that is kept in memory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tmpfs {
    /// Path in a container.
    pub target: &'static str,
    /// Whether programs and libraries can be loaded from it.
    pub exec: bool,
    /// Why it is needed.
    pub reason: String,
}

/// A local model or dataset, and its path for the benchmark. It is read-only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Input {
    /// Path on the host.
    pub source: HostPath,
    /// Path for the benchmark.
    pub target: String,
    /// How the benchmark gets it.
    pub by: InputBy,
    /// Why it is mounted, or not.
    pub reason: String,
}

/// How the benchmark gets an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum InputBy {
    /// By a mount of its own.
    OwnMount,
    /// By the mount of the Hub cache, which contains it.
    HubCache,
    /// In place, without a container.
    #[serde(rename = "itself")]
    InPlace,
}

/// An environment variable of the benchmark.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Variable {
    /// The name.
    pub name: &'static str,
    /// The value, never a secret.
    pub value: String,
    /// Why it is set.
    pub reason: String,
}

/// The network of the benchmark.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Network {
    /// The engine's default network.
    Default,
    /// The default network, with a name for the host.
    WithHost {
        /// The host's address; `None` if the engine fills it in.
        address: Option<String>,
    },
    /// No network.
    None,
}

/// How the runner supervises a container. A guide's command has none of these flags.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Supervision {
    /// Name of the container.
    pub container: String,
    /// File that the client writes the container's id to.
    pub cidfile: HostPath,
    /// File in the results folder that lists the mounts for the entrypoint, if one is written.
    pub folders: Option<String>,
}
