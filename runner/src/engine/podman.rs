//! What Podman says of itself.

use std::path::Path;

use anyhow::{Context as _, bail};
use serde::Deserialize;

use super::{
    Client, Limits, Mode, Nvidia, Place,
    answers::{Answers, Info},
    image, socket,
};
use crate::process::{self, Captured, both};

/// Asks `program` for itself and for the image `reference`.
///
/// # Errors
/// When it does not answer, or is not understood.
pub(super) fn ask(program: &'static str, reference: &str) -> anyhow::Result<Answers> {
    let question = [program, "image", "inspect", "--format", image::QUESTION, reference];
    // Asked side by side: the answer takes some 300 ms.
    let (info, image) =
        both(|| process::ask(&[program, "info", "--format", "json"]), || process::ask(&question));
    let (info, remote) = parse_info(program, &info?, Nvidia::of_podman())?;
    let place = if remote { Place::of(&address(program)?) } else { Place::Here };
    Ok(Answers { program, client: Client::Podman, info, image: image?, socket: None, place })
}

/// The address of the service that `program`, Podman's client, talks to.
fn address(program: &str) -> anyhow::Result<String> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    if let Some(address) = variable("CONTAINER_HOST") {
        return Ok(address);
    }
    let list = process::ask(&[program, "system", "connection", "list", "--format", "json"])?;
    Ok(address_of(&list.stdout, variable("CONTAINER_CONNECTION").as_deref()))
}

/// The address of the connection `named`, or of the one by default; empty if it is not listed.
fn address_of(list: &str, named: Option<&str>) -> String {
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

/// The limits of the Podman behind `socket`, if it tells: what it says to Docker's client is what the
/// machine has, not what is delegated to its user.
pub(super) fn limits_behind(socket: &Path) -> Option<Limits> {
    let answer = socket::get(socket, "/v4.0.0/libpod/info").ok()?;
    let answer = Captured { code: 0, stdout: answer.body, stderr: String::new() };
    parse_info("podman", &answer, Nvidia::No).ok().map(|(info, _)| info.limits)
}

/// Reads the answer to `podman info --format json`. How it hands over NVIDIA's GPUs is no part of it.
/// The second value is whether its client talks to a service.
fn parse_info(program: &str, answer: &Captured, nvidia: Nvidia) -> anyhow::Result<(Info, bool)> {
    #[derive(Deserialize)]
    struct Answer {
        host: Host,
        version: Version,
    }
    #[derive(Deserialize)]
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
    #[derive(Deserialize)]
    struct Runtime {
        name: String,
    }
    #[derive(Deserialize)]
    struct Security {
        rootless: bool,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Version {
        version: String,
    }
    let Captured { code, stdout, stderr: _ } = answer;
    if *code != 0 {
        bail!("`{program} info` failed (exit code {code}): {}", answer.complaint());
    }
    let Answer { host, version } = serde_json::from_str(stdout)
        .with_context(|| format!("`{program} info` answered what is not understood: {stdout:?}"))?;
    let rootless = host.security.rootless;
    let info = Info {
        version: version.version,
        mode: if rootless { Mode::PodmanRootless } else { Mode::PodmanRootful },
        runtime: host.oci_runtime.name,
        nvidia,
        limits: Limits::of_podman(
            rootless,
            &host.cgroup_version,
            host.cgroup_controllers.as_deref(),
        ),
        architecture: host.arch,
    };
    Ok((info, host.service_is_remote))
}

#[cfg(test)]
mod properties;

#[cfg(test)]
mod tests {
    use super::{Captured, Info, Limits, Mode, Nvidia, address_of, parse_info};

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
    fn the_mode_is_what_podman_reports() {
        let info = |rootless, cgroups| {
            parse_info("podman", &answer(rootless, cgroups), Nvidia::No).unwrap().0
        };
        let Info { version, mode, runtime, nvidia: _, limits, architecture } = info(true, "v1");
        let words = (version.as_str(), runtime.as_str(), architecture.as_str());
        assert_eq!(words, ("4.3.1", "runc", "amd64"));
        assert_eq!((mode, limits), (Mode::PodmanRootless, Limits::NONE));
        assert_eq!(info(true, "v2").limits, Limits::ALL);
        let rootful = info(false, "v1");
        assert_eq!((rootful.mode, rootful.limits), (Mode::PodmanRootful, Limits::ALL));
    }

    #[test]
    fn limits_are_what_is_delegated() {
        // Shortened answer of Podman 5.8.6 to a user without a session of systemd.
        let said = r#"{"host":{"arch":"amd64","cgroupManager":"cgroupfs","cgroupVersion":"v2","cgroupControllers":[],
            "ociRuntime":{"name":"crun"},"security":{"rootless":true}},"version":{"Version":"5.8.6"}}"#;
        let none = Captured { code: 0, stdout: said.to_owned(), stderr: String::new() };
        assert_eq!(parse_info("podman", &none, Nvidia::No).unwrap().0.limits, Limits::NONE);
    }

    #[test]
    fn the_service_is_that_of_the_connection() {
        let list = r#"[{"Name":"a","URI":"ssh://core@gpu7:22/run/podman.sock","Default":true},
            {"Name":"b","URI":"unix:///run/podman/podman.sock","Default":false}]"#;
        assert_eq!(address_of(list, None), "ssh://core@gpu7:22/run/podman.sock");
        assert_eq!(address_of(list, Some("b")), "unix:///run/podman/podman.sock");
        assert_eq!(address_of(list, Some("c")) + &address_of("", None), "");
        let remote = answer(true, "v2").stdout.replace("Remote\":false", "Remote\":true");
        let remote = Captured { stdout: remote, ..answer(true, "v2") };
        assert!(parse_info("podman", &remote, Nvidia::No).unwrap().1);
    }

    #[test]
    fn what_podman_complains_of_is_quoted() {
        let said = |code, stdout: &str, stderr: &str| {
            let (stdout, stderr) = (stdout.to_owned(), stderr.to_owned());
            let error =
                parse_info("podman", &Captured { code, stdout, stderr }, Nvidia::No).unwrap_err();
            format!("{error:#}")
        };
        insta::assert_snapshot!(said(125, "", "Error: mkdir /home/ada/.cache/containers: permission denied\n"), @"`podman info` failed (exit code 125): Error: mkdir /home/ada/.cache/containers: permission denied");
        insta::assert_snapshot!(said(0, "{}", ""), @r#"`podman info` answered what is not understood: "{}": missing field `host` at line 1 column 2"#);
    }
}
