//! `cargo xtask build-image`: the image from this tree, or nothing to do.

mod base;
mod bootstrap;
mod builder;
mod ca_bundle;
mod context;
#[cfg(test)]
mod dockerfile;
mod entry;
mod entrypoint;
mod inputs;
mod labels;
mod local;
mod stacks;
mod toolchain;

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

use self::{base::Wanted, inputs::image_digest, local::Local};
pub(crate) use builder::Builder;
pub(crate) use entrypoint::{ensure_entrypoint, test_entrypoint};

use crate::{size::Size, workspace};

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
        let wanted = Wanted::new(flavour, base, bootstrap_base)?;
        let bundle = match (base::default_name(flavour), ca_bundle) {
            (Some(_), flag) => {
                ca_bundle::read(flag.as_deref(), std::env::var_os(ca_bundle::VARIABLE))?
            }
            (None, Some(_)) => {
                bail!("the flavour {flavour} fetches no packages; leave `--ca-bundle` out")
            }
            (None, None) => None,
        };
        let sh = Shell::new()?;
        sh.change_dir(workspace::root());
        let builder = Builder::find(&sh, engine.as_deref())?;
        let image = ensure(&sh, &builder, flavour, &wanted, bundle)?;
        let outcome =
            Outcome { image, tags: tags(flavour), seconds: started.elapsed().as_secs_f64() };
        let text = if json { serde_json::to_string_pretty(&outcome)? } else { outcome.line() };
        terminal::print(&format!("{text}\n"))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// What `build-image` tells.
#[derive(Debug, Serialize)]
struct Outcome {
    #[serde(flatten)]
    image: Built,
    /// All references of the image.
    tags: Vec<String>,
    /// How long it took.
    seconds: f64,
}

impl Outcome {
    fn line(&self) -> String {
        let Self { image: Built { image: _, digest: _, built, size }, tags, seconds } = self;
        let tags = tags.join(", ");
        match built {
            true => format!("built {tags}: {size}, {seconds:.1} s"),
            false => format!("{tags}: up to date, {size}"),
        }
    }
}

/// An image that fits this tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Built {
    /// Its reference.
    pub(crate) image: String,
    /// Digest of what it was built from.
    pub(crate) digest: String,
    /// Whether it had to be built.
    pub(crate) built: bool,
    /// Its size.
    #[serde(flatten)]
    pub(crate) size: Size,
}

/// Builds the image of `flavour`, if the one at hand was made from anything else than this tree; on
/// the base of that one, or else on its own.
///
/// # Errors
/// When the engine does not answer or a build fails.
pub(crate) fn ensure_image(builder: &Builder, flavour: Flavour) -> anyhow::Result<Built> {
    let sh = Shell::new()?;
    sh.change_dir(workspace::root());
    let present = builder.inspect(&sh, &[flavour.image()])?.pop();
    let recorded = present.and_then(|local| local.base);
    let bundle = ca_bundle::read(None, std::env::var_os(ca_bundle::VARIABLE))?;
    ensure(&sh, builder, flavour, &Wanted::as_before(flavour, recorded), bundle)
}

/// Digest of everything that the image of `flavour` should have been made from, on the base that
/// the one at hand was made on.
///
/// # Errors
/// When a source cannot be read, or `rustc` does not tell its version.
pub(crate) fn inputs_digest(
    root: &Path,
    builder: Option<&Builder>,
    flavour: Flavour,
) -> anyhow::Result<String> {
    let base = match base::default_name(flavour) {
        None => None,
        Some(name) => {
            let sh = Shell::new()?;
            // Without an answer there is no image to compare with.
            let inspect = |builder: &Builder| builder.inspect(&sh, &[flavour.image()]);
            let local = builder.and_then(|builder| inspect(builder).unwrap_or_default().pop());
            let default = labels::Base { name: name.to_owned(), id: None };
            Some(local.and_then(|local| local.base).unwrap_or(default))
        }
    };
    image_digest(root, flavour, base.as_ref())
}

/// Every reference of an image of `flavour`, the one that runs use first.
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
    wanted: &Wanted,
    ca_bundle: Option<Vec<u8>>,
) -> anyhow::Result<Built> {
    let root = workspace::root();
    let tags = tags(flavour);
    let image = flavour.image();

    let present = builder.inspect(sh, &tags)?;
    let recorded = present.first().and_then(|local| local.base.as_ref());
    let base = wanted.expected(flavour, |name| builder.content(sh, name), recorded)?;
    let digest = image_digest(root, flavour, base.as_ref())?;
    let fits = |local: &Local| local.inputs.as_ref() == Some(&digest);
    if present.len() == tags.len() && present.iter().all(fits) {
        return Ok(Built { image, digest, built: false, size: present[0].size });
    }
    let program = ensure_entrypoint()?;
    let base = wanted.ready(sh, builder, flavour)?;
    let digest = image_digest(root, flavour, base.as_ref())?;
    let context = context::archive(root, flavour, &program, ca_bundle)?;
    let labels = labels::all(flavour, base.as_ref(), &digest, labels::revision(sh));
    builder.build(sh, flavour, base.as_ref(), &tags, &labels, &context)?;
    terminal::warn(builder.prune(sh, flavour));
    let made = builder.inspect(sh, &tags)?;
    let size = made.first().context("the image that was just built is gone")?.size;
    Ok(Built { image, digest, built: true, size })
}

#[cfg(test)]
mod tests {
    use contract::Flavour;

    use super::{Built, Outcome, Size, tags};

    #[test]
    fn every_flavour_has_its_name_and_its_version_and_one_is_the_latest() {
        let version = env!("CARGO_PKG_VERSION");
        let of = |tags: &[&str]| {
            tags.iter().map(|tag| format!("ai_energy_score:{tag}")).collect::<Vec<_>>()
        };
        assert_eq!(tags(Flavour::Smoke), of(&["smoke", &format!("{version}-smoke")]));
        assert_eq!(tags(Flavour::Cpu), of(&["cpu", &format!("{version}-cpu")]));
        assert_eq!(tags(Flavour::Cuda), of(&["latest", "cuda", &format!("{version}-cuda")]));
    }

    #[test]
    fn the_outcome_names_every_tag() {
        let size = Size { bytes: 1_280_000_000, compressed: false };
        let image = Built { image: "x:1".into(), digest: "ab".into(), built: true, size };
        let mut outcome = Outcome { image, tags: vec!["x:1".into(), "x:2".into()], seconds: 2.25 };
        assert_eq!(outcome.line(), "built x:1, x:2: 1280.0 MB, 2.2 s");
        let json = serde_json::to_string(&outcome).unwrap();
        insta::assert_snapshot!(json, @r#"{"image":"x:1","digest":"ab","built":true,"bytes":1280000000,"compressed":false,"tags":["x:1","x:2"],"seconds":2.25}"#);
        outcome.image.built = false;
        assert_eq!(outcome.line(), "x:1, x:2: up to date, 1280.0 MB");
        outcome.image.size.compressed = true;
        assert_eq!(outcome.line(), "x:1, x:2: up to date, 1280.0 MB compressed");
    }
}
