//! What Podman says of itself.

use std::path::Path;

use anyhow::{Context as _, bail};
use serde::Deserialize;

use super::{
    Client, Mode, Place,
    answers::{Answers, Info},
    image,
};
use crate::process::{self, Captured, both};

/// Where descriptions of devices lie that Podman can hand over (the Container Device Interface).
const DEVICES: [&str; 2] = ["/etc/cdi", "/var/run/cdi"];

/// How the devices of NVIDIA's GPUs are called there.
const NVIDIA: &str = "nvidia.com/gpu";

/// Asks `program` for itself and for the image `reference`.
///
/// # Errors
/// When it does not answer, or is not understood.
pub(super) fn ask(program: &'static str, reference: &str) -> anyhow::Result<Answers> {
    let question = [program, "image", "inspect", "--format", image::QUESTION, reference];
    // Asked side by side: the answer takes some 300 ms.
    let (info, image) =
        both(|| process::ask(&[program, "info", "--format", "json"]), || process::ask(&question));
    let nvidia = DEVICES.iter().any(|folder| describes_nvidia(Path::new(folder)));
    let (info, remote) = parse_info(program, &info?, nvidia)?;
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

/// Reads the answer to `podman info --format json`. Whether it knows of NVIDIA's GPUs is no part of it.
/// The second value is whether its client talks to a service.
fn parse_info(program: &str, answer: &Captured, nvidia: bool) -> anyhow::Result<(Info, bool)> {
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
        limits: !rootless || host.cgroup_version != "v1",
        architecture: host.arch,
    };
    Ok((info, host.service_is_remote))
}

/// Whether a file in `folder` describes NVIDIA's GPUs.
fn describes_nvidia(folder: &Path) -> bool {
    let files = folder.read_dir().into_iter().flatten().flatten();
    files
        .filter_map(|file| std::fs::read_to_string(file.path()).ok())
        .any(|text| text.contains(NVIDIA))
}

#[cfg(test)]
mod properties;

#[cfg(test)]
mod tests {
    use super::{Captured, Info, Mode, address_of, describes_nvidia, parse_info};

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
        let info =
            |rootless, cgroups| parse_info("podman", &answer(rootless, cgroups), false).unwrap().0;
        let Info { version, mode, runtime, nvidia: _, limits, architecture } = info(true, "v1");
        let words = (version.as_str(), runtime.as_str(), architecture.as_str());
        assert_eq!(words, ("4.3.1", "runc", "amd64"));
        assert_eq!((mode, limits), (Mode::PodmanRootless, false));
        assert!(info(true, "v2").limits);
        assert_eq!((info(false, "v1").mode, info(false, "v1").limits), (Mode::PodmanRootful, true));
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
        assert!(parse_info("podman", &remote, false).unwrap().1);
    }

    #[test]
    fn what_podman_complains_of_is_quoted() {
        let said = |code, stdout: &str, stderr: &str| {
            let (stdout, stderr) = (stdout.to_owned(), stderr.to_owned());
            let error =
                parse_info("podman", &Captured { code, stdout, stderr }, false).unwrap_err();
            format!("{error:#}")
        };
        insta::assert_snapshot!(said(125, "", "Error: mkdir /home/ada/.cache/containers: permission denied\n"), @"`podman info` failed (exit code 125): Error: mkdir /home/ada/.cache/containers: permission denied");
        insta::assert_snapshot!(said(0, "{}", ""), @r#"`podman info` answered what is not understood: "{}": missing field `host` at line 1 column 2"#);
    }

    #[test]
    fn gpus_are_those_that_a_file_describes() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!describes_nvidia(folder.path()) && !describes_nvidia(&folder.path().join("no")));
        std::fs::write(folder.path().join("a.yaml"), "kind: nvidia.com/gpu\n").unwrap();
        assert!(describes_nvidia(folder.path()));
    }
}
