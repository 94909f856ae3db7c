//! The engine that builds an image, asked through its client.

use std::path::Path;

use anyhow::{Context as _, anyhow, bail};
use contract::{Flavour, label};
use engine::Engine;
use xshell::{Shell, cmd};

use super::{
    labels::{self, Base},
    local::{self, Local},
};
use crate::tool;

/// An engine that builds images and keeps them, by the program of its client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Builder {
    program: String,
}

impl Builder {
    /// The one that runs `engine`'s containers.
    pub(crate) fn of(engine: &Engine) -> Self {
        Self { program: engine.program.clone() }
    }

    /// The first that answers, of those that are `asked` for: by default Docker, then Podman.
    ///
    /// # Errors
    /// When none does.
    pub(super) fn find(sh: &Shell, asked: Option<&str>) -> anyhow::Result<Self> {
        let programs = asked.map_or(vec!["docker", "podman"], |asked| vec![asked]);
        let mut refused = vec![];
        for program in programs {
            let builder = Self { program: program.to_owned() };
            match builder.inspect(sh, &[Flavour::Smoke.image()]) {
                Ok(_) => return Ok(builder),
                Err(error) => refused.push(format!("{error:#}")),
            }
        }
        Err(anyhow!(
            "{}; without a container: `cargo xtask smoke --engine host`",
            refused.join("; nor does Podman serve: ")
        ))
    }

    /// The client's program.
    pub(super) fn program(&self) -> &str {
        &self.program
    }

    /// Looks for images; one that is missing is left out.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub(super) fn inspect(&self, sh: &Shell, images: &[String]) -> anyhow::Result<Vec<Local>> {
        let program = &self.program;
        let output = cmd!(sh, "{program} image inspect {images...}").ignore_status().output();
        let output = output.with_context(|| format!("{program} is missing; install {program}"))?;
        let says = String::from_utf8_lossy(&output.stderr);
        if !output.status.success() && !is_missing(&says) {
            let says = says.trim().lines().next().unwrap_or("nothing");
            bail!(
                "{program} does not answer and says: {says}; is its daemon running, and may you use \
                 it?"
            );
        }
        let json = String::from_utf8_lossy(&output.stdout);
        local::parse(&json)
            .with_context(|| format!("reading what `{program} image inspect` says: {json:?}"))
    }

    /// The content of an image, if the engine has it.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub(super) fn content(&self, sh: &Shell, image: &str) -> anyhow::Result<Option<String>> {
        Ok(self.inspect(sh, &[image.to_owned()])?.pop().map(|local| local.content))
    }

    /// Fetches an image from its registry, and shows what the engine says. Whether it came is the
    /// answer.
    ///
    /// # Errors
    /// When the client cannot be started.
    pub(super) fn pull(&self, sh: &Shell, image: &str) -> anyhow::Result<bool> {
        let program = &self.program;
        if program == "docker" {
            return Ok(tool::live(cmd!(sh, "{program} pull {image}"), &[])?.success());
        }
        // Podman has no registry of its own to look in, and asks which one is meant.
        let full = full_name(image);
        Ok(tool::live(cmd!(sh, "{program} pull {full}"), &[])?.success()
            && (full == image
                || tool::live(cmd!(sh, "{program} tag {full} {image}"), &[])?.success()))
    }

    /// Makes the image `image` of an archive of its files, and shows what the engine says.
    ///
    /// # Errors
    /// When the engine does not take it.
    pub(super) fn import(
        &self,
        sh: &Shell,
        archive: &Path,
        image: &str,
        changes: &[&str],
    ) -> anyhow::Result<()> {
        let program = &self.program;
        let changes = changes.iter().flat_map(|change| ["--change", change]);
        let status = tool::live(cmd!(sh, "{program} import {changes...} {archive} {image}"), &[])?;
        if !status.success() {
            bail!("`{program} import` of the base image failed ({status}) and says above why");
        }
        Ok(())
    }

    /// Builds one target of the Dockerfile in `context`, and shows what the engine says.
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
        let status = tool::live(cmd!(sh, "{program} {arguments...}"), context)?;
        if !status.success() {
            bail!(
                "`{program} build` of the {flavour} image failed ({status}) and says above why; when \
                 the disk is full, `{program} system df` shows what fills it"
            );
        }
        Ok(())
    }

    /// Removes images that a later build of `flavour` has replaced, unless a container needs them, and
    /// stages that nothing is built on any more: the older builder leaves them behind as images without
    /// a name. The newest environments stay, as they make the next build short, and one may be that of
    /// a build at work beside this one. Nothing depends on all this: a failure is a warning.
    pub(super) fn prune(&self, sh: &Shell, flavour: Flavour) -> Option<String> {
        let program = &self.program;
        let prune = |filters: &[String]| {
            let filters = filters.iter().flat_map(|filter| ["--filter", filter]);
            said(cmd!(sh, "{program} image prune --force {filters...}"))
        };
        let stage = |name: &str| format!("label={}={name}", labels::STAGE);
        let environments = || {
            let stage = stage(&format!("environment-{flavour}"));
            let list = cmd!(sh, "{program} image ls --quiet --no-trunc --filter dangling=true");
            // The newest comes first.
            let old = said(list.args(["--filter", &stage]))?;
            let old = old.lines().skip(KEPT).collect::<Vec<_>>();
            if old.is_empty() {
                Ok(String::new())
            } else {
                said(cmd!(sh, "{program} image rm {old...}"))
            }
        };
        let pruned = prune(&[format!("label={}={flavour}", label::FLAVOUR)])
            // A build at work beside this one may need its own.
            .and_then(|_| prune(&[stage("smoke"), "until=1h".to_owned()]))
            .and_then(|_| environments());
        pruned.err().map(|error| not_pruned(program, flavour, &error))
    }
}

/// Environments of a flavour that stay for later builds.
const KEPT: usize = 2;

/// Whether this complaint is that an image is not there: Docker's, or Podman's.
fn is_missing(says: &str) -> bool {
    let says = says.to_lowercase();
    says.contains("no such image") || says.contains("image not known")
}

/// The name of an image with its registry and folder, which Docker leaves out where they are its
/// own.
fn full_name(image: &str) -> String {
    match image.split_once('/') {
        None => format!("docker.io/library/{image}"),
        Some((host, _)) if host.contains(['.', ':']) || host == "localhost" => image.to_owned(),
        Some(_) => format!("docker.io/{image}"),
    }
}

/// What is asked for. Builder and proxies are the caller's, by Docker's own variables.
fn build_arguments(
    flavour: Flavour,
    base: Option<&Base>,
    tags: &[String],
    labels: &[(&str, String)],
) -> Vec<String> {
    let mut arguments = vec!["build".to_owned(), "--target".to_owned(), flavour.name().to_owned()];
    let mut add = |option: &str, value: String| arguments.extend([option.to_owned(), value]);
    // By its name, as BuildKit takes no id.
    if let Some(Base { name, id: _ }) = base {
        add("--build-arg", format!("BASE={name}"));
        add("--build-arg", format!("FLAVOUR={flavour}"));
    }
    tags.iter().for_each(|tag| add("--tag", tag.clone()));
    labels.iter().for_each(|(name, value)| add("--label", format!("{name}={value}")));
    arguments.push("-".to_owned());
    arguments
}

/// What a command prints, or what it says of its failure.
fn said(command: xshell::Cmd<'_>) -> Result<String, String> {
    match command.ignore_status().output() {
        Ok(output) if output.status.success() => {
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        }
        Ok(output) => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        Err(error) => Err(error.to_string()),
    }
}

fn not_pruned(program: &str, flavour: Flavour, said: &str) -> String {
    let said = said.trim().lines().next().unwrap_or("nothing");
    format!(
        "replaced {flavour} images could not be removed, and fill the disk until the next build \
         removes them: `{program} image` says: {said}"
    )
}

#[cfg(test)]
mod tests {
    use contract::Flavour;

    use super::{Base, build_arguments, full_name, is_missing, not_pruned};

    #[test]
    fn a_prune_that_failed_is_a_warning_of_one_line() {
        let warning =
            not_pruned("docker", Flavour::Smoke, "Error: a prune operation is running\nmore\n");
        assert!(warning.starts_with("replaced smoke images could not be removed"), "{warning}");
        assert!(warning.ends_with("says: Error: a prune operation is running"), "{warning}");
        assert!(not_pruned("docker", Flavour::Smoke, "").ends_with("says: nothing"));
    }

    #[test]
    fn a_missing_image_is_told_from_a_missing_engine() {
        assert!(is_missing("Error: No such image: ai_energy_score:smoke\n"));
        assert!(is_missing("Error: inspecting object: ai_energy_score:smoke: image not known\n"));
        assert!(!is_missing("Cannot connect to the Docker daemon at unix:///x. Is it running?"));
    }

    #[test]
    fn a_name_without_a_registry_means_dockers() {
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
    fn docker_is_asked_for_a_target_on_a_base() {
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
