//! `fetch`: downloads the model and the dataset of a benchmark into the Hub cache, under
//! supervision.

use std::process::Command;

use anyhow::{Context as _, bail};
use contract::{
    Backend, FETCH, Flavour,
    argument::{DATASET, MODEL, REVISION},
    hub::download::hf_download,
};

use crate::{
    arguments::{self, Settings},
    environment::Environment,
    exit::Usage,
    python::Stacks,
    supervise,
};

/// Fetches what the benchmark with `args` loads; returns the exit code.
pub(super) fn run(args: &[String], environment: &Environment) -> anyhow::Result<u8> {
    let command = command(args, Stacks::installed(environment))?;
    let outcome = supervise::run(command, "fetch", None, environment);
    Ok(outcome.context("running the Hub client")?.code)
}

fn command(args: &[String], stacks: Option<Stacks>) -> anyhow::Result<Command> {
    // The keys of model and dataset are the same for every backend.
    let settings = arguments::parse(args, Backend::Optimum).map_err(Usage)?;
    match stacks {
        Some(stacks) => Ok(stacks.fetch(&settings)),
        None => bail!(Usage(no_client(&settings))),
    }
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
    use super::command;

    #[test]
    fn missing_client_names_the_image_that_has_it_and_the_download_commands() {
        let args = ["backend.model=org/m", "backend.model_kwargs.revision=v2"].map(str::to_owned);
        let error = command(&args, None).unwrap_err().to_string();
        insta::assert_snapshot!(error, @"`fetch` needs the Hub client of the Python stacks, which is not here; use the image ai_energy_score:cpu, or fetch without one: `hf download org/m --revision v2` and `hf download --repo-type dataset EnergyStarAI/text_generation`");
    }
}
