//! `cargo xtask build-image`: builds the image from this tree unless it is up to date.

mod base;
mod builder;
mod ca_bundle;
mod context;
mod inputs;
mod labels;
#[cfg(test)]
mod tests;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::Instant,
};

use anyhow::{Context as _, bail};
use contract::{Flavour, IMAGE};
use host::output::terminal;
use plan::options::flavours;
use serde::Serialize;
use xshell::Shell;

pub(crate) use self::builder::Builder;
use self::{base::BaseChoice, builder::LocalImage, labels::Base};
use crate::{entrypoint::Entrypoint, size::Size, workspace};

/// Flags of `cargo xtask build-image`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct BuildImage {
    /// Flavour of the image; `smoke` alone needs no base image and no packages
    #[arg(long, value_name = "FLAVOUR", default_value = "smoke", value_parser = flavours())]
    flavour: Flavour,
    /// Build on this image of Debian or its kin, instead of the flavour's own base
    #[arg(long, value_name = "IMAGE", conflicts_with = "bootstrap_base")]
    base: Option<String>,
    /// Build on a Debian that mmdebstrap makes here, where no registry answers
    #[arg(long)]
    bootstrap_base: bool,
    /// Certificates to trust while packages are fetched; they stay out of the image
    /// [default: $SSL_CERT_FILE]
    #[arg(long, value_name = "FILE")]
    ca_bundle: Option<PathBuf>,
    /// What builds it, and keeps it [default: Docker if it answers, or else Podman]
    #[arg(long, value_name = "ENGINE", value_parser = ["docker", "podman"])]
    engine: Option<String>,
    /// Print the outcome as JSON
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  cargo xtask build-image
  cargo xtask build-image --flavour cuda
  cargo xtask build-image --flavour cpu --bootstrap-base
  cargo xtask build-image --flavour cuda --base registry.example/pytorch:cuda --ca-bundle ca.pem
  cargo xtask build-image --engine podman
  cargo xtask build-image --json | jq -r .digest

An image is up to date when its label `org.aienergyscore.inputs` is the digest of what it would
be built from: then nothing is built.";

impl BuildImage {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let Self { flavour, base, bootstrap_base, ca_bundle, engine, json } = self;
        let started = Instant::now();
        let base = BaseChoice::new(flavour, base, bootstrap_base)?;
        let bundle = match (base::default_name(flavour), ca_bundle) {
            (Some(_), flag) => {
                ca_bundle::read(flag.as_deref(), std::env::var_os(ca_bundle::VARIABLE))?
            }
            (None, Some(_)) => {
                bail!("the flavour {flavour} fetches no packages; leave `--ca-bundle` out")
            }
            (None, None) => None,
        };
        let sh = workspace::shell()?;
        let builder = Builder::find(&sh, engine.as_deref())?;
        let image = ensure(&sh, &builder, flavour, &base, bundle)?;
        let outcome =
            Outcome { image, tags: tags(flavour), seconds: started.elapsed().as_secs_f64() };
        let text = if json { serde_json::to_string_pretty(&outcome)? } else { outcome.line() };
        terminal::print(&format!("{text}\n"))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// The output of `build-image`.
#[derive(Debug, Serialize)]
struct Outcome {
    #[serde(flatten)]
    image: Image,
    /// All references of the image.
    tags: Vec<String>,
    /// Duration of the command.
    seconds: f64,
}

impl Outcome {
    fn line(&self) -> String {
        let Self { image: Image { image: _, digest: _, built, size }, tags, seconds } = self;
        let tags = tags.join(", ");
        match built {
            true => format!("built {tags}: {size}, {seconds:.1} s"),
            false => format!("{tags}: up to date, {size}"),
        }
    }
}

/// An image that is up to date with this tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Image {
    /// Reference of the image, as runs use it.
    pub(crate) image: String,
    /// Digest of its inputs.
    pub(crate) digest: String,
    /// Whether this command built it.
    pub(crate) built: bool,
    #[serde(flatten)]
    pub(crate) size: Size,
}

/// Builds the image of `flavour` unless it is up to date. The base is that of the existing image, or
/// else the flavour's default.
///
/// # Errors
/// When the engine does not answer, or a build fails.
pub(crate) fn ensure_image(builder: &Builder, flavour: Flavour) -> anyhow::Result<Image> {
    let sh = workspace::shell()?;
    let existing = builder.inspect(&sh, &[flavour.image()])?.pop();
    let base = BaseChoice::of_image(flavour, existing.and_then(|image| image.base));
    let bundle = ca_bundle::read(None, std::env::var_os(ca_bundle::VARIABLE))?;
    ensure(&sh, builder, flavour, &base, bundle)
}

/// Digest of the inputs that an up-to-date image of `flavour` has, on the base of the existing
/// image.
///
/// # Errors
/// When a source cannot be read, or `rustc` or cargo fails.
pub(crate) fn inputs_digest(
    root: &Path,
    builder: Option<&Builder>,
    flavour: Flavour,
) -> anyhow::Result<String> {
    let base = match base::default_name(flavour) {
        None => None,
        Some(name) => {
            let sh = workspace::shell()?;
            // An engine that does not answer has no image to compare with.
            let inspect = |builder: &Builder| builder.inspect(&sh, &[flavour.image()]);
            let existing = builder.and_then(|builder| inspect(builder).unwrap_or_default().pop());
            let default = Base { name: name.to_owned(), id: None };
            Some(existing.and_then(|image| image.base).unwrap_or(default))
        }
    };
    inputs::digest(root, &Entrypoint::read()?, flavour, base.as_ref())
}

/// All references of an image of `flavour`. The first is the one that runs use.
fn tags(flavour: Flavour) -> Vec<String> {
    let mut tags = vec![flavour.image()];
    for tag in [flavour.to_string(), format!("{}-{flavour}", env!("CARGO_PKG_VERSION"))] {
        let tag = format!("{IMAGE}:{tag}");
        if !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    tags
}

fn ensure(
    sh: &Shell,
    builder: &Builder,
    flavour: Flavour,
    base_choice: &BaseChoice,
    ca_bundle: Option<Vec<u8>>,
) -> anyhow::Result<Image> {
    let root = workspace::root();
    let tags = tags(flavour);
    let image = flavour.image();

    let existing = builder.inspect(sh, &tags)?;
    let recorded = existing.first().and_then(|image| image.base.as_ref());
    let base = base_choice.expected(flavour, |name| builder.content(sh, name), recorded)?;
    let entrypoint = Entrypoint::read()?;
    let digest = inputs::digest(root, &entrypoint, flavour, base.as_ref())?;
    let is_current = |image: &LocalImage| image.inputs.as_ref() == Some(&digest);
    if existing.len() == tags.len() && existing.iter().all(is_current) {
        return Ok(Image { image, digest, built: false, size: existing[0].size });
    }
    let program = entrypoint.ensure()?;
    let base = base_choice.ensure(sh, builder, flavour)?;
    let digest = inputs::digest(root, &entrypoint, flavour, base.as_ref())?;
    let context = context::archive(root, flavour, &program, ca_bundle)?;
    let labels = labels::all(flavour, base.as_ref(), &digest, labels::revision(sh));
    builder.build(sh, flavour, base.as_ref(), &tags, &labels, &context)?;
    terminal::warn(builder.prune(sh, flavour));
    let built = builder.inspect(sh, &tags)?;
    let size = built.first().context("the image that was just built is gone")?.size;
    Ok(Image { image, digest, built: true, size })
}
