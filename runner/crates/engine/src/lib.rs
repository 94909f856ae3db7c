//! The engines: which one is there, and how it runs containers.

#![warn(clippy::print_stderr, clippy::print_stdout)]

mod choice;
mod docker;
mod image;
pub mod leftovers;
mod limits;
mod nvidia;
mod place;
mod podman;
mod query;
#[cfg(any(test, feature = "testing"))]
#[path = "../testing.rs"]
pub mod testing;

use std::fmt;

use host::exit::Usage;
use serde::Serialize;
use untrusted::escape;

pub use choice::container_engine;
pub use choice::{Detected, EngineChoice, Wanted, detect};
pub use image::LocalImage;
pub use image::{of_another_version, remedy, unfit};
pub use limits::Limits;
pub use nvidia::Nvidia;
pub use place::Place;
pub use query::Query;

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
    /// Podman is the user, and uid 0 in the container is the user outside.
    PodmanRootless,
    /// Podman is root, and so is uid 0 in the container.
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
            Self::DockerRootful | Self::DockerUsernsRemap | Self::DockerRootless => "docker",
            Self::PodmanRootless | Self::PodmanRootful => "podman",
            Self::Host => "host",
        }
    }

    /// Whether it is Podman's.
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

/// The program of Docker's client.
const DOCKER: &str = "docker";

/// The program of Podman's.
const PODMAN: &str = "podman";

/// Whose words the client understands. Docker's may talk to Podman, and then the mode is Podman's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Client {
    /// Docker's.
    Docker,
    /// Podman's, under whatever name.
    Podman,
    /// None: the entrypoint is started itself.
    None,
}

/// How an engine passes the user's supplementary groups on to a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Groups {
    /// Those that are named.
    ByNumber,
    /// All of them, or none.
    AllOrNone,
    /// Not at all, for this reason.
    Never(&'static str),
}

/// The engine of a run, as it described itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Engine {
    /// The client's program, or the entrypoint of the host engine.
    pub program: String,
    /// Whose client it is.
    pub client: Client,
    /// How it runs containers.
    pub mode: Mode,
    /// Its version; empty for the host engine.
    pub version: String,
    /// What starts its containers, such as `runc`; empty where that does not matter.
    pub runtime: String,
    /// How it hands NVIDIA's GPUs to a container.
    pub nvidia: Nvidia,
    /// Which limits it enforces.
    pub limits: Limits,
    /// The kind of processor it starts containers on, by Go's name; empty when it is not told.
    pub architecture: String,
    /// What is known of the image, if the engine has it.
    pub image: Option<LocalImage>,
    /// Where its containers run.
    pub place: Place,
}

impl Engine {
    /// An engine in `mode` that is up to date and has all that it can have, before it has an image:
    /// what guides and tests plan for.
    pub fn typical(mode: Mode) -> Self {
        let client = match mode {
            Mode::Host => Client::None,
            mode if mode.is_podman() => Client::Podman,
            _ => Client::Docker,
        };
        Self {
            program: mode.engine().to_owned(),
            client,
            mode,
            version: String::new(),
            runtime: "crun".to_owned(),
            nvidia: if mode.is_podman() { Nvidia::Device } else { Nvidia::Gpus },
            limits: Limits::ALL,
            architecture: String::new(),
            image: None,
            place: Place::Here,
        }
    }

    /// Refuses one whose containers run on another machine: they would get that machine's folders.
    ///
    /// # Errors
    /// When they do.
    pub fn refuse_elsewhere(&self) -> Result<(), Usage> {
        let Place::Elsewhere(address) = &self.place else { return Ok(()) };
        let variable = if self.client == Client::Podman { "CONTAINER_HOST" } else { "DOCKER_HOST" };
        Err(Usage(format!(
            "`{}` runs containers on another machine, `{}`, which has other folders than this one, \
             and whose energy cannot be metered from here; work on that machine, or choose an engine \
             of this one (unset {variable}, or `docker context use default`)",
            self.program,
            escape(address)
        )))
    }

    /// How it passes supplementary groups on. Measured on Docker 20.10 and Podman 4.3.
    pub fn groups(&self) -> Groups {
        match (self.mode, self.client) {
            (Mode::DockerRootless, _) if self.place == Place::Desktop => {
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

    /// Whether containers reach the host by the word `host-gateway`. Rootless Docker takes it for
    /// its own bridge, and Podman knows it since 4.7.
    pub fn knows_the_host(&self) -> bool {
        match self.mode {
            Mode::DockerRootful | Mode::DockerUsernsRemap => true,
            Mode::PodmanRootless | Mode::PodmanRootful => self.is_at_least(4, 7),
            Mode::DockerRootless => self.place == Place::Desktop,
            Mode::Host => false,
        }
    }

    /// Whether a quoted field of `--mount` does not arrive: Podman's service makes text of what
    /// Docker's client has read, without the quotes. Measured on Podman 4.3.
    pub fn drops_quotes(&self) -> bool {
        self.client == Client::Docker && self.mode.is_podman()
    }

    /// Whether programs for this kind of processor run on its own. What is not known does.
    pub fn runs(&self, architecture: &str) -> bool {
        let own = self.architecture.as_str();
        let is_older = matches!((own, architecture), ("amd64", "386") | ("arm64", "arm"));
        own.is_empty() || architecture.is_empty() || own == architecture || is_older
    }

    /// Whether it runs containers at all.
    pub const fn has_containers(&self) -> bool {
        !matches!(self.mode, Mode::Host)
    }

    /// Whether its version is at least this; unknown ones are new.
    pub(crate) fn is_at_least(&self, major: u32, minor: u32) -> bool {
        is_at_least(&self.version, major, minor)
    }
}

/// Whether `version` is at least this. One that is no version is taken for a new one.
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
    fn a_processor_runs_programs_of_its_kind_and_of_the_older_one() {
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
            assert_eq!(engine.runs(programs), expected, "{programs} on {own}");
        }
    }

    #[test]
    fn versions_are_numbers() {
        for (version, expected) in
            [("4.3.1", false), ("4.7.0", true), ("4.10.0-dev", true), ("5.4.2", true), ("", true)]
        {
            assert_eq!(is_at_least(version, 4, 7), expected, "{version}");
        }
    }
}
