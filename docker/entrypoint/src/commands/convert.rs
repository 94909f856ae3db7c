//! `convert`: makes weights for the Python stacks from a GGUF file.

use anyhow::Context as _;
use contract::Flavour;

use crate::{cli::CONVERT, environment::Environment, exit::FAILED, python::Stacks};

/// Converts the file `source` into the new folder `target`; returns the exit code.
pub(super) fn run(source: &str, target: &str, environment: &Environment) -> anyhow::Result<u8> {
    let stacks = Stacks::installed(environment).with_context(|| {
        format!(
            "`{CONVERT}` needs the Python stacks, which are not here; use the image {}",
            Flavour::Cpu.image()
        )
    })?;
    let status =
        stacks.convert(source, target).status().context("starting the Python of the stacks")?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(FAILED))
}
