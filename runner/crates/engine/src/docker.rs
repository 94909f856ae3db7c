//! Detects the engine behind Docker's client from the client's answers.

use std::{collections::BTreeMap, fs, os::unix::fs::MetadataExt as _};

use anyhow::{Context as _, bail};
use host::process::{self, Captured, both};
use serde::Deserialize;
use untrusted::escape;

use super::{DOCKER, Engine, Limits, Location, Mode, Nvidia, is_at_least, nvidia, podman};

/// Detects the engine that `docker` talks to, which may be Podman.
///
/// # Errors
/// When no daemon answers, or its answer is not understood.
pub(super) fn ask() -> anyhow::Result<Engine> {
    // In parallel: each call takes some 20 ms, and 500 ms with Podman behind the client.
    let ((info, version), address) = both(
        || {
            both(
                // A client fails on a field that is newer than itself, so all are asked for.
                || process::ask(&[DOCKER, "info", "--format", "{{json .}}"]),
                || process::ask(&[DOCKER, "version", "--format", "{{json .Server}}"]),
            )
        },
        || process::ask(&[DOCKER, "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"]),
    );
    let info = info?;
    if podman::is_own(&info) {
        return podman::engine(DOCKER, &info);
    }
    let server = Server::read(&version?);
    // A client without contexts talks to this machine.
    let address = address.map_or_else(|_| String::new(), |answer| answer.stdout.trim().to_owned());
    let info = Info::read(&info)?;
    match server.podman() {
        Some(version) => podman_behind(&info, version, &server, &address),
        None => Ok(info.engine(&server, &address, nvidia::has_hook())),
    }
}

/// The engine if Docker's client talks to Podman `version`.
fn podman_behind(
    info: &Info,
    version: &str,
    server: &Server,
    address: &str,
) -> anyhow::Result<Engine> {
    let rootless = info.has("rootless")
        || (!is_at_least(version, 4, 6) && has_users_socket(version, address)?);
    let cgroups = format!("v{}", info.cgroup_version.as_deref().unwrap_or("2"));
    Ok(Engine {
        mode: if rootless { Mode::PodmanRootless } else { Mode::PodmanRootful },
        version: version.to_owned(),
        nvidia: Nvidia::of_podmans_service(version),
        // The answer lists the controllers of the machine, not those of its user.
        limits: Limits::of_podman(rootless, &cgroups, None),
        ..info.engine(server, address, false)
    })
}

/// Whether a user owns the socket at `address`. Podman before 4.6 does not report to Docker's
/// client whether it is rootless, but its service has created the socket.
fn has_users_socket(version: &str, address: &str) -> anyhow::Result<bool> {
    let owner = || -> anyhow::Result<u32> {
        let path = address.strip_prefix("unix://").with_context(|| {
            format!("`docker` talks to {address:?}, which is no socket of this machine")
        })?;
        let socket = fs::metadata(path).with_context(|| format!("looking at `{path}`"))?;
        Ok(socket.uid())
    };
    let owner = owner().with_context(|| {
        format!(
            "`docker` talks to Podman {version}, which does not tell whether it is rootless, and so \
             who a container would run as; use Podman's own client with --engine podman, or Podman \
             4.6"
        )
    })?;
    Ok(owner != 0)
}

/// The fields of `docker info` that describe the engine.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Info {
    server_version: Option<String>,
    security_options: Option<Vec<String>>,
    runtimes: Option<BTreeMap<String, serde_json::Value>>,
    discovered_devices: Option<Vec<Device>>,
    memory_limit: Option<bool>,
    pids_limit: Option<bool>,
    cgroup_version: Option<String>,
    operating_system: Option<String>,
    name: Option<String>,
    kernel_version: Option<String>,
    server_errors: Option<Vec<String>>,
}

/// A device of a CDI file that the daemon has read.
#[derive(Debug, Deserialize)]
struct Device {
    #[serde(rename = "ID", default)]
    id: String,
}

impl Info {
    fn read(answer: &Captured) -> anyhow::Result<Self> {
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
        let info: Self = serde_json::from_str(stdout).with_context(unknown)?;
        if info.security_options.is_none() {
            // Clients of Docker 28 and 29 exit with 0 even if the daemon did not answer.
            let errors = info.server_errors.unwrap_or_default();
            let said = errors.iter().map(String::as_str).chain(stderr.lines()).map(str::trim);
            match said.filter(|line| !line.is_empty()).map(escape).next() {
                Some(reason) => bail!(
                    "`docker info` succeeded without an answer of the daemon: {reason}; look at the \
                     daemon's log (`journalctl -u docker`)"
                ),
                None => bail!(unknown()),
            }
        }
        Ok(info)
    }

    /// Whether the daemon lists the security option `name`.
    fn has(&self, name: &str) -> bool {
        let mut options = self.security_options.iter().flatten();
        options.any(|option| option.split(',').any(|part| part.strip_prefix("name=") == Some(name)))
    }

    /// The engine if Docker is at `address`. `hook` is whether this machine has the hook of the NVIDIA
    /// Container Toolkit.
    fn engine(&self, server: &Server, address: &str, hook: bool) -> Engine {
        let desktop = self.is_desktop();
        let location = match Location::of(address) {
            Location::ThisMachine | Location::LocalAddress(_) if desktop => Location::DesktopVm,
            location => location,
        };
        let mode = match (self.has("rootless") || desktop, self.has("userns")) {
            (true, _) => Mode::DockerRootless,
            (false, true) => Mode::DockerUsernsRemap,
            (false, false) => Mode::DockerRootful,
        };
        Engine {
            version: self.server_version.clone().unwrap_or_default(),
            nvidia: self.nvidia(hook && location == Location::ThisMachine),
            limits: Limits {
                memory: self.memory_limit.unwrap_or(true),
                processes: self.pids_limit.unwrap_or(true),
            },
            architecture: server.arch.clone(),
            location,
            ..Engine::typical(mode)
        }
    }

    /// How the daemon passes NVIDIA GPUs on. `--gpus` needs the hook. The package
    /// `nvidia-container-toolkit-base` configures a runtime without it, so a runtime alone is the last
    /// resort.
    fn nvidia(&self, hook: bool) -> Nvidia {
        let mut devices = self.discovered_devices.iter().flatten();
        if hook {
            Nvidia::Gpus
        } else if devices.any(|device| device.id.starts_with(nvidia::CDI_KIND)) {
            Nvidia::Device
        } else if self.runtimes.as_ref().is_some_and(|names| names.contains_key("nvidia")) {
            Nvidia::Gpus
        } else {
            Nvidia::No
        }
    }

    /// Whether the daemon runs in Docker Desktop's virtual machine on Linux, by its system, name and
    /// kernel. There uid 0 in a container is the user outside, as with a rootless daemon. Docker Desktop
    /// on WSL2 is not meant: it shares kernel, file systems and ids with the user.
    fn is_desktop(&self) -> bool {
        let text = |field: &Option<String>| field.clone().unwrap_or_default().to_lowercase();
        let named = match text(&self.operating_system).as_str() {
            "" => self.name.as_deref() == Some("docker-desktop"),
            system => system.contains("docker desktop"),
        };
        named && !text(&self.kernel_version).contains("microsoft")
    }
}

/// The fields of `docker version` that identify the server: Docker or Podman.
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
    /// Reads the answer. One that is not understood leaves all fields empty.
    fn read(version: &Captured) -> Self {
        serde_json::from_str(&version.stdout).unwrap_or_default()
    }

    /// The version of Podman, if the server is Podman. Its components are the only sign: Podman answers
    /// `docker info` like rootful Docker, before 4.6 even if it is rootless.
    fn podman(&self) -> Option<&str> {
        let podman = self.components.iter().find(|component| component.name == "Podman Engine")?;
        Some(&podman.version)
    }
}

#[cfg(test)]
mod properties;

#[cfg(test)]
mod tests {
    use super::{Captured, Engine, Info, Limits, Location, Mode, Nvidia, Server, podman_behind};

    fn answer(code: i32, stdout: &str, stderr: &str) -> Captured {
        Captured { code, stdout: stdout.to_owned(), stderr: stderr.to_owned() }
    }

    fn engine(answer: &Captured, hook: bool) -> anyhow::Result<Engine> {
        Ok(Info::read(answer)?.engine(&Server::default(), "", hook))
    }

    #[test]
    fn mode_is_what_the_daemon_reports() {
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
            let engine = engine(&answer(0, &json, ""), false).unwrap();
            let found = (engine.mode, engine.nvidia, engine.location);
            assert_eq!(found, (mode, Nvidia::No, Location::ThisMachine), "{security}");
        }
    }

    #[test]
    fn docker_desktop_is_recognized_except_on_wsl() {
        let read = |system: &str, name: &str, kernel: &str| {
            let json = format!(
                r#"{{"ServerVersion":"28.3.2","SecurityOptions":["name=seccomp,profile=unconfined"],
                "OperatingSystem":"{system}","Name":"{name}","KernelVersion":"{kernel}"}}"#
            );
            let engine = engine(&answer(0, &json, ""), false).unwrap();
            (engine.mode, engine.location)
        };
        let linuxkit = "6.10.14-linuxkit";
        let desktop = (Mode::DockerRootless, Location::DesktopVm);
        assert_eq!(read("Docker Desktop", "docker-desktop", linuxkit), desktop);
        assert_eq!(read("", "docker-desktop", linuxkit), desktop);
        let native = (Mode::DockerRootful, Location::ThisMachine);
        let wsl = "5.15.167.4-microsoft-standard-WSL2";
        assert_eq!(read("Docker Desktop", "docker-desktop", wsl), native);
        assert_eq!(read("Debian GNU/Linux 12", "docker-desktop", "6.1.0"), native);
    }

    #[test]
    fn way_to_pass_gpus_follows_what_the_daemon_supports() {
        let way = |more: &str, hook: bool| {
            let json = format!(r#"{{"ServerVersion":"28.5.2","SecurityOptions":[]{more}}}"#);
            engine(&answer(0, &json, ""), hook).unwrap().nvidia
        };
        // Docker 28.5.2 with a CDI file and without the toolkit's hook.
        let described = r#","DiscoveredDevices":[{"Source":"cdi","ID":"nvidia.com/gpu=0"},{"Source":"cdi","ID":"nvidia.com/gpu=all"}]"#;
        assert_eq!(way(described, false), Nvidia::Device);
        assert_eq!(way(described, true), Nvidia::Gpus);
        let others = r#","DiscoveredDevices":[{"Source":"cdi","ID":"amd.com/gpu=all"}]"#;
        assert_eq!(way(others, false), Nvidia::No);
        assert_eq!(way(r#","Runtimes":{"nvidia":{"path":"x"}}"#, false), Nvidia::Gpus);
        assert_eq!(way(r#","DiscoveredDevices":null"#, true), Nvidia::Gpus);
        let runtime_and_cdi = format!(r#"{described},"Runtimes":{{"nvidia":{{"path":"x"}}}}"#);
        assert_eq!(way(&runtime_and_cdi, false), Nvidia::Device, "`--gpus` fails without the hook");
        assert_eq!(way(r#","OperatingSystem":"Docker Desktop""#, true), Nvidia::No);
    }

    #[test]
    fn daemons_error_is_quoted() {
        let fails = |code, stdout, stderr| {
            format!("{:#}", Info::read(&answer(code, stdout, stderr)).unwrap_err())
        };
        insta::assert_snapshot!(fails(1, "null", "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is it up?\nmore"), @"`docker info` failed (exit code 1): Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is it up?; is the daemon running, and are you in the group that may use it?");
        insta::assert_snapshot!(fails(0, "hello", ""), @r#"`docker info` answered what is not understood: "hello": expected value at line 1 column 1"#);
        let failed = r#"{"ServerVersion":"","SecurityOptions":null,"Runtimes":null}"#;
        let reason = "Error response from daemon: open /var/lib/docker/x: input/output error\n";
        insta::assert_snapshot!(fails(0, failed, reason), @"`docker info` succeeded without an answer of the daemon: Error response from daemon: open /var/lib/docker/x: input/output error; look at the daemon's log (`journalctl -u docker`)");
        let reported = failed.replace("null}", r#"null,"ServerErrors":["the daemon stops"]}"#);
        insta::assert_snapshot!(fails(0, &reported, ""), @"`docker info` succeeded without an answer of the daemon: the daemon stops; look at the daemon's log (`journalctl -u docker`)");
        insta::assert_snapshot!(fails(0, "\n", ""), @"`docker info` succeeded and said nothing, so it is unknown who a container would run as; is the first `docker` on PATH Docker's?");
    }

    #[test]
    fn server_is_podman_only_if_a_component_says_so() {
        // Shortened answers of Podman 4.3.1, through Docker's client, and of Docker 20.10.
        let podman = r#"{"Components":[{"Name":"Podman Engine","Version":"4.3.1","Details":{}},{"Name":"Engine","Version":"4.3.1"}],"Version":"4.3.1"}"#;
        let docker = r#"{"Components":[{"Name":"Engine","Version":"20.10.24"},{"Name":"runc","Version":"1.1.5"}],"Version":"20.10.24"}"#;
        assert_eq!(Server::read(&answer(0, podman, "")).podman(), Some("4.3.1"));
        for other in [docker, "null", ""] {
            assert_eq!(Server::read(&answer(0, other, "")).podman(), None);
        }
    }

    #[test]
    fn podman_before_4_6_is_rootless_if_a_user_owns_its_socket() {
        let of = |security: &str, cgroups: &str, version: &str, address: &str| {
            let json = format!(r#"{{"SecurityOptions":[{security}],"CgroupVersion":"{cgroups}"}}"#);
            let info = Info::read(&answer(0, &json, "")).unwrap();
            podman_behind(&info, version, &Server::default(), address)
                .map(|engine| (engine.mode, engine.limits))
                .map_err(|error| format!("{error:#}"))
        };
        let rootless = r#""name=rootless""#;
        let without_limits = Ok((Mode::PodmanRootless, Limits::NONE));
        assert_eq!(of(rootless, "1", "4.6.0", "tcp://gpu7:2375"), without_limits);
        assert_eq!(of(rootless, "2", "5.8.6", ""), Ok((Mode::PodmanRootless, Limits::ALL)));
        let rootful = Ok((Mode::PodmanRootful, Limits::ALL));
        assert_eq!(of("", "1", "4.6.0", "unix:///nowhere"), rootful);
        assert_eq!(of("", "1", "4.3.1", "unix:///proc/1"), rootful);
        let remote = of("", "1", "4.3.1", "tcp://gpu7:2375").unwrap_err();
        insta::assert_snapshot!(remote, @r#"`docker` talks to Podman 4.3.1, which does not tell whether it is rootless, and so who a container would run as; use Podman's own client with --engine podman, or Podman 4.6: `docker` talks to "tcp://gpu7:2375", which is no socket of this machine"#);
    }
}
