//! Docker or Podman as the builder and store of images.

mod image;

use std::path::Path;

use anyhow::{Context as _, anyhow, bail};
use contract::{Flavour, label};
use engine::Engine;
use xshell::{Shell, cmd};

pub(super) use self::image::LocalImage;
use super::labels::{self, Base};
use crate::process;

/// An engine that builds and stores images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Builder {
    /// Name or path of its client.
    program: String,
}

impl Builder {
    /// The builder of the engine that runs containers.
    pub(crate) fn of(engine: &Engine) -> Self {
        Self { program: engine.program.clone() }
    }

    /// The requested engine, or the first of Docker and Podman that answers.
    ///
    /// # Errors
    /// When no engine answers.
    pub(super) fn find(sh: &Shell, requested: Option<&str>) -> anyhow::Result<Self> {
        let programs = requested.map_or(vec!["docker", "podman"], |program| vec![program]);
        let mut errors = vec![];
        for program in programs {
            let builder = Self { program: program.to_owned() };
            match builder.inspect(sh, &[Flavour::Smoke.image()]) {
                Ok(_) => return Ok(builder),
                Err(error) => errors.push(format!("{error:#}")),
            }
        }
        Err(anyhow!(
            "{}; without a container: `cargo xtask smoke --engine host`",
            errors.join("; nor does Podman serve: ")
        ))
    }

    /// Name or path of the client.
    pub(super) fn program(&self) -> &str {
        &self.program
    }

    /// Inspects images. Images that the engine does not have are missing from the result.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub(super) fn inspect(&self, sh: &Shell, images: &[String]) -> anyhow::Result<Vec<LocalImage>> {
        let program = &self.program;
        let output = cmd!(sh, "{program} image inspect {images...}").ignore_status().output();
        let output = output.with_context(|| format!("{program} is missing; install {program}"))?;
        let stderr = String::from_utf8_lossy(&output.stderr);
        if !output.status.success() && !is_not_found(&stderr) {
            let says = stderr.trim().lines().next().unwrap_or("nothing");
            bail!(
                "{program} does not answer and says: {says}; is its daemon running, and may you use \
                 it?"
            );
        }
        let json = String::from_utf8_lossy(&output.stdout);
        image::parse(&json)
            .with_context(|| format!("reading what `{program} image inspect` says: {json:?}"))
    }

    /// Content digest of an image. None if the engine does not have the image.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub(super) fn content(&self, sh: &Shell, image: &str) -> anyhow::Result<Option<String>> {
        Ok(self.inspect(sh, &[image.to_owned()])?.pop().map(|image| image.content))
    }

    /// Pulls an image from its registry. Returns whether the engine succeeded.
    ///
    /// # Errors
    /// When the client cannot be started.
    pub(super) fn pull(&self, sh: &Shell, image: &str) -> anyhow::Result<bool> {
        let program = &self.program;
        if program == "docker" {
            return Ok(process::stream(cmd!(sh, "{program} pull {image}"), &[])?.success());
        }
        // Podman has no default registry, and prompts for one when the name has none.
        let full = full_name(image);
        Ok(process::stream(cmd!(sh, "{program} pull {full}"), &[])?.success()
            && (full == image
                || process::stream(cmd!(sh, "{program} tag {full} {image}"), &[])?.success()))
    }

    /// Imports an archive of files as the image `image`.
    ///
    /// # Errors
    /// When the engine fails.
    pub(super) fn import(
        &self,
        sh: &Shell,
        archive: &Path,
        image: &str,
        changes: &[&str],
    ) -> anyhow::Result<()> {
        let program = &self.program;
        let changes = changes.iter().flat_map(|change| ["--change", change]);
        let status =
            process::stream(cmd!(sh, "{program} import {changes...} {archive} {image}"), &[])?;
        if !status.success() {
            bail!("`{program} import` of the base image failed ({status}) and says above why");
        }
        Ok(())
    }

    /// Builds the target `flavour` of the Dockerfile in `context`.
    ///
    /// # Errors
    /// When the build fails.
    pub(super) fn build(
        &self,
        sh: &Shell,
        flavour: Flavour,
        base: Option<&Base>,
        tags: &[String],
        labels: &[(&str, String)],
        context: &[u8],
    ) -> anyhow::Result<()> {
        let (program, arguments) = (&self.program, build_arguments(flavour, base, tags, labels));
        let status = process::stream(cmd!(sh, "{program} {arguments...}"), context)?;
        if !status.success() {
            bail!(
                "`{program} build` of the {flavour} image failed ({status}) and says above why; when \
                 the disk is full, `{program} system df` shows what fills it"
            );
        }
        Ok(())
    }

    /// Removes replaced images of `flavour` that no container uses, and untagged build stages, which
    /// Docker's older builder leaves behind. The newest environments stay: they make the next build
    /// short, and a concurrent build may use one. A failure is returned as a warning.
    pub(super) fn prune(&self, sh: &Shell, flavour: Flavour) -> Option<String> {
        let program = &self.program;
        let prune = |filters: &[String]| {
            let filters = filters.iter().flat_map(|filter| ["--filter", filter]);
            stdout(cmd!(sh, "{program} image prune --force {filters...}"))
        };
        let stage = |name: &str| format!("label={}={name}", labels::STAGE);
        let environments = || {
            let stage = stage(&format!("environment-{flavour}"));
            let list = cmd!(sh, "{program} image ls --quiet --no-trunc --filter dangling=true");
            // The list begins with the newest.
            let old = stdout(list.args(["--filter", &stage]))?;
            let old = old.lines().skip(KEPT).collect::<Vec<_>>();
            if old.is_empty() {
                Ok(String::new())
            } else {
                stdout(cmd!(sh, "{program} image rm {old...}"))
            }
        };
        let pruned = prune(&[format!("label={}={flavour}", label::FLAVOUR)])
            // A concurrent build may need a younger one.
            .and_then(|_| prune(&[stage("smoke"), "until=1h".to_owned()]))
            .and_then(|_| environments());
        pruned.err().map(|error| not_pruned(program, flavour, &error))
    }
}

/// Number of environments per flavour that are kept for later builds.
const KEPT: usize = 2;

/// Whether Docker or Podman reports that an image does not exist.
fn is_not_found(stderr: &str) -> bool {
    let stderr = stderr.to_lowercase();
    stderr.contains("no such image") || stderr.contains("image not known")
}

/// The name of an image with the registry and namespace that Docker assumes.
fn full_name(image: &str) -> String {
    match image.split_once('/') {
        None => format!("docker.io/library/{image}"),
        Some((host, _)) if host.contains(['.', ':']) || host == "localhost" => image.to_owned(),
        Some(_) => format!("docker.io/{image}"),
    }
}

/// Arguments of `docker build`. Docker itself reads the variables that choose a builder and proxies.
fn build_arguments(
    flavour: Flavour,
    base: Option<&Base>,
    tags: &[String],
    labels: &[(&str, String)],
) -> Vec<String> {
    let mut arguments = vec!["build".to_owned(), "--target".to_owned(), flavour.name().to_owned()];
    let mut add = |option: &str, value: String| arguments.extend([option.to_owned(), value]);
    // BuildKit accepts a name here, not an id.
    if let Some(Base { name, id: _ }) = base {
        add("--build-arg", format!("BASE={name}"));
        add("--build-arg", format!("FLAVOUR={flavour}"));
    }
    tags.iter().for_each(|tag| add("--tag", tag.clone()));
    labels.iter().for_each(|(name, value)| add("--label", format!("{name}={value}")));
    arguments.push("-".to_owned());
    arguments
}

/// Standard output of a command, or the reason of its failure.
fn stdout(command: xshell::Cmd<'_>) -> Result<String, String> {
    match command.ignore_status().output() {
        Ok(output) if output.status.success() => {
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        }
        Ok(output) => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        Err(error) => Err(error.to_string()),
    }
}

fn not_pruned(program: &str, flavour: Flavour, reason: &str) -> String {
    let said = reason.trim().lines().next().unwrap_or("nothing");
    format!(
        "replaced {flavour} images could not be removed, and fill the disk until the next build \
         removes them: `{program} image` says: {said}"
    )
}

#[cfg(test)]
mod tests {
    use contract::Flavour;

    use super::{Base, build_arguments, full_name, is_not_found, not_pruned};

    #[test]
    fn failed_prune_is_a_warning_of_one_line() {
        let warning =
            not_pruned("docker", Flavour::Smoke, "Error: a prune operation is running\nmore\n");
        assert!(warning.starts_with("replaced smoke images could not be removed"), "{warning}");
        assert!(warning.ends_with("says: Error: a prune operation is running"), "{warning}");
        assert!(not_pruned("docker", Flavour::Smoke, "").ends_with("says: nothing"));
    }

    #[test]
    fn missing_image_is_not_a_missing_engine() {
        assert!(is_not_found("Error: No such image: ai_energy_score:smoke\n"));
        assert!(is_not_found("Error: inspecting object: ai_energy_score:smoke: image not known\n"));
        assert!(!is_not_found("Cannot connect to the Docker daemon at unix:///x. Is it running?"));
    }

    #[test]
    fn name_without_a_registry_means_docker_hub() {
        let cases = [
            ("debian:trixie-slim", "docker.io/library/debian:trixie-slim"),
            ("pytorch/pytorch:2", "docker.io/pytorch/pytorch:2"),
            ("registry.example/a/b:1", "registry.example/a/b:1"),
            ("localhost/a:1", "localhost/a:1"),
            ("localhost:5000/a", "localhost:5000/a"),
        ];
        for (name, full) in cases {
            assert_eq!(full_name(name), full);
        }
    }

    #[test]
    fn build_arguments_have_target_base_tags_and_labels() {
        let ask = |flavour, base: Option<(&str, Option<&str>)>| {
            let base = base.map(|(name, id)| Base { name: name.into(), id: id.map(str::to_owned) });
            let labels = [("org.example", "two words".to_owned())];
            build_arguments(flavour, base.as_ref(), &["x:1".into(), "x:2".into()], &labels)
                .join(" ")
        };
        insta::assert_snapshot!(ask(Flavour::Smoke, None), @"build --target smoke --tag x:1 --tag x:2 --label org.example=two words -");
        insta::assert_snapshot!(ask(Flavour::Cpu, Some(("debian:trixie-slim", None))), @"build --target cpu --build-arg BASE=debian:trixie-slim --build-arg FLAVOUR=cpu --tag x:1 --tag x:2 --label org.example=two words -");
        insta::assert_snapshot!(ask(Flavour::Cuda, Some(("x", Some("sha256:0")))), @"build --target cuda --build-arg BASE=x --build-arg FLAVOUR=cuda --tag x:1 --tag x:2 --label org.example=two words -");
    }
}
