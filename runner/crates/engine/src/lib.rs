//! Container engines: detection, queries, and how each one runs containers.

#![warn(clippy::print_stderr, clippy::print_stdout)]

mod detection;
mod docker;
mod image;
pub mod leftovers;
mod limits;
mod location;
mod nvidia;
mod podman;
mod query;
#[cfg(any(test, feature = "testing"))]
#[path = "../testing.rs"]
pub mod testing;

use std::fmt;

use host::exit::Usage;
use serde::Serialize;
use untrusted::escape;

pub use detection::{Detected, EngineChoice, Wanted, container_engine, detect};
pub use image::LocalImage;
pub use limits::Limits;
pub use location::Location;
pub use nvidia::Nvidia;
pub use query::Query;

/// How an engine runs containers. Identity, mounts and network depend on it, not on the engine's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// The daemon is root, and so is uid 0 in the container.
    DockerRootful,
    /// The daemon is root and maps the container's ids to unprivileged ones.
    DockerUsernsRemap,
    /// The daemon runs as the user, and uid 0 in the container is the user outside.
    DockerRootless,
    /// Podman runs as the user, and uid 0 in the container is the user outside.
    PodmanRootless,
    /// Podman runs as root, and uid 0 in the container is root.
    PodmanRootful,
    /// No container: the entrypoint runs as a child process.
    Host,
}

impl Mode {
    /// Every mode with containers, in the order of the guide.
    pub const WITH_CONTAINERS: [Self; 5] = [
        Self::DockerRootful,
        Self::DockerUsernsRemap,
        Self::DockerRootless,
        Self::PodmanRootless,
        Self::PodmanRootful,
    ];

    /// The engine's name, as `--engine` takes it.
    pub const fn engine(self) -> &'static str {
        match self {
            Self::DockerRootful | Self::DockerUsernsRemap | Self::DockerRootless => DOCKER,
            Self::PodmanRootless | Self::PodmanRootful => PODMAN,
            Self::Host => "host",
        }
    }

    /// Whether Podman runs the containers, also behind Docker's client.
    pub const fn is_podman(self) -> bool {
        matches!(self, Self::PodmanRootless | Self::PodmanRootful)
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DockerRootful => "docker, rootful",
            Self::DockerUsernsRemap => "docker, rootful with userns-remap",
            Self::DockerRootless => "docker, rootless",
            Self::PodmanRootless => "podman, rootless",
            Self::PodmanRootful => "podman, rootful",
            Self::Host => "host, without a container",
        })
    }
}

/// Program name of Docker's client.
const DOCKER: &str = "docker";

/// Program name of Podman's client.
const PODMAN: &str = "podman";

/// Command line syntax of the client. Docker's client may talk to Podman: then the [`Mode`] is one of
/// Podman's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Client {
    /// Docker's client.
    Docker,
    /// Podman's client, under either name.
    Podman,
    /// No client: the runner starts the entrypoint directly.
    None,
}

/// How an engine passes the user's supplementary groups on to a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Groups {
    /// Each group by its number.
    ByNumber,
    /// All groups, or none.
    AllOrNone,
    /// Not supported, for this reason.
    Never(&'static str),
}

/// The engine of a run, by its output of `info` and `version`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Engine {
    /// The client's program, or the entrypoint of the host engine.
    pub program: String,
    /// Command line syntax of that program.
    pub client: Client,
    /// How it runs containers.
    pub mode: Mode,
    /// Its version; empty for the host engine.
    pub version: String,
    /// Podman's OCI runtime, such as `runc`; empty for other engines.
    pub runtime: String,
    /// How it passes NVIDIA GPUs to a container.
    pub nvidia: Nvidia,
    /// The resource limits that it enforces.
    pub limits: Limits,
    /// Architecture of its machine, by Go's name; empty if unknown.
    pub architecture: String,
    /// The image of the run, if the engine has it.
    pub image: Option<LocalImage>,
    /// The machine that its containers run on.
    pub location: Location,
}

impl Engine {
    /// An up-to-date engine in `mode` with every feature of that mode, without an image. Guides and tests
    /// plan for it.
    pub fn typical(mode: Mode) -> Self {
        let (client, runtime, nvidia) = match mode {
            Mode::Host => (Client::None, "", Nvidia::Gpus),
            mode if mode.is_podman() => (Client::Podman, "crun", Nvidia::Device),
            _ => (Client::Docker, "", Nvidia::Gpus),
        };
        Self {
            program: mode.engine().to_owned(),
            client,
            mode,
            version: String::new(),
            runtime: runtime.to_owned(),
            nvidia,
            limits: Limits::ALL,
            architecture: String::new(),
            image: None,
            location: Location::ThisMachine,
        }
    }

    /// Refuses an engine on another machine, where containers would get that machine's folders.
    ///
    /// # Errors
    /// When its containers run on another machine.
    pub fn refuse_remote(&self) -> Result<(), Usage> {
        let Location::Remote(address) = &self.location else { return Ok(()) };
        let variable = if self.client == Client::Podman { "CONTAINER_HOST" } else { "DOCKER_HOST" };
        Err(Usage(format!(
            "`{}` runs containers on another machine, `{}`, which has other folders than this one, \
             and whose energy cannot be metered from here; work on that machine, or choose an engine \
             of this one (unset {variable}, or `docker context use default`)",
            self.program,
            escape(address)
        )))
    }

    /// How the engine passes supplementary groups on. Measured on Docker 20.10 and Podman 4.3.
    pub fn groups(&self) -> Groups {
        match (self.mode, self.client) {
            (Mode::DockerRootless, _) if self.location == Location::DesktopVm => {
                Groups::Never("Docker Desktop maps your own group alone")
            }
            (Mode::DockerRootless, _) => {
                Groups::Never("a rootless daemon maps your own group alone")
            }
            (Mode::PodmanRootless, Client::Podman) if self.runtime == "crun" => Groups::AllOrNone,
            (Mode::PodmanRootless, Client::Podman) => {
                Groups::Never("rootless Podman does it with crun alone, and drops them otherwise")
            }
            (Mode::PodmanRootless, _) => {
                Groups::Never("docker's client cannot ask rootless Podman for it")
            }
            _ => Groups::ByNumber,
        }
    }

    /// Whether `--add-host NAME:host-gateway` gives containers the host's address. Rootless Docker
    /// resolves it to its own bridge, and Podman supports it since 4.7.
    pub fn supports_host_gateway(&self) -> bool {
        match self.mode {
            Mode::DockerRootful | Mode::DockerUsernsRemap => true,
            Mode::PodmanRootless | Mode::PodmanRootful => is_at_least(&self.version, 4, 7),
            Mode::DockerRootless => self.location == Location::DesktopVm,
            Mode::Host => false,
        }
    }

    /// Whether the quotes around a field of `--mount` get lost: Podman's service joins the fields that
    /// Docker's client has parsed without quoting them again. Measured on Podman 4.3.
    pub fn strips_mount_quotes(&self) -> bool {
        self.client == Client::Docker && self.mode.is_podman()
    }

    /// Whether the engine's machine runs programs for this architecture. An unknown one is assumed to
    /// match.
    fn can_run(&self, architecture: &str) -> bool {
        let own = self.architecture.as_str();
        let is_older = matches!((own, architecture), ("amd64", "386") | ("arm64", "arm"));
        own.is_empty() || architecture.is_empty() || own == architecture || is_older
    }

    /// Whether the engine runs containers at all.
    pub const fn has_containers(&self) -> bool {
        !matches!(self.mode, Mode::Host)
    }
}

/// Whether `version` is at least `major.minor`. Text that is not a version counts as new.
fn is_at_least(version: &str, major: u32, minor: u32) -> bool {
    let mut numbers = version.split(['.', '-']).map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(first)), Some(Ok(second))) => (first, second) >= (major, minor),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::{Mode, is_at_least};
    use crate::testing::engine;

    #[test]
    fn processor_runs_its_own_and_the_older_32_bit_architecture() {
        let cases = [
            ("amd64", "amd64", true),
            ("amd64", "386", true),
            ("amd64", "arm64", false),
            ("arm64", "arm", true),
            ("arm64", "amd64", false),
            ("arm64", "", true),
            ("", "amd64", true),
        ];
        for (own, programs, expected) in cases {
            let mut engine = engine(Mode::DockerRootful);
            engine.architecture = own.to_owned();
            assert_eq!(engine.can_run(programs), expected, "{programs} on {own}");
        }
    }

    #[test]
    fn versions_compare_as_numbers_and_unknown_ones_count_as_new() {
        for (version, expected) in
            [("4.3.1", false), ("4.7.0", true), ("4.10.0-dev", true), ("5.4.2", true), ("", true)]
        {
            assert_eq!(is_at_least(version, 4, 7), expected, "{version}");
        }
    }
}
