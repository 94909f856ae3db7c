//! The image of a run, as the engine describes it, and the command that builds a missing one.

mod registry_digest;

use std::collections::BTreeMap;

use anyhow::{Context as _, bail};
use contract::{Flavour, IMAGE, label};
use host::process::{Captured, ask};
use serde::Deserialize;

use super::{Engine, PODMAN};

/// An image that the engine has.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LocalImage {
    /// Its flavour, if we built it.
    pub flavour: Option<Flavour>,
    /// Digest of its build inputs, if we built it.
    pub inputs: Option<String>,
    /// Version of its programs, if we built it.
    pub version: Option<String>,
    /// Its architecture, by Go's name; empty if unknown.
    pub architecture: String,
    /// Its image id: `sha256:` and 64 digits.
    pub id: Option<String>,
    /// Its digests, as `REPOSITORY@sha256:…`. Not every one is known to a registry.
    pub digests: Vec<String>,
    /// The repositories that it was pulled from, if the engine records them.
    pub pulled_from: Vec<String>,
}

impl Engine {
    /// What the engine knows of the image `reference`; `None` if it does not have it.
    ///
    /// # Errors
    /// When the engine does not answer, or its answer is not understood.
    pub fn ask_image(&self, reference: &str) -> anyhow::Result<Option<LocalImage>> {
        if !self.has_containers() {
            return Ok(None);
        }
        // A client fails on a field that is newer than itself, so all are asked for.
        let question = [&self.program, "image", "inspect", "--format", "{{json .}}", reference];
        parse(self.mode.engine(), reference, &ask(&question)?)
    }

    /// The command that builds `reference`, an image that no registry has.
    pub fn build_hint(&self, reference: &str) -> String {
        self.build_hint_for(reference, Flavour::of_image(reference))
    }

    fn build_hint_for(&self, reference: &str, flavour: Flavour) -> String {
        // `docker` is the default of --engine, even if Podman answers under that name.
        let engine = if self.program == PODMAN { " --engine podman" } else { "" };
        let command = format!("cargo xtask build-image --flavour {flavour}{engine}");
        let versioned = format!("{IMAGE}:{}-{flavour}", env!("CARGO_PKG_VERSION"));
        if [IMAGE, &flavour.image(), &versioned].contains(&reference) {
            return format!("build it with `{command}`");
        }
        format!("no build makes this tag; `{command}` makes `{}`", flavour.image())
    }

    /// Why the engine's machine cannot run its image `reference`, if it is for another architecture.
    pub fn architecture_mismatch(&self, reference: &str) -> Option<String> {
        let image = self.image.as_ref()?;
        let (theirs, own) = (&image.architecture, &self.architecture);
        if self.can_run(theirs) {
            return None;
        }
        let hint = match image.flavour {
            Some(flavour) => self.build_hint_for(reference, flavour),
            None => format!(
                "`{} pull --platform linux/{own} {reference}` fetches the one for {own}, if its \
                 registry has it",
                self.program
            ),
        };
        Some(format!(
            "made for {theirs}, and {} runs on {own}: its programs do not start there (\"exec format \
             error\"), or are emulated, and then the emulation is measured; {hint}",
            self.mode.engine()
        ))
    }

    /// A warning if the image `reference` was built by another version of this program.
    pub fn version_mismatch(&self, reference: &str) -> Option<String> {
        let own = env!("CARGO_PKG_VERSION");
        let image = self.image.as_ref()?;
        let version = image.version.as_ref().filter(|version| *version != own)?;
        let flavour = image.flavour.unwrap_or_else(|| Flavour::of_image(reference));
        Some(format!(
            "of version {version}, and this program is {own}: they may not understand each other; {}",
            self.build_hint_for(reference, flavour)
        ))
    }
}

/// Reads the answer to `image inspect`; `None` if the engine does not have the image.
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
    struct Config {
        labels: Option<BTreeMap<String, String>>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Identity {
        pull: Option<Vec<Pull>>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Pull {
        #[serde(default)]
        repository: String,
    }
    let Captured { code, stdout, stderr } = answer;
    if *code != 0 {
        // Docker adds "no such image" in lower case to any error about an image.
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
    let pulls = identity.and_then(|identity| identity.pull).unwrap_or_default();
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
        pulled_from: pulls.into_iter().map(|pull| pull.repository).collect(),
    }))
}

#[cfg(test)]
mod properties;

#[cfg(test)]
mod tests {
    use contract::Flavour;

    use host::process::Captured;

    use super::{LocalImage, parse};
    use crate::{Engine, Mode, testing::engine};

    fn image(code: i32, stdout: &str, stderr: &str) -> anyhow::Result<Option<LocalImage>> {
        let answer = Captured { code, stdout: stdout.to_owned(), stderr: stderr.to_owned() };
        parse("docker", "bench:1", &answer)
    }

    #[test]
    fn labels_and_digests_are_read_from_every_engines_answer() {
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
    fn image_is_missing_only_if_the_engine_says_so() {
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
    fn other_architecture_and_other_version_are_reported() {
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
        assert_eq!(good.architecture_mismatch("ai_energy_score:cpu"), None);
        assert_eq!(good.version_mismatch("ai_energy_score:cpu"), None);
        let bad = engine(ours, "arm64", "7.0");
        insta::assert_snapshot!(bad.architecture_mismatch("ai_energy_score:cpu").unwrap(), @r#"made for arm64, and docker runs on amd64: its programs do not start there ("exec format error"), or are emulated, and then the emulation is measured; build it with `cargo xtask build-image --flavour cpu`"#);
        insta::assert_snapshot!(bad.version_mismatch("ai_energy_score:cpu").unwrap(), @"of version 7.0, and this program is 0.1.0: they may not understand each other; build it with `cargo xtask build-image --flavour cpu`");
        let foreign = engine(None, "arm64", own).architecture_mismatch("bench:7").unwrap();
        insta::assert_snapshot!(foreign.split("; ").last().unwrap(), @"`docker pull --platform linux/amd64 bench:7` fetches the one for amd64, if its registry has it");
    }

    #[test]
    fn build_hint_names_the_flavour_and_the_engine() {
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
            assert_eq!(docker.build_hint(&reference), command, "{reference}");
        }
        let podman = engine(Mode::PodmanRootless);
        insta::assert_snapshot!(podman.build_hint("ai_energy_score:smoke"), @"build it with `cargo xtask build-image --flavour smoke --engine podman`");
        insta::assert_snapshot!(docker.build_hint("ai_energy_score:7"), @"no build makes this tag; `cargo xtask build-image --flavour cuda` makes `ai_energy_score:latest`");
    }
}
