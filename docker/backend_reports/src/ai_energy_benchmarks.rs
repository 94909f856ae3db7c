//! Summarizes a report of ai_energy_benchmarks, which has energies of the whole run.

use anyhow::{bail, ensure};
use contract::{Backend, summary::Run};
use serde_json::Value;

use super::{
    energy::{Attributed, Basis, Energies, Reported, attribute, believable},
    numbers::Reading,
    numbers::traced::Traced,
    numbers::{Numbers, RunNumbers},
    record::{Claims, Record},
    source::json::AGAIN,
    source::node::Node,
};

/// Backends of the stack.
const BACKENDS: [Backend; 2] = [Backend::Pytorch, Backend::Vllm];

/// Key in `summary` for the number of prompts.
const PROMPTS: &str = "total_prompts";
/// Key in `summary` for the number of answered prompts.
const ANSWERED: &str = "successful_prompts";

/// Whether a report is by this stack.
pub(super) fn wrote(report: &Value) -> bool {
    let has = |key| report.get(key).is_some_and(Value::is_object);
    let counted = report.get("summary").is_some_and(|summary| summary.get(PROMPTS).is_some());
    has("config") && has("summary") && (has("energy") || counted)
}

/// Summarizes a report.
pub(super) fn summary(root: &Node<'_>, record: Option<Record>) -> anyhow::Result<Reading> {
    let config = root.need("config")?;
    let backends = BACKENDS.map(|backend| (backend.name(), backend));
    let backend = config.need("backend")?.one_of(backends)?;
    let model = config.need("model")?.text()?;
    let totals = root.need("summary")?;
    let prompts = Prompts::parse(&totals)?;
    let energies = energies(root)?;
    let basis = match &record {
        Some(record) => {
            record.fits(Claims {
                backend,
                model: Some(model),
                prompts: Some(prompts.answered),
                prompts_failed: Some(prompts.failed),
                gpu: energies.gpu.value > 0.0,
            })?;
            Basis::recorded(record)
        }
        None => Basis::reported(&energies, reported(root)?),
    };
    let Attributed { measurement, numbers: energy, mut notes } = attribute(energies, basis);
    if prompts.failed > 0 {
        notes.push(format!(
            "{} of {} prompts failed: their energy counts, their answers do not",
            prompts.failed, prompts.all
        ));
    }
    let own = numbers(&totals, backend)?;
    let (run, numbers) = match record {
        Some(Record { run, numbers, notes: recorded, .. }) => {
            notes.extend(recorded);
            (run, numbers)
        }
        None => {
            if energy.total.is_some() && backend == Backend::Vllm {
                notes.push(
                    "the model ran in a server: the GPUs are those that the benchmark itself saw"
                        .to_owned(),
                );
            }
            let asked = config.optional("num_samples", Node::count)?;
            if let Some(asked) = asked.filter(|asked| *asked > prompts.all) {
                notes.push(format!("{asked} prompts were asked for, {} ran", prompts.all));
            }
            if own.tokens.is_none() {
                let who = if backend == Backend::Vllm { "the server" } else { "the backend" };
                notes.push(format!("{who} did not count tokens"));
            }
            let run = Run {
                prompts_asked: asked,
                prompts_failed: prompts.failed,
                prompt_tokens: totals
                    .optional("total_prompt_tokens", Node::count)?
                    .filter(|tokens| *tokens > 0),
                ..own.run(backend, model)
            };
            (run, own)
        }
    };
    let numbers = Numbers { energy, run: numbers };
    // The stack measures the loop over all prompts as one, so there are no phases.
    let summary = numbers.summary("ai_energy_benchmarks", run, measurement, notes);
    Ok(Reading { summary, numbers })
}

/// Numbers of answered and failed prompts.
struct Prompts {
    all: u64,
    answered: u64,
    failed: u64,
}

impl Prompts {
    fn parse(totals: &Node<'_>) -> anyhow::Result<Self> {
        let [all, answered, failed] =
            [PROMPTS, ANSWERED, "failed_prompts"].map(|key| totals.need(key)?.count());
        let (all, answered, failed) = (all?, answered?, failed?);
        ensure!(all > 0, "no prompt ran, so there is nothing to sum up; {AGAIN}");
        ensure!(
            answered.checked_add(failed) == Some(all),
            "of {all} prompts {answered} succeeded and {failed} failed, which does not add up; {AGAIN}"
        );
        ensure!(
            answered > 0,
            "none of its {all} prompts was answered; the backend's output says why"
        );
        Ok(Self { all, answered, failed })
    }
}

/// Numbers from the stack's own report.
fn numbers(totals: &Node<'_>, backend: Backend) -> anyhow::Result<RunNumbers> {
    let above_zero = |number: &Traced| number.value > 0.0;
    // Added in October 2025. For a model in its own process, the stack divides the whole time by the
    // tokens.
    let first = totals.optional("avg_time_to_first_token", Node::timed)?;
    Ok(RunNumbers {
        prompts: totals.need(ANSWERED)?.counted()?,
        // Not every server counts tokens.
        tokens: totals.optional("total_completion_tokens", Node::counted)?.filter(above_zero),
        seconds: Some(totals.need("total_duration_seconds")?.timed()?),
        first_token: first.filter(|_| backend == Backend::Vllm).filter(above_zero),
    })
}

/// Energies of a report. Unused keys: `country` and `region` repeat the configuration, and
/// `carbon_intensity_g_per_kwh` holds a rate in kg/s.
fn energies(root: &Node<'_>) -> anyhow::Result<Energies> {
    let energy = root.need("energy")?;
    if let Some(error) = energy.find("error") {
        bail!(
            "its energy tracker failed, so its energies mean nothing: `energy.error` is {}; {AGAIN}",
            error.shown()
        );
    }
    let watt_hours = |key: &str| believable(&energy.need(key)?);
    ensure!(
        !energy.is_empty(),
        "its `energy` is empty: the run measured none; run the benchmark with `metrics.enabled: true`"
    );
    Ok(Energies {
        gpu: watt_hours("gpu_energy_wh")?,
        cpu: watt_hours("cpu_energy_wh")?,
        ram: watt_hours("ram_energy_wh")?,
    })
}

/// Devices according to the report.
fn reported(root: &Node<'_>) -> anyhow::Result<Reported> {
    let text = |part: &str, key: &str| {
        root.find(part).and_then(|part| part.find(key)).map(|node| node.text()).transpose()
    };
    let tracker = text("metrics_metadata", "name")?;
    let version = text("metrics_metadata", "version")?;
    Ok(Reported {
        tracker: tracker.zip(version).map(|(tracker, version)| format!("{tracker} {version}")),
        device: text("backend_info", "device")?.map(str::to_owned),
        // An object with a key for each GPU, without names. Missing in early versions.
        gpus_listed: root
            .find("gpu_stats")
            .is_some_and(|gpus| gpus.object().is_ok() && !gpus.is_empty()),
        gpus: vec![],
    })
}
