//! Summarizes a report of the `native` backend.

pub mod report;

use anyhow::ensure;
use contract::{
    Backend,
    summary::{Measurement, Run},
};

use super::{
    energy::believable,
    numbers::Reading,
    numbers::{EnergyNumbers, Numbers, RunNumbers},
    phases::phases,
    source::json::AGAIN,
    source::node::Node,
};

/// Summarizes a report.
pub(super) fn summary(root: &Node<'_>) -> anyhow::Result<Reading> {
    let (config, totals) = (root.need("config")?, root.need("summary")?);
    // Missing in older reports.
    let later = |key: &str| totals.optional(key, Node::count);
    let energy = root.need("energy")?;
    let devices = energy.need("devices")?.list()?;
    let devices = devices.iter().map(|device| believable(&device.need("energy_wh")?));
    let numbers = Numbers {
        // This backend uses no GPU, and the score counts only GPUs.
        energy: EnergyNumbers {
            devices: devices.collect::<Result<_, _>>()?,
            ..EnergyNumbers::default()
        },
        run: RunNumbers {
            prompts: totals.need("prompts")?.counted()?,
            tokens: Some(totals.need("completion_tokens")?.counted()?),
            seconds: Some(totals.need("seconds")?.timed()?),
            first_token: Some(totals.need("time_to_first_token_seconds")?.timed()?),
        },
    };
    let asked = config.need("num_samples_asked")?.count()?;
    let run = Run {
        prompts_asked: Some(asked),
        prompts_failed: later("prompts_failed")?.unwrap_or_default(),
        prompt_tokens: Some(totals.need("prompt_tokens")?.count()?),
        prompts_cut: later("prompts_cut")?,
        prompt_tokens_cut: later("prompt_tokens_cut")?,
        phases: phases(root)?,
        ..numbers.run.run(Backend::Native, config.need("model")?.text()?)
    };
    let prompts = run.prompts;
    ensure!(prompts > 0, "no prompt was answered, so there is nothing to sum up; {AGAIN}");
    let notes = match root.find("notes") {
        Some(notes) => notes.texts()?,
        // Reports from versions without datasets.
        None if asked == prompts => vec![],
        None => vec![format!("{asked} prompts were asked for, {prompts} are built in")],
    };
    let measurement: Measurement = energy.typed()?;
    let summary = numbers.summary(Backend::Native.name(), run, measurement, notes);
    Ok(Reading { summary, numbers })
}
