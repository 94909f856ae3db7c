//! Detects Podman from the answers of its own client.

use anyhow::{Context as _, bail};
use host::{
    environment::Environment,
    process::{self, Captured},
};
use serde::Deserialize;

use super::{Client, Engine, Limits, Location, Mode, Nvidia};

/// Detects the engine that `program`, Podman's client, talks to.
///
/// # Errors
/// When `info` fails or times out, or its output has an unknown format.
pub(super) fn ask(program: &str) -> anyhow::Result<Engine> {
    engine(program, &process::ask(&[program, "info", "--format", "json"])?)
}

/// Whether this output of `info` is from Podman's own client. Docker's client has other fields.
pub(super) fn is_own(answer: &Captured) -> bool {
    let answer = serde_json::from_str::<serde_json::Value>(&answer.stdout);
    answer.is_ok_and(|answer| answer["host"].is_object())
}

/// The engine behind the client `program`, by its output of `info`.
///
/// # Errors
/// When the output has an unknown format, or the connections of a remote client cannot be listed.
pub(super) fn engine(program: &str, answer: &Captured) -> anyhow::Result<Engine> {
    let Info { host, version } = Info::read(program, answer)?;
    let rootless = host.security.rootless;
    let controllers = host.cgroup_controllers.as_deref();
    Ok(Engine {
        program: program.to_owned(),
        client: Client::Podman,
        mode: if rootless { Mode::PodmanRootless } else { Mode::PodmanRootful },
        version: version.version,
        runtime: host.oci_runtime.name,
        nvidia: Nvidia::of_podman(),
        limits: Limits::of_podman(rootless, &host.cgroup_version, controllers),
        architecture: host.arch,
        image: None,
        location: if host.service_is_remote {
            Location::of(&service_address(program)?)
        } else {
            Location::ThisMachine
        },
    })
}

/// The address of the service that `program`, Podman's client, talks to.
fn service_address(program: &str) -> anyhow::Result<String> {
    let env = Environment::of_process();
    if let Some(address) = env.text("CONTAINER_HOST") {
        return Ok(address);
    }
    let list = process::ask(&[program, "system", "connection", "list", "--format", "json"])?;
    Ok(connection_address(&list.stdout, env.text("CONTAINER_CONNECTION").as_deref()))
}

/// The address of the connection `named`, or else of the default one; empty if it is not listed.
fn connection_address(list: &str, named: Option<&str>) -> String {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Connection {
        name: String,
        #[serde(rename = "URI")]
        uri: String,
        #[serde(default)]
        default: bool,
    }
    let connections: Vec<Connection> = serde_json::from_str(list).unwrap_or_default();
    let is_chosen = |it: &Connection| named.map_or(it.default, |named| it.name == named);
    connections.into_iter().find(is_chosen).map_or_else(String::new, |chosen| chosen.uri)
}

/// The fields of `podman info --format json` that describe the engine.
#[derive(Debug, Deserialize)]
struct Info {
    host: Host,
    version: Version,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Host {
    #[serde(default)]
    arch: String,
    cgroup_version: String,
    cgroup_controllers: Option<Vec<String>>,
    oci_runtime: Runtime,
    security: Security,
    #[serde(default)]
    service_is_remote: bool,
}

#[derive(Debug, Deserialize)]
struct Runtime {
    name: String,
}

#[derive(Debug, Deserialize)]
struct Security {
    rootless: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Version {
    version: String,
}

impl Info {
    fn read(program: &str, answer: &Captured) -> anyhow::Result<Self> {
        let Captured { code, stdout, stderr: _ } = answer;
        if *code != 0 {
            bail!("`{program} info` failed (exit code {code}): {}", answer.complaint());
        }
        serde_json::from_str(stdout).with_context(|| {
            format!("`{program} info` answered what is not understood: {stdout:?}")
        })
    }
}

#[cfg(test)]
mod properties;

#[cfg(test)]
mod tests {
    use super::{Captured, Info, Limits, Mode, connection_address, engine, is_own};

    /// A shortened answer of Podman 4.3.1.
    fn answer(rootless: bool, cgroups: &str) -> Captured {
        let stdout = format!(
            r#"{{"host":{{"arch":"amd64","cgroupVersion":"{cgroups}","ociRuntime":{{"name":"runc","path":"/usr/bin/runc"}},
            "security":{{"rootless":{rootless},"seccompEnabled":true}},"serviceIsRemote":false}},
            "version":{{"APIVersion":"4.3.1","Version":"4.3.1"}}}}"#
        );
        Captured { code: 0, stdout, stderr: String::new() }
    }

    #[test]
    fn mode_and_limits_are_what_podman_reports() {
        let of = |rootless, cgroups| engine("podman", &answer(rootless, cgroups)).unwrap();
        let rootless = of(true, "v1");
        assert_eq!((&*rootless.version, &*rootless.runtime), ("4.3.1", "runc"));
        assert_eq!((rootless.mode, rootless.limits), (Mode::PodmanRootless, Limits::NONE));
        assert_eq!((&*rootless.architecture, of(true, "v2").limits), ("amd64", Limits::ALL));
        let rootful = of(false, "v1");
        assert_eq!((rootful.mode, rootful.limits), (Mode::PodmanRootful, Limits::ALL));
    }

    #[test]
    fn limits_are_unsupported_without_delegated_controllers() {
        // Shortened answer of Podman 5.8.6 to a user without a session of systemd.
        let said = r#"{"host":{"arch":"amd64","cgroupManager":"cgroupfs","cgroupVersion":"v2","cgroupControllers":[],
            "ociRuntime":{"name":"crun"},"security":{"rootless":true}},"version":{"Version":"5.8.6"}}"#;
        let none = Captured { code: 0, stdout: said.to_owned(), stderr: String::new() };
        assert_eq!(engine("podman", &none).unwrap().limits, Limits::NONE);
    }

    #[test]
    fn podmans_client_is_distinguished_from_dockers() {
        assert!(is_own(&answer(true, "v2")));
        for other in ["null", "{}", r#"{"ServerVersion":"28.5.2","SecurityOptions":[]}"#, ""] {
            let other = Captured { stdout: other.to_owned(), ..answer(true, "v2") };
            assert!(!is_own(&other), "{other:?}");
        }
    }

    #[test]
    fn service_address_is_that_of_the_connection() {
        let list = r#"[{"Name":"a","URI":"ssh://core@gpu7:22/run/podman.sock","Default":true},
            {"Name":"b","URI":"unix:///run/podman/podman.sock","Default":false}]"#;
        assert_eq!(connection_address(list, None), "ssh://core@gpu7:22/run/podman.sock");
        assert_eq!(connection_address(list, Some("b")), "unix:///run/podman/podman.sock");
        assert_eq!(connection_address(list, Some("c")) + &connection_address("", None), "");
        let remote = answer(true, "v2").stdout.replace("Remote\":false", "Remote\":true");
        let remote = Captured { stdout: remote, ..answer(true, "v2") };
        assert!(Info::read("podman", &remote).unwrap().host.service_is_remote);
    }

    #[test]
    fn podmans_error_is_quoted() {
        let said = |code, stdout: &str, stderr: &str| {
            let (stdout, stderr) = (stdout.to_owned(), stderr.to_owned());
            format!("{:#}", engine("podman", &Captured { code, stdout, stderr }).unwrap_err())
        };
        insta::assert_snapshot!(said(125, "", "Error: mkdir /home/ada/.cache/containers: permission denied\n"), @"`podman info` failed (exit code 125): Error: mkdir /home/ada/.cache/containers: permission denied");
        insta::assert_snapshot!(said(0, "{}", ""), @r#"`podman info` answered what is not understood: "{}": missing field `host` at line 1 column 2"#);
    }
}
