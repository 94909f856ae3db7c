//! `cargo xtask build-image`: the image from this tree, or nothing to do.

mod context;
mod docker;
mod entrypoint;
mod inputs;
mod labels;
mod toolchain;

use std::{process::ExitCode, time::Instant};

use clap::ValueEnum;
use contract::{Flavour, IMAGE};
use runner::terminal;
use serde::Serialize;
use xshell::Shell;

pub(crate) use entrypoint::{ensure_entrypoint, test_entrypoint};
pub(crate) use inputs::inputs_digest;

use crate::{size::megabytes, workspace};

/// Flags of `cargo xtask build-image`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct BuildImage {
    /// Flavour of the image
    #[arg(long, value_name = "FLAVOUR", default_value = "smoke")]
    flavour: FlavourArg,
    /// Print the outcome as JSON
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  cargo xtask build-image
  cargo xtask build-image --json | jq -r .digest

An image is up to date when its label `org.aienergyscore.inputs` is the digest of what it would
be built from: then nothing is built.";

/// The flavours that can be built.
#[derive(Debug, Clone, Copy)]
struct FlavourArg(Flavour);

impl ValueEnum for FlavourArg {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self(Flavour::Smoke)]
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        Some(clap::builder::PossibleValue::new(self.0.name()).help(self.0.about()))
    }
}

impl BuildImage {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let Self { flavour: FlavourArg(flavour), json } = self;
        let started = Instant::now();
        let built = ensure_image(flavour)?;
        let text = if json {
            serde_json::to_string_pretty(&built)?
        } else {
            let Built { image, digest: _, built, bytes } = built;
            let size = megabytes(bytes);
            match built {
                true => format!("built {image}: {size}, {:.1} s", started.elapsed().as_secs_f64()),
                false => format!("{image} is up to date: {size}"),
            }
        };
        terminal::print(&format!("{text}\n"))?;
        Ok(ExitCode::SUCCESS)
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
    pub(crate) bytes: u64,
}

/// Builds the image of `flavour`, if the one at hand was made from anything else than this tree.
///
/// # Errors
/// When Docker does not answer or a build fails.
pub(crate) fn ensure_image(flavour: Flavour) -> anyhow::Result<Built> {
    let sh = Shell::new()?;
    sh.change_dir(workspace::root());
    let digest = inputs_digest(workspace::root(), flavour)?;
    let image = flavour.image();
    let tags = [image.clone(), format!("{IMAGE}:{}-{flavour}", env!("CARGO_PKG_VERSION"))];
    let outcome =
        |built, bytes| Built { image: image.clone(), digest: digest.clone(), built, bytes };

    let present = docker::inspect(&sh, &tags)?;
    let fits = |local: &docker::Local| local.inputs.as_ref() == Some(&digest);
    if present.len() == tags.len() && present.iter().all(fits) {
        return Ok(outcome(false, present[0].bytes));
    }
    let program = ensure_entrypoint()?;
    let context = context::archive(workspace::root(), &program)?;
    let labels = labels::all(flavour, &digest, labels::revision(&sh));
    docker::build(&sh, flavour, &tags, &labels, &context)?;
    terminal::warn(docker::prune(&sh, flavour));
    let bytes = docker::inspect(&sh, &tags)?.first().map_or(0, |local| local.bytes);
    Ok(outcome(true, bytes))
}
