//! Brings the model and the dataset of a benchmark into the Hub cache, under supervision.

use std::{ffi::OsString, io, path::Path, sync::mpsc};

use anyhow::{Context, bail};
use contract::{
    Backend, FETCH, Flavour,
    argument::{DATASET, MODEL, REVISION},
    by_hand::hf_download,
    env as name,
};
use streams::Stream;

use crate::{
    arguments::{self, Settings},
    failure::{self, Usage, say},
    run::{STARTING, SUPERVISOR_GONE},
    stack::Stack,
    supervise::{GRACE, Outcome, Sinks, supervise},
    watch::{self, Event},
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
    let settings = |config: &dyn Fn(&str) -> Result<String, String>| {
        arguments::parse(args, Backend::Optimum, config).map_err(Usage)
    };
    let Some(stack) = stack else {
        let task = |_: &str| Ok(contract::task::TEXT_GENERATION.to_owned());
        bail!(Usage(no_client(&settings(&task)?)));
    };
    let settings = settings(&|name| stack.config(name))?;
    let (sender, events) = mpsc::channel();
    watch::signals(sender.clone()).context(STARTING)?;
    if variable(name::RUN_ID).is_some() {
        watch::supervisor(io::stdin(), sender.clone()).context(STARTING)?;
    }
    let sinks = Sinks { out: Stream::Out, err: Stream::Err, log: None };
    let outcome = supervise(stack.fetch(&settings), sinks, &sender, &events, GRACE)
        .context("running the Hub client")?;
    match outcome {
        Outcome { cause: Some(Event::SupervisorGone), .. } => {
            say("standard input was closed: ended the fetch, as its supervisor wants or is gone");
            Ok(SUPERVISOR_GONE)
        }
        Outcome { code, .. } => Ok(code),
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
    use super::fetch;

    #[test]
    fn an_image_without_the_client_names_the_one_that_has_it_and_the_clients_own_commands() {
        let args = ["backend.model=org/m", "backend.model_kwargs.revision=v2"].map(str::to_owned);
        let error = fetch(&args, None, |_| None).unwrap_err().to_string();
        insta::assert_snapshot!(error, @"`fetch` needs the Hub client of the Python stacks, which is not here; use the image ai_energy_score:cpu, or fetch without one: `hf download org/m --revision v2` and `hf download --repo-type dataset EnergyStarAI/text_generation`");
    }
}
