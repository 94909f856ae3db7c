//! Which runs may be submitted. The rules are facts of AIEnergyScore's documents, README.md and
//! index.md of commit a5b9a048ecd44aa087cdd5b575a17d705128c424, and of `text_generation.yaml` and
//! `check_h100.py` beside them; that a client's and a quantised trial's logs are none, follows from
//! what the documents say of the task and the model. The task's settings are in `settings`.

use std::path::PathBuf;

use contract::{
    Backend,
    output::{COMPLETION, ENERGY_WH, LOG, REPORT, SUMMARY},
    summary::{DeviceKind, Run, Status, Summary},
};
use reports::energy_text;

use super::{
    super::{
        finished_run::{FinishedRun, Runs, Sourced},
        groups::Group,
        metrics::{Metrics, why_no_gpu},
    },
    logs::RunLogs,
    model_class::ModelClass,
    rule::Rule,
    settings,
};

/// Where the rules are.
pub(super) const SOURCE: &str = "https://huggingface.github.io/AIEnergyScore/#evaluating-models \
                                 (index.md of commit a5b9a04, December 2025)";

/// The task's dataset: `text_generation.yaml` names the first, the documentation the second.
const DATASETS: [&str; 2] = ["EnergyStarAI/text_generation", "AIEnergyScore/text_generation"];
/// Prompts of the dataset.
const PROMPTS: u64 = 1000;
/// Part of the name of every GPU that counts: `check_h100.py` looks for it.
const GPU: &str = "NVIDIA H100";
/// Number types of the task.
const DTYPES: [&str; 2] = ["bfloat16", "float16"];

/// Why a run may not be submitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Violation {
    pub(super) folder: PathBuf,
    pub(super) rule: Rule,
    pub(super) why: String,
}

/// What excludes a run, all of it. What the logs do not tell excludes it, too: nobody else can.
pub(super) fn check(
    run: &FinishedRun,
    metrics: &Metrics,
    logs: &RunLogs,
    class: Option<ModelClass>,
) -> Vec<Violation> {
    let mut found: Vec<(Rule, String)> = vec![];
    completeness(run, logs, &mut found);
    unaltered(run, logs, &mut found);
    task(&run.summary.run, &mut found);
    energy(run, metrics, &mut found);
    if metrics.gpu.is_some() {
        hardware(run, class, &mut found);
    }
    prompts(run, &mut found);
    precision(run, &mut found);
    settings::check(&run.summary.run, logs, &mut found);
    let violation = |(rule, why)| Violation { folder: run.folder.clone(), rule, why };
    found.into_iter().map(violation).collect()
}

/// What excludes runs together.
pub(super) fn check_together(all: &Runs, groups: &[Group]) -> Vec<Violation> {
    let broken = all.broken.iter().map(|broken| Violation {
        folder: broken.folder.clone(),
        rule: Rule::Logs,
        why: broken.reason.clone(),
    });
    let others = groups.iter().skip(1).map(|group| Violation {
        folder: all.runs[group.runs[0]].folder.clone(),
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
    let summary = &run.summary;
    if logs.has(SUMMARY) {
        match &logs.remade {
            Err(reason) => found.push((
                Rule::Unaltered,
                format!("`{REPORT}` does not give the numbers of `{SUMMARY}`: {reason}"),
            )),
            Ok(remade) => {
                if let Some(differs) = difference(summary, remade) {
                    found.push((
                        Rule::Unaltered,
                        format!("`{differs}` in `{SUMMARY}` is not what `{REPORT}` gives"),
                    ));
                }
            }
        }
    }
    let text = logs.energy_text().filter(|text| text.trim_end() != energy_text(summary));
    if text.is_some() {
        let why = format!("`{ENERGY_WH}` is not what `{SUMMARY}` gives");
        found.push((Rule::Unaltered, why));
    }
}

/// The first number in which a summary differs from one that was made of its report. What the host
/// adds to a summary, and when the phases ran, is not in the report.
fn difference(summary: &Summary, remade: &Summary) -> Option<&'static str> {
    let numbers = |of: &Summary| {
        [of.total, of.preprocess_wh, of.prefill_wh, of.decode_wh]
            .map(|energy| energy.map(f64::to_bits))
    };
    let keys = ["total", "preprocess_wh", "prefill_wh", "decode_wh"];
    let pairs = numbers(summary).into_iter().zip(numbers(remade));
    let energies = keys.into_iter().zip(pairs).find(|(_, (one, two))| one != two);
    let run = |of: &Summary| Run { phases: vec![], ..of.run.clone() };
    energies
        .map(|(key, _)| key)
        .or_else(|| (summary.measurement != remade.measurement).then_some("measurement"))
        .or_else(|| (run(summary) != run(remade)).then_some("run"))
}

fn task(run: &Run, found: &mut Vec<(Rule, String)>) {
    let why = match run.backend {
        Backend::Optimum | Backend::Pytorch => return,
        Backend::Native => {
            "the `native` backend runs a quantised model on the processor, to try things out; use \
             `optimum` or `pytorch`"
        }
        Backend::Vllm => {
            "the `vllm` backend is a client only: its logs cannot show which GPUs its server used, \
             nor how it batched; use `optimum` or `pytorch`"
        }
    };
    found.push((Rule::Task, why.to_owned()));
}

fn energy(run: &FinishedRun, metrics: &Metrics, found: &mut Vec<(Rule, String)>) {
    let by_host = metrics.gpu.as_ref().is_some_and(|gpu| gpu.by_host);
    let why = match metrics.gpu.as_ref().map(|gpu| gpu.metric.status) {
        Some(Status::Measured) if !by_host => return,
        Some(Status::Measured) => {
            "only the host's meter saw the GPUs, and the logs of the benchmark do not have it"
                .to_owned()
        }
        Some(_) => "the energy of the GPUs is an estimate".to_owned(),
        None => why_no_gpu(run),
    };
    found.push((Rule::Energy, why));
}

fn hardware(run: &FinishedRun, class: Option<ModelClass>, found: &mut Vec<(Rule, String)>) {
    let devices = run.summary.measurement.devices.iter();
    let devices = devices.filter(|device| device.kind == DeviceKind::Gpu);
    // Several that were measured together are one entry.
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
        Some(told) if DATASETS.contains(&told.value.as_str()) => {}
        Some(Sourced { value, from }) => {
            differs(format!("the prompts are of `{value}` ({from}), not of `{}`", DATASETS[0]));
        }
        None => differs("the logs do not name the dataset".to_owned()),
    }
}

fn precision(run: &FinishedRun, found: &mut Vec<(Rule, String)>) {
    let dtype = run.details.dtype.as_ref().map(|told| told.value.trim_start_matches("torch."));
    let why = match dtype.filter(|dtype| *dtype != "auto") {
        Some(dtype) if DTYPES.contains(&dtype) => return,
        Some(dtype) => {
            format!("the number type is {dtype}; run with `backend.torch_dtype=bfloat16`")
        }
        None => "the logs do not tell the number type of the weights".to_owned(),
    };
    found.push((Rule::Precision, why));
}

#[cfg(test)]
mod tests;
