//! The parts of a plan: data, each with its reason.

use host::paths::host_path::HostPath;
use serde::Serialize;

/// A value and why it is what it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reasoned<T> {
    /// The value.
    pub value: T,
    /// Why, in one line.
    pub reason: String,
}

/// An image and whether the engine may look for it elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Image {
    /// The reference.
    pub reference: String,
    /// When to ask a registry.
    pub pull: Pull,
}

/// When to ask a registry for an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Pull {
    /// When the engine does not have it.
    Missing,
    /// Never: it is only ever built here.
    Never,
}

/// The invoking user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Identity {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
    /// Supplementary groups that a mounted folder belongs to.
    pub groups: Vec<u32>,
}

/// A folder or file of the host, and where the benchmark finds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mount {
    /// On the host.
    pub source: HostPath,
    /// In a container.
    pub target: &'static str,
    /// Whether it may be written.
    pub access: Access,
    /// The variable that tells where it is.
    pub variable: MountVariable,
    /// Why it is there.
    pub reason: String,
}

/// Whether a mount may be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// Read and write.
    ReadWrite,
    /// Read only.
    ReadOnly,
}

/// The variable that tells where a mount is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", content = "name", tag = "told")]
pub enum MountVariable {
    /// Told everywhere.
    Always(&'static str),
    /// Told only without a container: in one, the target is where everybody looks.
    OnHost(&'static str),
}

/// The root file system of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Root {
    /// Nothing is written outside of the mounts.
    ReadOnly,
    /// The container may write everywhere.
    Writable,
}

/// A folder of a container that lives in memory, for as long as the container does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tmpfs {
    /// In a container.
    pub target: &'static str,
    /// Whether programs and libraries may be loaded from it.
    pub exec: bool,
    /// Why it is there.
    pub reason: String,
}

/// A model or dataset of the user's own, and where the benchmark finds it. It is only read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Input {
    /// On the host.
    pub source: HostPath,
    /// Where the source is for the benchmark.
    pub target: String,
    /// What brings it there.
    pub by: InputBy,
    /// Why it is there.
    pub reason: String,
}

/// What brings an input to the benchmark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum InputBy {
    /// A mount of its own.
    OwnMount,
    /// The mount of the Hub cache that it lies in.
    HubCache,
    /// Nothing: without a container it is where it is.
    Itself,
}

/// A variable of the benchmark's environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// Its value; never a secret.
    pub value: String,
    /// Why it is set.
    pub reason: String,
}

/// What the benchmark can reach.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Network {
    /// The engine's default network.
    Default,
    /// The default network, and the host by name.
    WithHost {
        /// Where the host is; none where the engine knows that better.
        address: Option<String>,
    },
    /// Nothing.
    None,
}

/// How a run is kept in hand: the one list of flags that a guide's command does without.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Supervision {
    /// The container's name.
    pub container: String,
    /// The file that receives the container's id.
    pub cidfile: HostPath,
    /// The file of the results folder that lists the mounts for the entrypoint, if there is one.
    pub folders: Option<String>,
}
