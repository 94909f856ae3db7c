//! What Docker's client says of the daemon behind it: whether it answers, whose it is, how it runs.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context as _, bail};
use serde::Deserialize;

use super::{
    Client, DOCKER, Mode, Place,
    answers::{Answers, Info},
    daemon::{self, Said},
    image, is_at_least, socket,
};
use crate::process::{self, Captured, both};

/// One request that tells all that a plan needs. Podman's `docker` has no such fields and says so.
const INFO: &str = "{\"version\":{{json .ServerVersion}},\"security\":{{json .SecurityOptions}},\
                    \"runtimes\":{{json .Runtimes}},\"memory\":{{json .MemoryLimit}},\
                    \"system\":{{json .OperatingSystem}},\"name\":{{json .Name}},\
                    \"kernel\":{{json .KernelVersion}}}";

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
    let (mut info, desktop) = parse_info(&info, &server)?;
    if desktop && !matches!(place, Place::Elsewhere(_)) {
        place = Place::Desktop;
    }
    if let Some(version) = server.podman() {
        let told = info.mode == Mode::DockerRootless;
        let rootless =
            told || (!is_at_least(version, 4, 6) && is_rootless(version, socket.as_deref())?);
        info.mode = if rootless { Mode::PodmanRootless } else { Mode::PodmanRootful };
        info.version = version.to_owned();
        // It drops `--gpus` without a word.
        info.nvidia = false;
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
    answer.code != 0 && answer.stderr.contains("can't evaluate field")
}

/// Reads the answer to [`INFO`], or that of the daemon itself, and takes the processor from `server`.
/// The second value is whether containers run in the virtual machine of Docker Desktop.
fn parse_info(answer: &Captured, server: &Server) -> anyhow::Result<(Info, bool)> {
    #[derive(Deserialize)]
    struct Answer {
        #[serde(alias = "ServerVersion")]
        version: Option<String>,
        #[serde(alias = "SecurityOptions")]
        security: Option<Vec<String>>,
        #[serde(alias = "Runtimes")]
        runtimes: Option<BTreeMap<String, serde_json::Value>>,
        #[serde(alias = "MemoryLimit")]
        memory: Option<bool>,
        #[serde(alias = "OperatingSystem")]
        system: Option<String>,
        #[serde(alias = "Name")]
        name: Option<String>,
        #[serde(alias = "KernelVersion")]
        kernel: Option<String>,
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
    let Some(security) = answer.security else { bail!(unknown()) };
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
    let nvidia = answer.runtimes.is_some_and(|runtimes| runtimes.contains_key("nvidia"));
    let info = Info {
        version: answer.version.unwrap_or_default(),
        mode,
        runtime: String::new(),
        nvidia,
        limits: answer.memory.unwrap_or(true),
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
    use super::{Captured, Mode, Server, is_podmans_own, parse_info};

    fn answer(code: i32, stdout: &str, stderr: &str) -> Captured {
        Captured { code, stdout: stdout.to_owned(), stderr: stderr.to_owned() }
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
                r#"{{"version":"20.10.24","security":{security},"runtimes":{{"runc":{{}}}}}}"#
            );
            let (info, desktop) = parse_info(&answer(0, &json, ""), &Server::default()).unwrap();
            assert!(!desktop);
            assert_eq!((info.mode, info.nvidia), (mode, false), "{security}");
        }
        let gpus = r#"{"version":"28.0","security":[],"runtimes":{"nvidia":{"path":"x"}}}"#;
        assert!(parse_info(&answer(0, gpus, ""), &Server::default()).unwrap().0.nvidia);
    }

    #[test]
    fn docker_desktop_is_known_by_its_name_and_told_from_that_of_wsl() {
        let read = |system: &str, name: &str, kernel: &str| {
            let json = format!(
                r#"{{"version":"28.3.2","security":["name=seccomp,profile=unconfined"],
                "system":"{system}","name":"{name}","kernel":"{kernel}"}}"#
            );
            let (info, desktop) = parse_info(&answer(0, &json, ""), &Server::default()).unwrap();
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
    fn an_engine_that_does_not_answer_is_quoted() {
        let fails = |code, stdout, stderr| {
            format!(
                "{:#}",
                parse_info(&answer(code, stdout, stderr), &Server::default()).unwrap_err()
            )
        };
        insta::assert_snapshot!(fails(1, "null", "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is it up?\nmore"), @"`docker info` failed (exit code 1): Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is it up?; is the daemon running, and are you in the group that may use it?");
        insta::assert_snapshot!(fails(0, "hello", ""), @r#"`docker info` answered what is not understood: "hello": expected value at line 1 column 1"#);
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
        let shim = "Error: template: info:1:61: executing \"info\" at <.SecurityOptions>: can't evaluate field SecurityOptions in type *define.Info";
        assert!(is_podmans_own(&answer(125, "", shim)));
        assert!(!is_podmans_own(&answer(1, "null", "Cannot connect to the Docker daemon")));
    }
}
