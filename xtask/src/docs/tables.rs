//! Tables of the guides, rendered from what the program itself uses.

pub(super) mod arguments;
pub(super) mod cli;
pub(super) mod plan;
pub(super) mod published;
pub(super) mod submission;
pub(super) mod variables;
pub(super) mod variations;

use std::fs;

use anyhow::Context as _;
use contract::{Backend, Flavour, argument::DEFAULT_CONFIG};
use doctor::finding::Problem;

use super::content::{Content, code};
use crate::workspace;

/// Problems that `cache verify` finds, with their repairs.
pub(super) fn cache_problems() -> Content {
    let rows = Problem::ALL.iter().map(|problem| {
        let (severity, about) = (problem.severity().to_string(), problem.about().to_owned());
        vec![code(&problem.name()), severity, about, problem.repair().to_owned()]
    });
    Content::Table { head: vec!["Finding", "", "What it is", "A repair"], rows: rows.collect() }
}

/// Backends, with the image of each.
pub(super) fn backends() -> Content {
    let rows = Backend::ALL.map(|backend| {
        let image = Flavour::of_backend(backend).image();
        vec![code(backend.name()), backend.about().to_owned(), code(&image)]
    });
    Content::Table { head: vec!["Backend", "What it is", "Image"], rows: rows.into() }
}

/// Flavours of the image.
pub(super) fn flavours() -> Content {
    let rows = Flavour::ALL.map(|flavour| {
        let (name, image) = (code(flavour.name()), code(&flavour.image()));
        vec![name, image, code(flavour.default_backend().name()), flavour.about().to_owned()]
    });
    Content::Table {
        head: vec!["Flavour", "Image", "Default backend", "What it is"],
        rows: rows.into(),
    }
}

/// The default configuration of a benchmark.
///
/// # Errors
/// When its file cannot be read.
pub(super) fn configuration() -> anyhow::Result<Content> {
    let file = workspace::root().join("docker/configs").join(format!("{DEFAULT_CONFIG}.args"));
    let text =
        fs::read_to_string(&file).with_context(|| format!("reading `{}`", file.display()))?;
    Ok(Content::Text(text.trim_end().to_owned()))
}
