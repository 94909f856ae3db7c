//! The summary of a report of ai_energy_benchmarks: energies of the whole run.

use anyhow::{bail, ensure};
use contract::{
    Backend,
    summary::{Run, Summary},
};
use serde_json::Value;

use super::{
    json::AGAIN,
    part::Part,
    rate,
    record::{Claims, Record},
    tracked::{Energies, Judged, Reported, Standing, believable, judge},
};

/// What the stack can run a model with.
const BACKENDS: [Backend; 2] = [Backend::Pytorch, Backend::Vllm];

/// The keys of `energy` that count.
const ENERGIES: [&str; 3] = ["gpu_energy_wh", "cpu_energy_wh", "ram_energy_wh"];
/// The key of `summary` that counts the prompts.
const PROMPTS: &str = "total_prompts";

/// Whether a report is by this stack.
pub(super) fn wrote(report: &Value) -> bool {
    let has = |key| report.get(key).is_some_and(Value::is_object);
    let counted = report.get("summary").is_some_and(|summary| summary.get(PROMPTS).is_some());
    has("config") && has("summary") && (has("energy") || counted)
}

/// The summary of a report.
pub(super) fn summary(report: &Value, record: Option<Record>) -> anyhow::Result<Summary> {
    let whole = Part::whole(report);
    let config = whole.need("config")?;
    let backends = BACKENDS.map(|backend| (backend.name(), backend));
    let backend = config.need("backend")?.one_of(backends)?;
    let totals = Totals::parse(&whole.need("summary")?)?;
    let energies = energies(&whole)?;
    let model = config.need("model")?.text()?;
    let standing = match &record {
        Some(record) => {
            record.fits(Claims {
                stack: backend,
                model: Some(model),
                prompts_answered: Some(totals.answered),
                prompts_failed: Some(totals.failed),
                gpu: energies.gpu > 0.0,
            })?;
            Standing::recorded(record)
        }
        None => Standing::reported(energies, reported(&whole)?),
    };
    let Judged { measurement, gpu_counts, mut notes } = judge(energies, standing);
    if totals.failed > 0 {
        notes.push(format!(
            "{} of {} prompts failed: their energy counts, their answers do not",
            totals.failed, totals.prompts
        ));
    }
    let run = match &record {
        Some(record) => record.run(),
        None => {
            if gpu_counts && backend == Backend::Vllm {
                notes.push(
                    "the model ran in a server: the GPUs are those that the benchmark itself saw"
                        .to_owned(),
                );
            }
            run(backend, model, &config, &totals, &mut notes)?
        }
    };
    notes.extend(record.into_iter().flat_map(|record| record.notes));
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
        host: None,
        repeat: None,
    })
}

/// The numbers over all prompts.
#[derive(Debug, Clone, PartialEq)]
struct Totals {
    prompts: u64,
    answered: u64,
    failed: u64,
    seconds: f64,
    /// Added in October 2025; an older report lacks it.
    first_token_seconds: Option<f64>,
    prompt_tokens: Option<u64>,
    completion_tokens: Option<u64>,
}

impl Totals {
    fn parse(summary: &Part<'_>) -> anyhow::Result<Self> {
        let count = |key: &str| summary.need(key)?.count();
        // Not every server counts tokens.
        let tokens = |key: &str| -> anyhow::Result<_> {
            let tokens = summary.find(key).map(|part| part.count()).transpose()?;
            Ok(tokens.filter(|tokens| *tokens > 0))
        };
        let first = summary.find("avg_time_to_first_token");
        let totals = Self {
            prompts: count(PROMPTS)?,
            answered: count("successful_prompts")?,
            failed: count("failed_prompts")?,
            seconds: summary.need("total_duration_seconds")?.seconds()?,
            first_token_seconds: first.map(|part| part.seconds()).transpose()?,
            prompt_tokens: tokens("total_prompt_tokens")?,
            completion_tokens: tokens("total_completion_tokens")?,
        };
        let Self { prompts, answered, failed, .. } = totals;
        ensure!(prompts > 0, "no prompt ran, so there is nothing to sum up; {AGAIN}");
        ensure!(
            answered.checked_add(failed) == Some(prompts),
            "of {prompts} prompts {answered} succeeded and {failed} failed, which does not add up; \
             {AGAIN}"
        );
        ensure!(
            answered > 0,
            "none of its {prompts} prompts was answered; the backend's output says why"
        );
        Ok(totals)
    }
}

/// The energies. Other keys are not used: `country` and `region` echo the configuration, and
/// `carbon_intensity_g_per_kwh` holds a rate in kg/s.
fn energies(whole: &Part<'_>) -> anyhow::Result<Energies> {
    let energy = whole.need("energy")?;
    if let Some(error) = energy.find("error") {
        bail!(
            "its energy tracker failed, so its energies mean nothing: `energy.error` is {}; {AGAIN}",
            error.shown()
        );
    }
    let watt_hours = |key: &str| {
        let part = energy.need(key)?;
        believable(part.place(), part.amount()?)
    };
    // A fact of its sources of the first days of October 2025, before the first release.
    let apart = ENERGIES.iter().any(|key| energy.find(key).is_some());
    ensure!(
        apart || energy.find("energy_wh").is_none(),
        "its `energy` has `energy_wh` and no `{}`: the stack summed up the whole machine once, of \
         which the GPUs' part cannot be told; {AGAIN} with a release of it",
        ENERGIES[0]
    );
    ensure!(
        !energy.is_empty(),
        "its `energy` is empty: the run measured none; run the benchmark with `metrics.enabled: true`"
    );
    let [gpu, cpu, ram] = ENERGIES.map(watt_hours);
    Ok(Energies { gpu: gpu?, cpu: cpu?, ram: ram? })
}

/// What the report itself says of the devices.
fn reported(whole: &Part<'_>) -> anyhow::Result<Reported> {
    let text = |part: &str, key: &str| {
        whole.find(part).and_then(|part| part.find(key)).map(|part| part.text()).transpose()
    };
    let tracker = text("metrics_metadata", "name")?;
    let version = text("metrics_metadata", "version")?;
    Ok(Reported {
        tracker: tracker.zip(version).map(|(tracker, version)| format!("{tracker} {version}")),
        device: text("backend_info", "device")?.map(str::to_owned),
        // An object with a key for each; without names, and missing at first.
        gpus_listed: whole
            .find("gpu_stats")
            .is_some_and(|gpus| gpus.object().is_ok() && !gpus.is_empty()),
        gpus: vec![],
    })
}

/// What ran, as far as the stack's own report tells.
fn run(
    backend: Backend,
    model: &str,
    config: &Part<'_>,
    totals: &Totals,
    notes: &mut Vec<String>,
) -> anyhow::Result<Run> {
    let asked = config.find("num_samples").map(|part| part.count()).transpose()?;
    if let Some(asked) = asked.filter(|asked| *asked > totals.prompts) {
        notes.push(format!("{asked} prompts were asked for, {} ran", totals.prompts));
    }
    if totals.completion_tokens.is_none() {
        let who = if backend == Backend::Vllm { "the server" } else { "the backend" };
        notes.push(format!("{who} did not count tokens"));
    }
    // With a model of its own the stack divides the whole time by the tokens.
    let first = totals.first_token_seconds.filter(|_| backend == Backend::Vllm);
    Ok(Run {
        backend,
        model: model.to_owned(),
        prompts_asked: asked,
        prompts: totals.answered,
        prompts_failed: totals.failed,
        prompt_tokens: totals.prompt_tokens,
        prompts_cut: None,
        prompt_tokens_cut: None,
        completion_tokens: totals.completion_tokens,
        seconds: Some(totals.seconds),
        tokens_per_second: rate(totals.completion_tokens, Some(totals.seconds)),
        time_to_first_token_seconds: first.filter(|seconds| *seconds > 0.0),
        phases: vec![],
    })
}
