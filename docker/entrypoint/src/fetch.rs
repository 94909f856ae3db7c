//! Brings the model and the dataset of a benchmark into the Hub cache, under supervision.

use std::{ffi::OsString, path::Path};

use anyhow::{Context, bail};
use contract::{
    Backend, FETCH, Flavour,
    argument::{DATASET, MODEL, REVISION},
    exit::Usage,
    hub::download::hf_download,
};

use crate::{
    arguments::{self, Settings},
    failure,
    run::watched,
    stack::Stack,
};

/// Fetches what the benchmark with `args` loads; the exit code.
pub(crate) fn run(args: &[String], variable: impl Fn(&str) -> Option<OsString>) -> u8 {
    fetch(args, Stack::of(Path::new("/")), variable).unwrap_or_else(|error| failure::report(&error))
}

fn fetch(
    args: &[String],
    stack: Option<Stack>,
    variable: impl Fn(&str) -> Option<OsString>,
) -> anyhow::Result<u8> {
    // Every backend's prompts and weights are found by the same keys.
    let settings = arguments::parse(args, Backend::Optimum).map_err(Usage)?;
    let Some(stack) = stack else { bail!(Usage(no_client(&settings))) };
    let outcome = watched(stack.fetch(&settings), "fetch", None, variable);
    Ok(outcome.context("running the Hub client")?.code)
}

fn no_client(settings: &Settings) -> String {
    let model = settings.text(MODEL).unwrap_or_default();
    let dataset = settings.text(DATASET);
    format!(
        "`{FETCH}` needs the Hub client of the Python stacks, which is not here; use the image {}, or \
         fetch without one: {}",
        Flavour::Cpu.image(),
        hf_download(model, settings.text(REVISION), dataset)
    )
}

#[cfg(test)]
mod tests {
    use super::fetch;

    #[test]
    fn an_image_without_the_client_names_the_one_that_has_it_and_the_clients_own_commands() {
        let args = ["backend.model=org/m", "backend.model_kwargs.revision=v2"].map(str::to_owned);
        let error = fetch(&args, None, |_| None).unwrap_err().to_string();
        insta::assert_snapshot!(error, @"`fetch` needs the Hub client of the Python stacks, which is not here; use the image ai_energy_score:cpu, or fetch without one: `hf download org/m --revision v2` and `hf download --repo-type dataset EnergyStarAI/text_generation`");
    }
}
