//! What Docker says of itself: whether it answers, whether it is Docker, and how it runs.

use std::{collections::BTreeMap, thread};

use anyhow::{Context as _, anyhow, bail};
use serde::Deserialize;

use super::{
    Mode,
    image::{LocalImage, parse_labels},
};
use crate::process::{Captured, capture};

/// The client's program.
pub(super) const PROGRAM: &str = "docker";

/// One request that tells all that a plan needs. Podman's `docker` has no such fields and says so.
const INFO: &str = "{\"version\":{{json .ServerVersion}},\"security\":{{json .SecurityOptions}},\
                    \"runtimes\":{{json .Runtimes}}}";

/// What to do where `docker` is Podman.
const PODMAN_LATER: &str = "support for it comes later; until then choose a Docker daemon with \
                            DOCKER_HOST or `docker context use`, or do without a container with \
                            --engine host";

/// A Docker daemon that answers.
#[derive(Debug)]
pub(super) struct Docker {
    /// What it says of itself.
    pub(super) info: Info,
    labels: Captured,
}

/// What a Docker daemon says of itself.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Info {
    pub(super) version: String,
    pub(super) mode: Mode,
    pub(super) nvidia: bool,
}

impl Docker {
    /// Asks the daemon for itself and for the image `reference`.
    ///
    /// # Errors
    /// When no daemon answers, or it is not Docker's.
    pub(super) fn ask(reference: &str) -> anyhow::Result<Self> {
        let label = [PROGRAM, "image", "inspect", "--format", "{{json .Config.Labels}}", reference];
        // Asked side by side: each answer takes a client some 40 ms.
        let (info, version, labels) = thread::scope(|scope| {
            let labels = scope.spawn(|| capture(&label));
            let version =
                scope.spawn(|| capture(&[PROGRAM, "version", "--format", "{{json .Server}}"]));
            let info = capture(&[PROGRAM, "info", "--format", INFO]);
            (info, version.join(), labels.join())
        });
        let info = parse_info(&info?)?;
        let panicked = |_| anyhow!("a thread that asked docker panicked");
        refuse_podman(&version.map_err(panicked)??)?;
        Ok(Self { info, labels: labels.map_err(panicked)?? })
    }

    /// The image that was asked for, if the daemon has it.
    ///
    /// # Errors
    /// When it does not tell.
    pub(super) fn image(&self, reference: &str) -> anyhow::Result<Option<LocalImage>> {
        parse_labels(reference, &self.labels)
    }
}

/// Reads the answer to [`INFO`].
fn parse_info(answer: &Captured) -> anyhow::Result<Info> {
    #[derive(Deserialize)]
    struct Answer {
        version: Option<String>,
        security: Option<Vec<String>>,
        runtimes: Option<BTreeMap<String, serde_json::Value>>,
    }
    let Captured { code, stdout, stderr } = answer;
    if *code != 0 {
        let says = stderr.trim().lines().next().unwrap_or_default();
        if stderr.contains("SecurityOptions") {
            bail!("`docker` is Podman under another name ({says}); {PODMAN_LATER}");
        }
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
    let mode = match (has("rootless"), has("userns")) {
        (true, _) => Mode::DockerRootless,
        (false, true) => Mode::DockerUsernsRemap,
        (false, false) => Mode::DockerRootful,
    };
    let nvidia = answer.runtimes.is_some_and(|runtimes| runtimes.contains_key("nvidia"));
    Ok(Info { version: answer.version.unwrap_or_default(), mode, nvidia })
}

/// Refuses Podman's socket, which answers [`INFO`] like rootful Docker: before Podman 4.6 even
/// where it is rootless.
fn refuse_podman(version: &Captured) -> anyhow::Result<()> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Server {
        components: Vec<Component>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Component {
        name: String,
        version: String,
    }
    // Only a server that names itself is known to be Podman.
    let Ok(Server { components }) = serde_json::from_str(&version.stdout) else { return Ok(()) };
    match components.iter().find(|component| component.name == "Podman Engine") {
        Some(podman) => {
            bail!("`docker` talks to a socket of Podman {}; {PODMAN_LATER}", podman.version)
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::{Captured, Mode, parse_info, refuse_podman};

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
            let info = parse_info(&answer(0, &json, "")).unwrap();
            assert_eq!((info.mode, info.nvidia), (mode, false), "{security}");
        }
        let gpus = r#"{"version":"28.0","security":[],"runtimes":{"nvidia":{"path":"x"}}}"#;
        assert!(parse_info(&answer(0, gpus, "")).unwrap().nvidia);
    }

    #[test]
    fn an_engine_that_does_not_answer_is_quoted() {
        let fails = |code, stdout, stderr| {
            format!("{:#}", parse_info(&answer(code, stdout, stderr)).unwrap_err())
        };
        insta::assert_snapshot!(fails(1, "null", "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is it up?\nmore"), @"`docker info` failed (exit code 1): Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is it up?; is the daemon running, and are you in the group that may use it?");
        insta::assert_snapshot!(fails(125, "", "template: can't evaluate field SecurityOptions"), @"`docker` is Podman under another name (template: can't evaluate field SecurityOptions); support for it comes later; until then choose a Docker daemon with DOCKER_HOST or `docker context use`, or do without a container with --engine host");
        insta::assert_snapshot!(fails(0, "hello", ""), @r#"`docker info` answered what is not understood: "hello": expected value at line 1 column 1"#);
        insta::assert_snapshot!(fails(0, "\n", ""), @"`docker info` succeeded and said nothing, so it is unknown who a container would run as; is the first `docker` on PATH Docker's?");
    }

    #[test]
    fn a_socket_of_podman_is_told_from_dockers() {
        // Shortened answers of Podman 4.3.1, through Docker's client, and of Docker 20.10.
        let podman = r#"{"Components":[{"Name":"Podman Engine","Version":"4.3.1","Details":{}},{"Name":"Engine","Version":"4.3.1"}],"Version":"4.3.1"}"#;
        let docker = r#"{"Components":[{"Name":"Engine","Version":"20.10.24"},{"Name":"runc","Version":"1.1.5"}],"Version":"20.10.24"}"#;
        let refused = refuse_podman(&answer(0, podman, "")).unwrap_err().to_string();
        insta::assert_snapshot!(refused, @"`docker` talks to a socket of Podman 4.3.1; support for it comes later; until then choose a Docker daemon with DOCKER_HOST or `docker context use`, or do without a container with --engine host");
        for other in [docker, "null", ""] {
            refuse_podman(&answer(0, other, "")).unwrap();
        }
    }
}
