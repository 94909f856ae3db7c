//! Which engine really answers, and how it runs containers.

use std::{collections::BTreeMap, thread};

use anyhow::{Context as _, anyhow, bail};
use contract::{Backend, Flavour, label};
use serde::Deserialize;

use super::{Engine, LocalImage, Mode};
use crate::{
    host::Host,
    options::{EngineChoice, RunOptions},
    process::{Captured, capture},
};

/// One request that tells all that a plan needs. Podman's `docker` has no such fields and says so.
const INFO: &str = "{\"version\":{{json .ServerVersion}},\"security\":{{json .SecurityOptions}},\
                    \"runtimes\":{{json .Runtimes}}}";

/// The chosen engine, and what the user should hear about the choice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detected {
    /// The engine.
    pub engine: Engine,
    /// Which and why, in one line.
    pub why: String,
    /// What is uncertain about it.
    pub warning: Option<String>,
}

/// Finds the engine that `options` asks for.
///
/// # Errors
/// When it does not answer, or answers what is not understood.
pub fn detect(options: &RunOptions, host: &Host) -> anyhow::Result<Detected> {
    match options.engine {
        EngineChoice::Docker => docker(options, "asked for"),
        EngineChoice::Host => host_engine(host, "asked for"),
        EngineChoice::Auto => {
            let refused = match docker(options, "it answers") {
                Ok(detected) => return Ok(detected),
                Err(error) => error,
            };
            if !host_will_do(options) {
                return Err(refused.context("no container engine for this backend and image"));
            }
            let detected = host_engine(host, "no container engine answers")
                .with_context(|| format!("no engine at all: {refused:#}"))?;
            Ok(Detected { warning: Some(format!("no container: {refused:#}")), ..detected })
        }
    }
}

/// Whether a run without a container is what was asked for: another backend, or an image of
/// another, would be another measurement.
fn host_will_do(options: &RunOptions) -> bool {
    match options.backend {
        Some(backend) => backend == Backend::Native,
        None => !options.image_chosen || Flavour::of_image(&options.image) == Flavour::Smoke,
    }
}

fn docker(options: &RunOptions, why: &str) -> anyhow::Result<Detected> {
    const PROGRAM: &str = "docker";
    const LABELS: &str = "{{json .Config.Labels}}";
    // Asked side by side: each answer takes a client some 40 ms.
    let (info, labels) = thread::scope(|scope| {
        let labels = scope
            .spawn(|| capture(&[PROGRAM, "image", "inspect", "--format", LABELS, &options.image]));
        (capture(&[PROGRAM, "info", "--format", INFO]), labels.join())
    });
    let (info, warning) = parse_info(&info?)?;
    let labels = labels.map_err(|_| anyhow!("the thread that asked for the image panicked"))??;
    Ok(Detected {
        why: format!("docker {} ({}): {why}", info.version, info.mode),
        engine: Engine {
            program: PROGRAM.to_owned(),
            mode: info.mode,
            version: info.version,
            nvidia: info.nvidia,
            image: parse_labels(&labels)?,
        },
        warning,
    })
}

fn host_engine(host: &Host, why: &str) -> anyhow::Result<Detected> {
    let Some(program) = host.entrypoint.as_ref().filter(|program| program.is_file()) else {
        bail!(
            "the program of the host engine, `{}`, was not found beside the runner or on PATH; \
             build it with `cargo xtask smoke`, or name it in {}",
            contract::ENTRYPOINT,
            contract::env::ENTRYPOINT
        );
    };
    let program = program.to_str().context("the path of the host engine's program is not UTF-8")?;
    Ok(Detected {
        engine: Engine {
            program: program.to_owned(),
            mode: Mode::Host,
            version: String::new(),
            nvidia: host.nvidia_gpus > 0,
            image: None,
        },
        why: format!("host, without a container: {why}"),
        warning: None,
    })
}

/// What a Docker daemon says of itself.
#[derive(Debug, PartialEq, Eq)]
struct Info {
    version: String,
    mode: Mode,
    nvidia: bool,
}

/// Reads the answer to [`INFO`]. The second value is a doubt that the user should hear of.
fn parse_info(answer: &Captured) -> anyhow::Result<(Info, Option<String>)> {
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
            bail!("`docker` is Podman under another name, which is not supported yet: {says}");
        }
        bail!(
            "`docker info` failed (exit code {code}): {says}; is the daemon running, and are \
               you in the group that may use it?"
        );
    }
    let unknown = || format!("`docker info` answered what is not understood: {stdout:?}");
    if stdout.trim().is_empty() {
        let info = Info { version: String::new(), mode: Mode::DockerRootful, nvidia: false };
        let doubt = "`docker info` succeeded and said nothing; it is taken for rootful Docker";
        return Ok((info, Some(doubt.to_owned())));
    }
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
    Ok((Info { version: answer.version.unwrap_or_default(), mode, nvidia }, None))
}

/// Reads the image's labels; `None` when the engine does not have the image.
fn parse_labels(answer: &Captured) -> anyhow::Result<Option<LocalImage>> {
    if answer.code != 0 {
        return Ok(None);
    }
    let labels: Option<BTreeMap<String, String>> = match answer.stdout.trim() {
        "" => None,
        text => serde_json::from_str(text)
            .with_context(|| format!("reading the image's labels from {text:?}"))?,
    };
    let labels = labels.unwrap_or_default();
    Ok(Some(LocalImage {
        flavour: labels.get(label::FLAVOUR).and_then(|name| name.parse().ok()),
        inputs: labels.get(label::INPUTS).cloned(),
    }))
}

#[cfg(test)]
mod tests {
    use contract::{Backend, Flavour};

    use super::{Captured, Mode, host_will_do, parse_info, parse_labels};
    use crate::{
        options::{Request, RunOptions},
        testing::host,
    };

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
            let (info, doubt) = parse_info(&answer(0, &json, "")).unwrap();
            assert_eq!((info.mode, info.nvidia, doubt), (mode, false, None), "{security}");
        }
        let gpus = r#"{"version":"28.0","security":[],"runtimes":{"nvidia":{"path":"x"}}}"#;
        assert!(parse_info(&answer(0, gpus, "")).unwrap().0.nvidia);
    }

    #[test]
    fn an_engine_that_does_not_answer_is_quoted() {
        let fails = |code, stdout, stderr| {
            format!("{:#}", parse_info(&answer(code, stdout, stderr)).unwrap_err())
        };
        insta::assert_snapshot!(fails(1, "null", "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is it up?\nmore"), @"`docker info` failed (exit code 1): Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is it up?; is the daemon running, and are you in the group that may use it?");
        insta::assert_snapshot!(fails(125, "", "template: can't evaluate field SecurityOptions"), @"`docker` is Podman under another name, which is not supported yet: template: can't evaluate field SecurityOptions");
        insta::assert_snapshot!(fails(0, "hello", ""), @r#"`docker info` answered what is not understood: "hello": expected value at line 1 column 1"#);
        let (info, doubt) = parse_info(&answer(0, "\n", "")).unwrap();
        assert_eq!(info.mode, Mode::DockerRootful);
        assert!(doubt.is_some());
    }

    #[test]
    fn only_a_native_run_may_do_without_its_container() {
        let cases = [
            (Request::default(), true),
            (Request { flavour: Some(Flavour::Smoke), ..Request::default() }, true),
            (Request { flavour: Some(Flavour::Cuda), ..Request::default() }, false),
            (Request { image: Some("bench:7".into()), ..Request::default() }, false),
            (Request { backend: Some(Backend::Native), ..Request::default() }, true),
            (Request { backend: Some(Backend::Pytorch), ..Request::default() }, false),
        ];
        for (request, expected) in cases {
            let options = RunOptions::new(request.clone(), &host()).unwrap();
            assert_eq!(host_will_do(&options), expected, "{request:?}");
        }
    }

    #[test]
    fn labels_tell_what_an_image_was_built_from() {
        let ours = r#"{"org.aienergyscore.flavour":"smoke","org.aienergyscore.inputs":"ab"}"#;
        let image = parse_labels(&answer(0, ours, "")).unwrap().unwrap();
        assert_eq!(image.flavour, Some(contract::Flavour::Smoke));
        assert_eq!(image.inputs.as_deref(), Some("ab"));
        assert_eq!(parse_labels(&answer(0, "null", "")).unwrap(), Some(Default::default()));
        assert_eq!(parse_labels(&answer(1, "", "No such image")).unwrap(), None);
    }
}
