//! The image of a run: what the engine knows of it, and how to come by one that is missing.

use std::collections::BTreeMap;

use anyhow::{Context as _, bail};
use contract::{Flavour, IMAGE, label};

use crate::process::Captured;

/// An image that the engine has.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LocalImage {
    /// Its flavour, if it is one of ours.
    pub flavour: Option<Flavour>,
    /// Digest of its inputs, if it is one of ours.
    pub inputs: Option<String>,
}

/// How to come by `reference`, an image that only we build.
pub(crate) fn remedy(reference: &str) -> String {
    let flavour = Flavour::of_image(reference);
    let command = format!("cargo xtask build-image --flavour {flavour}");
    let versioned = format!("{IMAGE}:{}-{flavour}", env!("CARGO_PKG_VERSION"));
    // Without a tag the name means `latest`, which is a flavour's own.
    if [IMAGE.to_owned(), flavour.image(), versioned].iter().any(|built| built == reference) {
        return format!("build it with `{command}`");
    }
    format!("no build makes this tag; `{command}` makes `{}`", flavour.image())
}

/// Reads the answer to the question for an image's labels; `None` when the engine does not have
/// the image.
pub(super) fn parse_labels(
    engine: &str,
    reference: &str,
    answer: &Captured,
) -> anyhow::Result<Option<LocalImage>> {
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
    let labels: Option<BTreeMap<String, String>> = match stdout.trim() {
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
mod properties;

#[cfg(test)]
mod tests {
    use contract::Flavour;

    use super::{LocalImage, parse_labels, remedy};
    use crate::process::Captured;

    fn labels(code: i32, stdout: &str, stderr: &str) -> anyhow::Result<Option<LocalImage>> {
        let answer = Captured { code, stdout: stdout.to_owned(), stderr: stderr.to_owned() };
        parse_labels("docker", "bench:1", &answer)
    }

    #[test]
    fn labels_tell_what_an_image_was_built_from() {
        let ours = r#"{"org.aienergyscore.flavour":"smoke","org.aienergyscore.inputs":"ab"}"#;
        let image = labels(0, ours, "").unwrap().unwrap();
        assert_eq!(image.flavour, Some(Flavour::Smoke));
        assert_eq!(image.inputs.as_deref(), Some("ab"));
        assert_eq!(labels(0, "null", "").unwrap(), Some(LocalImage::default()));
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
            assert_eq!(labels(1, "", stderr).unwrap(), None, "{stderr}");
        }
        let fails = |stderr| format!("{:#}", labels(1, "", stderr).unwrap_err());
        insta::assert_snapshot!(fails("Error response from daemon: no such image: Foo:x: invalid reference format: repository name must be lowercase\n"), @"asking docker for the image `bench:1` failed (exit code 1): Error response from daemon: no such image: Foo:x: invalid reference format: repository name must be lowercase");
        insta::assert_snapshot!(fails(""), @"asking docker for the image `bench:1` failed (exit code 1): it said nothing");
    }

    #[test]
    fn an_image_of_ours_is_built_by_the_command_of_its_flavour() {
        let version = env!("CARGO_PKG_VERSION");
        let cases = [
            ("ai_energy_score".to_owned(), "cuda"),
            ("ai_energy_score:latest".to_owned(), "cuda"),
            ("ai_energy_score:cpu".to_owned(), "cpu"),
            ("ai_energy_score:smoke".to_owned(), "smoke"),
            (format!("ai_energy_score:{version}-cpu"), "cpu"),
        ];
        for (reference, flavour) in cases {
            let command = format!("build it with `cargo xtask build-image --flavour {flavour}`");
            assert_eq!(remedy(&reference), command, "{reference}");
        }
        insta::assert_snapshot!(remedy("ai_energy_score:7"), @"no build makes this tag; `cargo xtask build-image --flavour cuda` makes `ai_energy_score:latest`");
    }
}
