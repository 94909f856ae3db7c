//! The engines of the test machine in each mode, and how clients reach them.

use std::{
    collections::BTreeSet,
    fs,
    net::TcpListener,
    os::{fd::AsFd as _, unix::fs::MetadataExt as _},
    process::{Command, Output},
    sync::{Mutex, MutexGuard, PoisonError},
};

use engine::{Client, Engine, Mode};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::workspace::workspace;

/// The folder of `tests/engines.sh`.
const DIR: &str = "/var/lib/aienergyscore-test";

/// Its folder of Podman's service.
const SERVICE: &str = "/run/aienergyscore-test";

/// The user of the engines.
pub(crate) const USER: u32 = 4242;

/// An engine in a mode, by the client that a user would take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum On {
    DockerRootful,
    DockerUsernsRemap,
    DockerRootless,
    PodmanRootless,
    PodmanRootful,
    /// Docker's client, and rootless Podman behind it.
    PodmanBehindDocker,
}

impl On {
    /// Waits until no other test has the engine, if it takes one at a time.
    pub(crate) fn turn(self) -> Option<MutexGuard<'static, ()>> {
        static TURN: Mutex<()> = Mutex::new(());
        // Podman 4.3's service breaks when several containers end at once.
        (self == Self::PodmanBehindDocker)
            .then(|| TURN.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Starts it if it does not answer, and loads the smoke image.
    pub(crate) fn bring_up(self) {
        static UP: Mutex<BTreeSet<On>> = Mutex::new(BTreeSet::new());
        let mode = match self {
            Self::DockerRootful => return,
            Self::DockerUsernsRemap => "docker-userns-remap",
            Self::DockerRootless => "docker-rootless",
            Self::PodmanRootless => "podman-rootless",
            Self::PodmanRootful => "podman-rootful",
            Self::PodmanBehindDocker => "podman-behind-docker",
        };
        let mut up = UP.lock().expect("no engine failed to come up");
        if up.insert(self) || self == Self::PodmanBehindDocker {
            let script = workspace().join("tests/engines.sh");
            let status = Command::new(script).arg(mode).status().expect("bash can be started");
            assert!(status.success(), "`tests/engines.sh {mode}` failed");
        }
    }

    /// Its value of `--engine`.
    pub(crate) const fn choice(self) -> &'static str {
        match self {
            Self::PodmanRootless | Self::PodmanRootful => "podman",
            _ => "docker",
        }
    }

    /// Its mode in a plan.
    pub(crate) const fn mode(self) -> &'static str {
        match self {
            Self::DockerRootful => "docker-rootful",
            Self::DockerUsernsRemap => "docker-userns-remap",
            Self::DockerRootless => "docker-rootless",
            Self::PodmanRootless | Self::PodmanBehindDocker => "podman-rootless",
            Self::PodmanRootful => "podman-rootful",
        }
    }

    /// The engine, as the guide's table has it.
    pub(crate) fn engine(self) -> Engine {
        let mode = Mode::WITH_CONTAINERS
            .into_iter()
            .find(|mode| serde_json::to_value(mode).expect("a mode is a word") == self.mode());
        let engine = Engine::typical(mode.expect("a known mode"));
        let client = if self.choice() == "docker" { Client::Docker } else { Client::Podman };
        Engine { client, ..engine }
    }

    /// The variables by which its user finds it.
    pub(crate) fn env(self) -> Vec<(&'static str, String)> {
        let here = |path: &str| format!("{DIR}/{path}");
        let podman = || {
            vec![
                ("XDG_RUNTIME_DIR", here("user")),
                ("CONTAINERS_CONF", here("containers.conf")),
                ("CONTAINERS_STORAGE_CONF", here("storage.conf")),
            ]
        };
        match self {
            Self::DockerRootful => vec![],
            Self::PodmanRootless => podman(),
            Self::PodmanRootful => {
                [podman(), vec![("CONTAINER_HOST", self.socket().unwrap())]].concat()
            }
            _ => vec![("DOCKER_HOST", self.socket().unwrap())],
        }
    }

    /// The home that its storage lies below; none where any will do.
    pub(crate) fn home(self) -> Option<String> {
        (self == Self::PodmanRootless).then(|| format!("{DIR}/home"))
    }

    fn socket(self) -> Option<String> {
        let path = match self {
            Self::DockerRootful => return None,
            Self::DockerUsernsRemap => "remap/docker.sock",
            Self::DockerRootless => "user/docker.sock",
            Self::PodmanRootless => return None,
            Self::PodmanRootful => "podman/podman.sock",
            Self::PodmanBehindDocker => return Some(format!("unix://{SERVICE}/podman.sock")),
        };
        Some(format!("unix://{DIR}/{path}"))
    }

    /// A server on the machine of the engine. The thread that asks is in that machine's network
    /// afterwards.
    pub(crate) fn listen(self) -> TcpListener {
        if self == Self::DockerUsernsRemap {
            // Beside the machine's own, this daemon has a network for itself.
            let pid = fs::read_to_string(format!("{DIR}/remap/pid")).expect("the daemon's number");
            let network = fs::File::open(format!("/proc/{}/ns/net", pid.trim())).unwrap();
            move_into_link_name_space(network.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
        }
        TcpListener::bind("0.0.0.0:0").unwrap()
    }

    /// The group that may use it, beside its user.
    pub(crate) fn group(self) -> Option<u32> {
        let docker = fs::metadata("/var/run/docker.sock");
        (self == Self::DockerRootful).then(|| docker.expect("a Docker socket").gid())
    }

    /// The output of a client's command, as any user of the tests can run it.
    pub(crate) fn output(self, args: &[&str]) -> Output {
        let mut command = Command::new("docker");
        if self == Self::PodmanRootless {
            // Without a service only its user sees its containers.
            command = Command::new("setpriv");
            command.args([format!("--reuid={USER}"), format!("--regid={USER}")]);
            command.args(["--clear-groups", "podman"]).env_clear().current_dir("/");
            command.env("PATH", std::env::var("PATH").unwrap());
            command.env("HOME", self.home().unwrap()).envs(self.env());
        }
        if let Some(socket) = self.socket() {
            command.args(["--host", &socket]);
        }
        command.args(args).output().expect("the client can be started")
    }

    /// The output of a client's command that must succeed.
    pub(crate) fn docker(self, args: &[&str]) -> String {
        let output = self.output(args);
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{self:?}: docker {args:?}: {complaint}");
        String::from_utf8(output.stdout).unwrap()
    }
}
