//! Which runs may be submitted.
//!
//! The rules are those of README.md, index.md, `text_generation.yaml` and `check_h100.py` of
//! AIEnergyScore, commit a5b9a048ecd44aa087cdd5b575a17d705128c424. Logs of a client and of a
//! quantised trial are refused because of the definitions of task and model in these documents.

use std::path::PathBuf;

use backend_reports::{Sourced, energy_text};
use contract::{
    Backend,
    output::{COMPLETION, ENERGY_WH, LOG, REPORT, SUMMARY},
    summary::{DeviceKind, Run, Status, Summary},
};

use super::{logs::RunLogs, model_class::ModelClass, rule::Rule, settings};
use crate::{
    finished_run::FinishedRun,
    metrics::ReportedRun,
    metrics::{Metrics, why_no_gpu},
    report::Report,
};

/// Where the rules are published.
pub(super) const SOURCE: &str = "https://huggingface.github.io/AIEnergyScore/#evaluating-models \
                                 (index.md of commit a5b9a04, December 2025)";

/// Names of the task's dataset, in `text_generation.yaml` and in the documentation.
const DATASETS: [&str; 2] = ["EnergyStarAI/text_generation", "AIEnergyScore/text_generation"];
/// Number of prompts in the dataset.
const PROMPTS: u64 = 1000;
/// Part of the names of admitted GPUs, as in `check_h100.py`.
const GPU: &str = "NVIDIA H100";
/// Admitted data types of the weights.
const DTYPES: [&str; 2] = ["bfloat16", "float16"];

/// A rule that a run violates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Violation {
    pub(super) folder: PathBuf,
    pub(super) rule: Rule,
    pub(super) why: String,
}

/// All rules that a run violates. A fact that the logs do not name violates its rule, too.
pub(super) fn check(
    ReportedRun { run, metrics }: &ReportedRun,
    logs: &RunLogs,
    class: Option<ModelClass>,
) -> Vec<Violation> {
    let mut found: Vec<(Rule, String)> = vec![];
    completeness(run, logs, &mut found);
    unaltered(run, logs, &mut found);
    found.extend(task(&run.summary.run).map(|why| (Rule::Task, why.to_owned())));
    found.extend(energy(run, metrics).map(|why| (Rule::Energy, why)));
    if metrics.gpu.is_some() {
        hardware(run, class, &mut found);
    }
    prompts(run, &mut found);
    found.extend(precision(run).map(|why| (Rule::Precision, why)));
    settings::check(&run.summary.run, logs, &mut found);
    let violation = |(rule, why)| Violation { folder: run.folder.clone(), rule, why };
    found.into_iter().map(violation).collect()
}

/// The rules that the runs of one archive violate together.
pub(super) fn check_together(report: &Report) -> Vec<Violation> {
    let broken = report.broken.iter().map(|broken| Violation {
        folder: broken.folder.clone(),
        rule: Rule::Logs,
        why: broken.reason.clone(),
    });
    let others = report.groups.iter().skip(1).map(|group| Violation {
        folder: report.runs[group.runs[0]].run.folder.clone(),
        rule: Rule::OneModel,
        why: "its model, settings or image differ from those of the first run; submit them apart"
            .to_owned(),
    });
    broken.chain(others).collect()
}

fn completeness(run: &FinishedRun, logs: &RunLogs, found: &mut Vec<(Rule, String)>) {
    if run.completion.is_none() {
        let why = format!("no `{COMPLETION}` proves that the run reached its end; run it again");
        found.push((Rule::Logs, why));
    }
    let missing: Vec<_> =
        [SUMMARY, ENERGY_WH, REPORT, LOG].into_iter().filter(|name| !logs.has(name)).collect();
    if !missing.is_empty() {
        let why = format!("{} missing; `aienergyscore run` leaves all of them", missing.join(", "));
        found.push((Rule::Logs, why));
    }
}

fn unaltered(run: &FinishedRun, logs: &RunLogs, found: &mut Vec<(Rule, String)>) {
    let mut altered = |why: String| found.push((Rule::Unaltered, why));
    let summary = &run.summary;
    match &logs.recomputed {
        _ if !logs.has(SUMMARY) => {}
        Err(reason) => {
            altered(format!("`{REPORT}` does not give the numbers of `{SUMMARY}`: {reason}"));
        }
        Ok(recomputed) => {
            if let Some(key) = difference(summary, recomputed) {
                altered(format!("`{key}` in `{SUMMARY}` is not what `{REPORT}` gives"));
            }
        }
    }
    if logs.energy_text().is_some_and(|text| text.trim_end() != energy_text(summary)) {
        altered(format!("`{ENERGY_WH}` is not what `{SUMMARY}` gives"));
    }
}

/// The first key in which a summary differs from the one computed from its report. What the host
/// adds to a summary, and when the phases ran, is not in the report.
fn difference(summary: &Summary, recomputed: &Summary) -> Option<&'static str> {
    let bits = |energy: Option<f64>| energy.map(f64::to_bits);
    let (one, other) = (summary, recomputed);
    let run = |of: &Summary| Run { phases: vec![], ..of.run.clone() };
    let differs = [
        ("total", bits(one.total) != bits(other.total)),
        ("preprocess_wh", bits(one.preprocess_wh) != bits(other.preprocess_wh)),
        ("prefill_wh", bits(one.prefill_wh) != bits(other.prefill_wh)),
        ("decode_wh", bits(one.decode_wh) != bits(other.decode_wh)),
        ("measurement", one.measurement != other.measurement),
        ("run", run(one) != run(other)),
    ];
    differs.into_iter().find_map(|(key, differs)| differs.then_some(key))
}

fn task(run: &Run) -> Option<&'static str> {
    match run.backend {
        Backend::Optimum | Backend::Pytorch => None,
        Backend::Native => Some(
            "the `native` backend runs a quantised model on the processor, to try things out; use \
             `optimum` or `pytorch`",
        ),
        Backend::Vllm => Some(
            "the `vllm` backend is a client only: its logs cannot show which GPUs its server used, \
             nor how it batched; use `optimum` or `pytorch`",
        ),
    }
}

fn energy(run: &FinishedRun, metrics: &Metrics) -> Option<String> {
    let Some(gpu) = &metrics.gpu else { return Some(why_no_gpu(run)) };
    match (gpu.metric.status, gpu.by_host) {
        (Status::Measured, false) => None,
        (Status::Measured, true) => Some(
            "only the host's meter saw the GPUs, and the logs of the benchmark do not have it"
                .to_owned(),
        ),
        _ => Some("the energy of the GPUs is an estimate".to_owned()),
    }
}

fn hardware(run: &FinishedRun, class: Option<ModelClass>, found: &mut Vec<(Rule, String)>) {
    let devices = run.summary.measurement.devices.iter();
    let devices = devices.filter(|device| device.kind == DeviceKind::Gpu);
    // GPUs that were measured together are one entry.
    let names: Vec<_> = devices.flat_map(|device| device.name.split(", ")).collect();
    if let Some(name) = names.iter().find(|name| !name.contains(GPU)) {
        let why = match *name {
            "GPU" => "the logs do not name the GPU".to_owned(),
            name => format!("it ran on {name}"),
        };
        found.push((Rule::Hardware, why));
    }
    let count = run.details.gpus.as_ref().map_or(0, |gpus| gpus.value).max(names.len());
    match (count, class) {
        (0, _) => found.push((Rule::Hardware, "the logs do not name the GPU".to_owned())),
        (1, _) | (_, Some(ModelClass::C)) => {}
        (count, _) => found.push((
            Rule::OneGpu,
            format!(
                "{count} GPUs were counted; run with `--gpus 1`, or add `--class C` if the model \
                 needs them"
            ),
        )),
    }
}

fn prompts(run: &FinishedRun, found: &mut Vec<(Rule, String)>) {
    let Run { prompts, prompts_asked, prompts_failed, .. } = &run.summary.run;
    let mut differs = |why: String| found.push((Rule::Dataset, why));
    if *prompts_failed > 0 {
        differs(format!("{prompts_failed} prompts failed"));
    }
    if let Some(asked) = prompts_asked.filter(|asked| asked != prompts) {
        differs(format!("{asked} prompts were asked for, {prompts} were answered"));
    }
    if *prompts != PROMPTS {
        differs(format!("{prompts} prompts were answered, of {PROMPTS}; run with `-n {PROMPTS}`"));
    }
    match &run.details.dataset {
        Some(dataset) if DATASETS.contains(&dataset.value.as_str()) => {}
        Some(Sourced { value, from }) => {
            differs(format!("the prompts are of `{value}` ({from}), not of `{}`", DATASETS[0]));
        }
        None => differs("the logs do not name the dataset".to_owned()),
    }
}

fn precision(run: &FinishedRun) -> Option<String> {
    let dtype = run.details.dtype.as_ref().map(|dtype| dtype.value.trim_start_matches("torch."));
    match dtype.filter(|dtype| *dtype != "auto") {
        Some(dtype) if DTYPES.contains(&dtype) => None,
        Some(dtype) => {
            Some(format!("the number type is {dtype}; run with `backend.torch_dtype=bfloat16`"))
        }
        None => Some("the logs do not tell the number type of the weights".to_owned()),
    }
}

#[cfg(test)]
mod tests;
