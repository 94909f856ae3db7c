//! The summary of a report of ai_energy_benchmarks: energies of the whole run.

use anyhow::{bail, ensure};
use contract::{
    Backend,
    summary::{Run, Summary},
};
use serde::Deserialize;
use serde_json::Value;

use super::{
    record::Record,
    tracked::{Energies, Judged, judge},
};

#[derive(Debug, Clone, PartialEq, Deserialize)]
struct Report {
    config: Config,
    summary: Totals,
    energy: Energy,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
struct Config {
    backend: Backend,
    model: String,
    num_samples: u64,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
struct Totals {
    total_prompts: u64,
    successful_prompts: u64,
    failed_prompts: u64,
    total_duration_seconds: f64,
    avg_time_to_first_token: f64,
    total_prompt_tokens: u64,
    total_completion_tokens: u64,
}

/// Its other keys are not used: `country` and `region` echo the configuration, and
/// `carbon_intensity_g_per_kwh` holds a rate in kg/s.
#[derive(Debug, Clone, PartialEq, Deserialize)]
struct Energy {
    #[serde(default)]
    error: Option<String>,
    #[serde(default)]
    gpu_energy_wh: f64,
    #[serde(default)]
    cpu_energy_wh: f64,
    #[serde(default)]
    ram_energy_wh: f64,
}

/// The summary of a report.
pub(super) fn summary(report: Value, record: Option<Record>) -> anyhow::Result<Summary> {
    let known = ["gpu_energy_wh", "cpu_energy_wh", "ram_energy_wh"];
    let missing = known.iter().find(|key| report["energy"].get(key).is_none());
    let Report { config, summary: totals, energy } = serde_json::from_value(report)?;
    if let Some(error) = energy.error {
        bail!("its energy tracker failed, so its energies mean nothing: {error}");
    }
    if let Some(key) = missing {
        bail!("its `energy` has no `{key}`");
    }
    ensure!(totals.total_prompts > 0, "no prompt ran, so there is nothing to sum up");
    ensure!(
        totals.successful_prompts > 0,
        "none of its {} prompts was answered; the backend's output says why",
        totals.total_prompts
    );
    let energies = Energies {
        gpu: energy.gpu_energy_wh,
        cpu: energy.cpu_energy_wh,
        ram: energy.ram_energy_wh,
    };
    let Judged { measurement, gpu_counts, mut notes } = judge(energies, record.as_ref());
    if totals.failed_prompts > 0 {
        notes.push(format!(
            "{} of {} prompts failed: their energy counts, their answers do not",
            totals.failed_prompts, totals.total_prompts
        ));
    }
    let run = match &record {
        Some(record) => record.run(),
        None => run(config, &totals, &mut notes),
    };
    if let Some(record) = record {
        notes.extend(record.notes);
    }
    Ok(Summary {
        units: "Wh".to_owned(),
        total: gpu_counts.then_some(energies.gpu),
        format: "ai_energy_benchmarks".to_owned(),
        // The stack measures the loop over all prompts as one.
        preprocess_wh: None,
        prefill_wh: None,
        decode_wh: None,
        measurement,
        run,
        notes,
        cache: None,
    })
}

/// What ran, as far as the stack's own report tells.
fn run(config: Config, totals: &Totals, notes: &mut Vec<String>) -> Run {
    let Config { backend, model, num_samples } = config;
    if totals.total_prompts < num_samples {
        notes.push(format!("{num_samples} prompts were asked for, {} ran", totals.total_prompts));
    }
    let counted = |tokens: u64| (tokens > 0).then_some(tokens);
    if totals.total_completion_tokens == 0 {
        notes.push("the server did not count tokens".to_owned());
    }
    let completion_tokens = counted(totals.total_completion_tokens);
    let seconds = totals.total_duration_seconds;
    let rate = completion_tokens.map(|tokens| tokens as f64 / seconds);
    // With a model of its own the stack divides the whole time by the tokens.
    let first = totals.avg_time_to_first_token;
    let measured = backend == Backend::Vllm && first > 0.0;
    Run {
        backend,
        model,
        prompts_asked: Some(num_samples),
        prompts: totals.successful_prompts,
        prompts_failed: totals.failed_prompts,
        prompt_tokens: counted(totals.total_prompt_tokens),
        completion_tokens,
        seconds: Some(seconds),
        tokens_per_second: rate.filter(|rate| rate.is_finite()),
        time_to_first_token_seconds: measured.then_some(first),
    }
}
