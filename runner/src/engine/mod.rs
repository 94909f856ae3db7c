//! The engines: which one is there, and how it runs containers.

mod detect;
mod docker;
mod image;

use std::fmt;

use serde::Serialize;

pub use detect::{Detected, detect};
pub use image::LocalImage;
pub(crate) use image::remedy;

/// How an engine runs containers. Identity, mounts and network follow from this, not from the
/// engine's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// The daemon is root, and so is uid 0 in the container.
    DockerRootful,
    /// The daemon is root and maps the container's ids to unprivileged ones.
    DockerUsernsRemap,
    /// The daemon is the user, and uid 0 in the container is the user outside.
    DockerRootless,
    /// No container: the entrypoint runs as a child process.
    Host,
}

impl Mode {
    /// The engine's name, as `--engine` takes it.
    pub const fn engine(self) -> &'static str {
        match self {
            Self::DockerRootful | Self::DockerUsernsRemap | Self::DockerRootless => "docker",
            Self::Host => "host",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DockerRootful => "docker, rootful",
            Self::DockerUsernsRemap => "docker, rootful with userns-remap",
            Self::DockerRootless => "docker, rootless",
            Self::Host => "host, without a container",
        })
    }
}

/// The engine of a run, as it described itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Engine {
    /// The client's program, or the entrypoint of the host engine.
    pub program: String,
    /// How it runs containers.
    pub mode: Mode,
    /// Its version; empty for the host engine.
    pub version: String,
    /// Whether it can hand NVIDIA GPUs to a container.
    pub nvidia: bool,
    /// What is known of the image, if the engine has it.
    pub image: Option<LocalImage>,
}

impl Engine {
    /// The command that prints the state of the container `name` as JSON.
    pub(crate) fn state_command(&self, name: &str) -> Option<[String; 5]> {
        self.has_containers().then(|| {
            [&self.program, "inspect", "--format", "{{json .State}}", name].map(str::to_owned)
        })
    }

    /// The command that ends and removes the container `name`.
    pub(crate) fn remove_command(&self, name: &str) -> Option<[String; 4]> {
        self.has_containers().then(|| [&self.program, "rm", "--force", name].map(str::to_owned))
    }

    /// Whether it runs containers at all.
    pub(crate) const fn has_containers(&self) -> bool {
        !matches!(self.mode, Mode::Host)
    }
}
