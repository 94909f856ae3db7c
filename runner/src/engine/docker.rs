//! What Docker's client says of the daemon behind it: whether it answers, whose it is, how it runs.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context as _, bail};
use serde::Deserialize;
use untrusted::escape;

use super::{
    Client, DOCKER, Limits, Mode, Nvidia, Place,
    answers::{Answers, Info},
    daemon::{self, Said},
    image, is_at_least,
    nvidia::{self, Offer},
    podman, socket,
};
use crate::process::{self, Captured, both};

/// All that the daemon says. A field by its name would fail with a client that is older than it.
const INFO: &str = "{{json .}}";

/// Asks the daemon for itself and for the image `reference`. None when `docker` is Podman under that
/// name.
///
/// # Errors
/// When no daemon answers, or it is not understood.
pub(super) fn ask(reference: &str) -> anyhow::Result<Option<Answers>> {
    let (mut socket, said, mut place) = match daemon::ask(DOCKER, reference) {
        Some((socket, said)) => (Some(socket), said, Place::Here),
        None => {
            let (said, address) =
                both(|| ask_client(reference), || socket::address_of_docker(DOCKER));
            // A client that does not tell is asked for everything else, too.
            (None, said?, address.map_or(Place::Here, |address| Place::of(&address)))
        }
    };
    let Said { info, version, image } = said;
    if is_podmans_own(&info) {
        return Ok(None);
    }
    let server = Server::read(&version);
    let is_here = || socket.is_some() || socket::of_docker(DOCKER).is_ok();
    let (mut info, desktop) = parse_info(&info, &server, nvidia::has_hook() && is_here())?;
    if desktop && !matches!(place, Place::Elsewhere(_)) {
        place = Place::Desktop;
    }
    if let Some(version) = server.podman() {
        let told = info.mode == Mode::DockerRootless;
        let rootless =
            told || (!is_at_least(version, 4, 6) && is_rootless(version, socket.as_deref())?);
        info.mode = if rootless { Mode::PodmanRootless } else { Mode::PodmanRootful };
        info.version = version.to_owned();
        info.nvidia = Nvidia::of_podmans_service(version);
        let at = socket.clone().or_else(|| socket::of_docker(DOCKER).ok());
        info.limits = at.as_deref().and_then(podman::limits_behind).unwrap_or(info.limits);
        // What its socket says of a container's end is known by way of Docker's client alone.
        socket = None;
    }
    Ok(Some(Answers { program: DOCKER, client: Client::Docker, info, image, socket, place }))
}

/// Has Docker's client ask. All side by side: each takes a client some 20 ms.
fn ask_client(reference: &str) -> anyhow::Result<Said> {
    let question = [DOCKER, "image", "inspect", "--format", image::QUESTION, reference];
    let version = || process::ask(&[DOCKER, "version", "--format", "{{json .Server}}"]);
    let ((info, version), image) = both(
        || both(|| process::ask(&[DOCKER, "info", "--format", INFO]), version),
        || process::ask(&question),
    );
    Ok(Said { info: info?, version: version?, image: image? })
}

/// Whether the Podman behind Docker's client is rootless, by the socket that answered or the client's.
fn is_rootless(version: &str, known: Option<&Path>) -> anyhow::Result<bool> {
    let socket = known.map_or_else(|| socket::of_docker(DOCKER), |known| Ok(known.to_owned()));
    socket.and_then(|socket| socket::is_rootless(&socket)).with_context(|| {
        format!(
            "`docker` talks to Podman {version}, which does not tell whether it is rootless, and so \
             who a container would run as; use Podman's own client with --engine podman, or Podman \
             4.6"
        )
    })
}

/// Whether this answer to [`INFO`] is Podman's, which has other fields.
fn is_podmans_own(answer: &Captured) -> bool {
    #[derive(Deserialize)]
    struct Own {
        #[serde(rename = "host")]
        _host: BTreeMap<String, serde_json::Value>,
    }
    serde_json::from_str::<Own>(&answer.stdout).is_ok()
}

/// Reads the answer to [`INFO`], or that of the daemon itself, and takes the processor from `server`;
/// `hook` is whether the daemon finds the hook of the NVIDIA Container Toolkit on this machine.
/// The second value is whether containers run in the virtual machine of Docker Desktop.
fn parse_info(answer: &Captured, server: &Server, hook: bool) -> anyhow::Result<(Info, bool)> {
    #[derive(Deserialize)]
    struct Answer {
        #[serde(rename = "ServerVersion")]
        version: Option<String>,
        #[serde(rename = "SecurityOptions")]
        security: Option<Vec<String>>,
        #[serde(rename = "Runtimes")]
        runtimes: Option<BTreeMap<String, serde_json::Value>>,
        #[serde(rename = "DiscoveredDevices")]
        devices: Option<Vec<Discovered>>,
        #[serde(rename = "MemoryLimit")]
        memory: Option<bool>,
        #[serde(rename = "PidsLimit")]
        processes: Option<bool>,
        #[serde(rename = "OperatingSystem")]
        system: Option<String>,
        #[serde(rename = "Name")]
        name: Option<String>,
        #[serde(rename = "KernelVersion")]
        kernel: Option<String>,
        #[serde(rename = "ServerErrors")]
        errors: Option<Vec<String>>,
    }
    #[derive(Deserialize)]
    struct Discovered {
        #[serde(rename = "ID", default)]
        id: String,
    }
    let Captured { code, stdout, stderr } = answer;
    if *code != 0 {
        let says = stderr.trim().lines().next().unwrap_or_default();
        bail!(
            "`docker info` failed (exit code {code}): {says}; is the daemon running, and are \
               you in the group that may use it?"
        );
    }
    if stdout.trim().is_empty() {
        bail!(
            "`docker info` succeeded and said nothing, so it is unknown who a container would run \
             as; is the first `docker` on PATH Docker's?"
        );
    }
    let unknown = || format!("`docker info` answered what is not understood: {stdout:?}");
    let answer: Answer = serde_json::from_str(stdout).with_context(unknown)?;
    let Some(security) = answer.security else {
        // Clients of Docker 28 and 29 succeed all the same.
        let errors = answer.errors.unwrap_or_default();
        let said = errors.iter().map(String::as_str).chain(stderr.lines()).map(str::trim);
        match said.filter(|line| !line.is_empty()).map(escape).next() {
            Some(reason) => bail!(
                "`docker info` succeeded without an answer of the daemon: {reason}; look at the \
                 daemon's log (`journalctl -u docker`)"
            ),
            None => bail!(unknown()),
        }
    };
    let has = |name: &str| {
        security.iter().any(|option| option.split(',').any(|part| part == format!("name={name}")))
    };
    let desktop = is_desktop(
        &answer.system.unwrap_or_default(),
        &answer.name.unwrap_or_default(),
        &answer.kernel.unwrap_or_default(),
    );
    let mode = match (has("rootless") || desktop, has("userns")) {
        (true, _) => Mode::DockerRootless,
        (false, true) => Mode::DockerUsernsRemap,
        (false, false) => Mode::DockerRootful,
    };
    let is_gpu = |device: &Discovered| device.id.starts_with(nvidia::DEVICE);
    let offer = Offer {
        // Its daemon is in a machine of its own.
        hook: hook && !desktop,
        described: answer.devices.is_some_and(|devices| devices.iter().any(is_gpu)),
        runtime: answer.runtimes.is_some_and(|runtimes| runtimes.contains_key("nvidia")),
    };
    let info = Info {
        version: answer.version.unwrap_or_default(),
        mode,
        runtime: String::new(),
        nvidia: Nvidia::of_docker(offer),
        limits: Limits::of_docker(answer.memory, answer.processes),
        architecture: server.arch.clone(),
    };
    Ok((info, desktop))
}

/// Whether these are the system, the name and the kernel of Docker Desktop's virtual machine on
/// Linux: it makes uid 0 inside the user outside, like a rootless daemon. Under WSL2 Docker Desktop
/// shares the kernel and the file systems of its user, ids and all.
fn is_desktop(system: &str, name: &str, kernel: &str) -> bool {
    let named = if system.is_empty() {
        name == "docker-desktop"
    } else {
        system.to_lowercase().contains("docker desktop")
    };
    named && !kernel.to_lowercase().contains("microsoft")
}

/// What the server behind Docker's client says of its version.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Server {
    #[serde(default)]
    arch: String,
    #[serde(default)]
    components: Vec<Component>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Component {
    name: String,
    version: String,
}

impl Server {
    /// Reads the answer; none that is understood leaves open what it would tell.
    fn read(version: &Captured) -> Self {
        serde_json::from_str(&version.stdout).unwrap_or_default()
    }

    /// The version of Podman, if it is one: only a server that names itself is known to be. Its
    /// socket answers [`INFO`] like rootful Docker, before Podman 4.6 even where it is rootless.
    fn podman(&self) -> Option<&str> {
        let podman = self.components.iter().find(|component| component.name == "Podman Engine")?;
        Some(&podman.version)
    }
}

#[cfg(test)]
mod properties;

#[cfg(test)]
mod tests {
    use super::{Captured, Info, Mode, Nvidia, Server, is_podmans_own};

    fn answer(code: i32, stdout: &str, stderr: &str) -> Captured {
        Captured { code, stdout: stdout.to_owned(), stderr: stderr.to_owned() }
    }

    fn parse_info(answer: &Captured) -> anyhow::Result<(Info, bool)> {
        super::parse_info(answer, &Server::default(), false)
    }

    #[test]
    fn the_mode_is_what_the_daemon_reports() {
        let cases = [
            (r#"["name=seccomp,profile=default"]"#, Mode::DockerRootful),
            (r#"["name=seccomp,profile=builtin","name=cgroupns"]"#, Mode::DockerRootful),
            (r#"["name=seccomp,profile=default","name=userns"]"#, Mode::DockerUsernsRemap),
            (r#"["name=seccomp,profile=default","name=rootless"]"#, Mode::DockerRootless),
        ];
        for (security, mode) in cases {
            let json = format!(
                r#"{{"ServerVersion":"20.10.24","SecurityOptions":{security},"Runtimes":{{"runc":{{}}}}}}"#
            );
            let (info, desktop) = parse_info(&answer(0, &json, "")).unwrap();
            assert_eq!((info.mode, info.nvidia, desktop), (mode, Nvidia::No, false), "{security}");
        }
    }

    #[test]
    fn docker_desktop_is_known_by_its_name_and_told_from_that_of_wsl() {
        let read = |system: &str, name: &str, kernel: &str| {
            let json = format!(
                r#"{{"ServerVersion":"28.3.2","SecurityOptions":["name=seccomp,profile=unconfined"],
                "OperatingSystem":"{system}","Name":"{name}","KernelVersion":"{kernel}"}}"#
            );
            let (info, desktop) = parse_info(&answer(0, &json, "")).unwrap();
            (info.mode, desktop)
        };
        let linuxkit = "6.10.14-linuxkit";
        let desktop = (Mode::DockerRootless, true);
        assert_eq!(read("Docker Desktop", "docker-desktop", linuxkit), desktop);
        assert_eq!(read("", "docker-desktop", linuxkit), desktop);
        let native = (Mode::DockerRootful, false);
        let wsl = "5.15.167.4-microsoft-standard-WSL2";
        assert_eq!(read("Docker Desktop", "docker-desktop", wsl), native);
        assert_eq!(read("Debian GNU/Linux 12", "docker-desktop", "6.1.0"), native);
    }

    #[test]
    fn gpus_are_handed_over_as_the_daemon_offers() {
        let way = |more: &str, hook: bool| {
            let json = format!(r#"{{"ServerVersion":"28.5.2","SecurityOptions":[]{more}}}"#);
            super::parse_info(&answer(0, &json, ""), &Server::default(), hook).unwrap().0.nvidia
        };
        // Of Docker 28.5.2 with a CDI file and without the toolkit's hook.
        let described = r#","DiscoveredDevices":[{"Source":"cdi","ID":"nvidia.com/gpu=0"},{"Source":"cdi","ID":"nvidia.com/gpu=all"}]"#;
        assert_eq!(way(described, false), Nvidia::Device);
        assert_eq!(way(described, true), Nvidia::Gpus);
        let others = r#","DiscoveredDevices":[{"Source":"cdi","ID":"amd.com/gpu=all"}]"#;
        assert_eq!(way(others, false), Nvidia::No);
        assert_eq!(way(r#","Runtimes":{"nvidia":{"path":"x"}}"#, false), Nvidia::Gpus);
        assert_eq!(way(r#","DiscoveredDevices":null"#, true), Nvidia::Gpus);
        assert_eq!(way(r#","OperatingSystem":"Docker Desktop""#, true), Nvidia::No);
    }

    #[test]
    fn an_engine_that_does_not_answer_is_quoted() {
        let fails = |code, stdout, stderr| {
            format!("{:#}", parse_info(&answer(code, stdout, stderr)).unwrap_err())
        };
        insta::assert_snapshot!(fails(1, "null", "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is it up?\nmore"), @"`docker info` failed (exit code 1): Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is it up?; is the daemon running, and are you in the group that may use it?");
        insta::assert_snapshot!(fails(0, "hello", ""), @r#"`docker info` answered what is not understood: "hello": expected value at line 1 column 1"#);
        let failed = r#"{"ServerVersion":"","SecurityOptions":null,"Runtimes":null}"#;
        let reason = "Error response from daemon: open /var/lib/docker/x: input/output error\n";
        insta::assert_snapshot!(fails(0, failed, reason), @"`docker info` succeeded without an answer of the daemon: Error response from daemon: open /var/lib/docker/x: input/output error; look at the daemon's log (`journalctl -u docker`)");
        let told = failed.replace("null}", r#"null,"ServerErrors":["the daemon stops"]}"#);
        insta::assert_snapshot!(fails(0, &told, ""), @"`docker info` succeeded without an answer of the daemon: the daemon stops; look at the daemon's log (`journalctl -u docker`)");
        insta::assert_snapshot!(fails(0, "\n", ""), @"`docker info` succeeded and said nothing, so it is unknown who a container would run as; is the first `docker` on PATH Docker's?");
    }

    #[test]
    fn a_socket_of_podman_is_told_from_dockers() {
        // Shortened answers of Podman 4.3.1, through Docker's client, and of Docker 20.10.
        let podman = r#"{"Components":[{"Name":"Podman Engine","Version":"4.3.1","Details":{}},{"Name":"Engine","Version":"4.3.1"}],"Version":"4.3.1"}"#;
        let docker = r#"{"Components":[{"Name":"Engine","Version":"20.10.24"},{"Name":"runc","Version":"1.1.5"}],"Version":"20.10.24"}"#;
        assert_eq!(Server::read(&answer(0, podman, "")).podman(), Some("4.3.1"));
        for other in [docker, "null", ""] {
            assert_eq!(Server::read(&answer(0, other, "")).podman(), None);
        }
        // Podman 4.3.1 under the name of docker.
        let shim =
            r#"{"host":{"arch":"amd64"},"store":{},"registries":{},"version":{"Version":"4.3.1"}}"#;
        assert!(is_podmans_own(&answer(0, shim, "")));
        for other in ["null", "{}", r#"{"ServerVersion":"28.5.2","SecurityOptions":[]}"#, ""] {
            assert!(!is_podmans_own(&answer(0, other, "")), "{other}");
        }
    }
}
