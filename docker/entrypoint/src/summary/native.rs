//! The summary of a report of the `native` backend.

use anyhow::ensure;
use contract::summary::{Run, Summary};
use serde_json::Value;

use crate::report::Report;

/// The summary of a report.
pub(super) fn summary(report: Value) -> anyhow::Result<Summary> {
    let Report { format, version: _, config, summary: totals, energy, prompts: _ } =
        serde_json::from_value(report)?;
    ensure!(totals.prompts > 0, "no prompt was answered, so there is nothing to sum up");
    let asked = u64::from(config.num_samples_asked);
    let fewer = asked != totals.prompts;
    let note = format!("{asked} prompts were asked for, {} are built in", totals.prompts);
    Ok(Summary {
        units: "Wh".to_owned(),
        // This backend uses no GPU, and the score counts nothing else.
        total: None,
        format: format.name().to_owned(),
        preprocess_wh: None,
        prefill_wh: None,
        decode_wh: None,
        measurement: energy,
        run: Run {
            backend: format,
            model: config.model,
            prompts_asked: Some(asked),
            prompts: totals.prompts,
            prompts_failed: 0,
            prompt_tokens: Some(totals.prompt_tokens),
            completion_tokens: Some(totals.completion_tokens),
            seconds: Some(totals.seconds),
            tokens_per_second: Some(totals.tokens_per_second),
            time_to_first_token_seconds: Some(totals.time_to_first_token_seconds),
        },
        notes: fewer.then_some(note).into_iter().collect(),
        cache: None,
    })
}
