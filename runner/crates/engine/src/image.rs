//! The image of a run: what the engine knows of it, and how to come by one that is missing.

mod origin;

use std::collections::BTreeMap;

use anyhow::{Context as _, bail};
use contract::{Flavour, IMAGE, label};
use host::process::{Captured, ask};
use serde::Deserialize;

use super::{Engine, PODMAN};

/// An image that the engine has.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LocalImage {
    /// Its flavour, if it is one of ours.
    pub flavour: Option<Flavour>,
    /// Digest of its inputs, if it is one of ours.
    pub inputs: Option<String>,
    /// Version of the programs in it, if it is one of ours.
    pub version: Option<String>,
    /// The kind of processor it is made for, by Go's name; empty when it is not told.
    pub architecture: String,
    /// Its id on this machine, `sha256:` and 64 digits.
    pub id: Option<String>,
    /// Its digests, as `REPOSITORY@sha256:…`. An engine also has some that no registry knows.
    pub digests: Vec<String>,
    /// The repositories that it was pulled from, as far as the engine keeps that.
    pub pulled_from: Vec<String>,
}

/// All that is known of an image. A field by its name would fail with a client that is older than it.
const ALL: &str = "{{json .}}";

impl Engine {
    /// What it says of the image `reference`; `None` when it does not have it.
    ///
    /// # Errors
    /// When it does not answer, or is not understood.
    pub fn ask_image(&self, reference: &str) -> anyhow::Result<Option<LocalImage>> {
        if !self.has_containers() {
            return Ok(None);
        }
        let question = [&self.program, "image", "inspect", "--format", ALL, reference];
        parse(self.mode.engine(), reference, &ask(&question)?)
    }
}

/// How to come by `reference`, an image that only we build, on `engine`.
pub fn remedy(engine: &Engine, reference: &str) -> String {
    remedy_of(engine, reference, Flavour::of_image(reference))
}

fn remedy_of(engine: &Engine, reference: &str, flavour: Flavour) -> String {
    // Without a word it is built by what `docker` is, if that answers.
    let by = if engine.program == PODMAN { " --engine podman" } else { "" };
    let command = format!("cargo xtask build-image --flavour {flavour}{by}");
    let versioned = format!("{IMAGE}:{}-{flavour}", env!("CARGO_PKG_VERSION"));
    // Without a tag the name means `latest`, which is a flavour's own.
    if [IMAGE.to_owned(), flavour.image(), versioned].iter().any(|built| built == reference) {
        return format!("build it with `{command}`");
    }
    format!("no build makes this tag; `{command}` makes `{}`", flavour.image())
}

/// Why the engine cannot run the image `reference`, which it has.
pub fn unfit(engine: &Engine, reference: &str) -> Option<String> {
    let image = engine.image.as_ref()?;
    let (theirs, own) = (&image.architecture, &engine.architecture);
    if engine.runs(theirs) {
        return None;
    }
    let remedy = match image.flavour {
        Some(flavour) => remedy_of(engine, reference, flavour),
        None => format!(
            "`{} pull --platform linux/{own} {reference}` fetches the one for {own}, if its registry \
             has it",
            engine.program
        ),
    };
    Some(format!(
        "made for {theirs}, and {} runs on {own}: its programs do not start there (\"exec format \
         error\"), or are emulated, and then the emulation is measured; {remedy}",
        engine.mode.engine()
    ))
}

/// What may go wrong with the image `reference` because it is not of this program's version.
pub fn of_another_version(engine: &Engine, reference: &str) -> Option<String> {
    let own = env!("CARGO_PKG_VERSION");
    let image = engine.image.as_ref()?;
    let version = image.version.as_ref().filter(|version| *version != own)?;
    let flavour = image.flavour.unwrap_or_else(|| Flavour::of_image(reference));
    Some(format!(
        "of version {version}, and this program is {own}: they may not understand each other; {}",
        remedy_of(engine, reference, flavour)
    ))
}

/// Reads what an engine says of an image; `None` when it does not have it.
fn parse(engine: &str, reference: &str, answer: &Captured) -> anyhow::Result<Option<LocalImage>> {
    #[derive(Deserialize, Default)]
    #[serde(rename_all = "PascalCase", default)]
    struct Answer {
        architecture: String,
        id: String,
        repo_digests: Option<Vec<String>>,
        config: Option<Config>,
        identity: Option<Identity>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Identity {
        pull: Option<Vec<Pulled>>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Pulled {
        #[serde(default)]
        repository: String,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Config {
        labels: Option<BTreeMap<String, String>>,
    }
    let Captured { code, stdout, stderr } = answer;
    if *code != 0 {
        // A daemon adds "no such image" in lower case to whatever it refuses about an image.
        if stderr.contains("No such image") || stderr.contains("image not known") {
            return Ok(None);
        }
        bail!(
            "asking {engine} for the image `{reference}` failed (exit code {code}): {}",
            answer.complaint()
        );
    }
    let reading = || format!("reading what is said of the image `{reference}` from {stdout:?}");
    let Answer { architecture, id, repo_digests, config, identity } = match stdout.trim() {
        "" => Answer::default(),
        // Podman 4.3 prints a list.
        text if text.starts_with('[') => serde_json::from_str::<Vec<Answer>>(text)
            .with_context(reading)?
            .pop()
            .unwrap_or_default(),
        text => serde_json::from_str(text).with_context(reading)?,
    };
    let labels = config.and_then(|config| config.labels).unwrap_or_default();
    let flavour = labels.get(label::FLAVOUR).and_then(|name| name.parse().ok());
    Ok(Some(LocalImage {
        flavour,
        inputs: labels.get(label::INPUTS).cloned(),
        version: flavour.and_then(|_| labels.get(label::VERSION).cloned()),
        architecture,
        // Podman leaves the name of the digest out.
        id: match id.as_str() {
            "" => None,
            id if id.contains(':') => Some(id.to_owned()),
            id => Some(format!("sha256:{id}")),
        },
        digests: repo_digests.unwrap_or_default(),
        pulled_from: {
            let pulled = identity.and_then(|identity| identity.pull).unwrap_or_default();
            pulled.into_iter().map(|pulled| pulled.repository).collect()
        },
    }))
}

#[cfg(test)]
mod properties;

#[cfg(test)]
mod tests {
    use contract::Flavour;

    use super::{LocalImage, of_another_version, parse, remedy, unfit};
    use host::process::Captured;

    use crate::{Engine, Mode, testing::engine};

    fn image(code: i32, stdout: &str, stderr: &str) -> anyhow::Result<Option<LocalImage>> {
        let answer = Captured { code, stdout: stdout.to_owned(), stderr: stderr.to_owned() };
        parse("docker", "bench:1", &answer)
    }

    #[test]
    fn an_image_tells_what_it_is_and_was_built_from() {
        let labels = r#""org.aienergyscore.flavour":"smoke","org.aienergyscore.inputs":"ab","org.opencontainers.image.version":"7.0""#;
        let ours = format!(
            r#"{{"Architecture":"arm64","Id":"ab","RepoDigests":["r/x@sha256:cd"],"Config":{{"Labels":{{{labels}}}}}}}"#
        );
        let expected = LocalImage {
            flavour: Some(Flavour::Smoke),
            inputs: Some("ab".to_owned()),
            version: Some("7.0".to_owned()),
            architecture: "arm64".to_owned(),
            id: Some("sha256:ab".to_owned()),
            digests: vec!["r/x@sha256:cd".to_owned()],
            pulled_from: vec![],
        };
        assert_eq!(image(0, &ours, "").unwrap(), Some(expected.clone()));
        let whole = format!(
            r#"{{"Architecture":"arm64","Id":"sha256:ab","RepoDigests":["r/x@sha256:cd"],"Config":{{"Labels":{{{labels}}}}},
                "Identity":{{"Pull":[{{"Repository":"r/x"}}]}}}}"#
        );
        let pulled = LocalImage { pulled_from: vec!["r/x".to_owned()], ..expected };
        assert_eq!(image(0, &whole, "").unwrap(), Some(pulled.clone()), "of Docker 29");
        assert_eq!(
            image(0, &format!("[\n{whole}\n]\n"), "").unwrap(),
            Some(pulled),
            "of Podman 4.3"
        );
        let others = r#"{"Config":{"Labels":{"org.opencontainers.image.version":"7.0"}}}"#;
        for nothing in [others, r#"{"Architecture":"","Config":{"Labels":null}}"#, "{}", ""] {
            assert_eq!(image(0, nothing, "").unwrap(), Some(LocalImage::default()), "{nothing}");
        }
    }

    #[test]
    fn an_image_is_missing_only_if_the_engine_says_so() {
        let missing = [
            "Error response from daemon: no such image: bench:1: No such image: bench:1",
            "Error: No such image: bench:1",
            // Podman 4.3, and its socket by way of Docker's client.
            "Error: inspecting object: bench:1: image not known",
            "Error response from daemon: failed to find image bench:1: docker.io/library/bench:1: No such image",
        ];
        for stderr in missing {
            assert_eq!(image(1, "", stderr).unwrap(), None, "{stderr}");
        }
        let fails = |stderr| format!("{:#}", image(1, "", stderr).unwrap_err());
        insta::assert_snapshot!(fails("Error response from daemon: no such image: Foo:x: invalid reference format: repository name must be lowercase\n"), @"asking docker for the image `bench:1` failed (exit code 1): Error response from daemon: no such image: Foo:x: invalid reference format: repository name must be lowercase");
        insta::assert_snapshot!(fails(""), @"asking docker for the image `bench:1` failed (exit code 1): it said nothing");
    }

    #[test]
    fn what_an_image_is_made_for_must_be_what_is_there() {
        let engine = |flavour, architecture: &str, version: &str| Engine {
            architecture: "amd64".to_owned(),
            image: Some(LocalImage {
                flavour,
                architecture: architecture.to_owned(),
                version: Some(version.to_owned()),
                ..LocalImage::default()
            }),
            ..engine(Mode::DockerRootful)
        };
        let (ours, own) = (Some(Flavour::Cpu), env!("CARGO_PKG_VERSION"));
        let good = engine(ours, "amd64", own);
        assert_eq!(unfit(&good, "ai_energy_score:cpu"), None);
        assert_eq!(of_another_version(&good, "ai_energy_score:cpu"), None);
        let bad = engine(ours, "arm64", "7.0");
        insta::assert_snapshot!(unfit(&bad, "ai_energy_score:cpu").unwrap(), @r#"made for arm64, and docker runs on amd64: its programs do not start there ("exec format error"), or are emulated, and then the emulation is measured; build it with `cargo xtask build-image --flavour cpu`"#);
        insta::assert_snapshot!(of_another_version(&bad, "ai_energy_score:cpu").unwrap(), @"of version 7.0, and this program is 0.1.0: they may not understand each other; build it with `cargo xtask build-image --flavour cpu`");
        let foreign = unfit(&engine(None, "arm64", own), "bench:7").unwrap();
        insta::assert_snapshot!(foreign.split("; ").last().unwrap(), @"`docker pull --platform linux/amd64 bench:7` fetches the one for amd64, if its registry has it");
    }

    #[test]
    fn an_image_of_ours_is_built_by_the_command_of_its_flavour() {
        let version = env!("CARGO_PKG_VERSION");
        let docker = engine(Mode::DockerRootful);
        let cases = [
            ("ai_energy_score".to_owned(), "cuda"),
            ("ai_energy_score:latest".to_owned(), "cuda"),
            ("ai_energy_score:cpu".to_owned(), "cpu"),
            ("ai_energy_score:smoke".to_owned(), "smoke"),
            (format!("ai_energy_score:{version}-cpu"), "cpu"),
        ];
        for (reference, flavour) in cases {
            let command = format!("build it with `cargo xtask build-image --flavour {flavour}`");
            assert_eq!(remedy(&docker, &reference), command, "{reference}");
        }
        let podman = engine(Mode::PodmanRootless);
        insta::assert_snapshot!(remedy(&podman, "ai_energy_score:smoke"), @"build it with `cargo xtask build-image --flavour smoke --engine podman`");
        insta::assert_snapshot!(remedy(&docker, "ai_energy_score:7"), @"no build makes this tag; `cargo xtask build-image --flavour cuda` makes `ai_energy_score:latest`");
    }
}
