//! The summary of a report of optimum-benchmark: energies by phase.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context, bail, ensure};
use contract::{
    Backend,
    summary::{Run, Summary},
};
use serde::Deserialize;
use serde_json::Value;

use super::{
    json,
    record::Record,
    tracked::{Energies, Judged, judge},
};

/// The phases that count, as the score does: loading the dataset and the model does not.
const COUNTED: [&str; 3] = ["preprocess_dataset", "prefill", "decode"];

/// A phase of the report.
#[derive(Debug, Clone, PartialEq, Deserialize)]
struct Phase {
    energy: Option<Energy>,
    efficiency: Option<Efficiency>,
    latency: Option<Latency>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
struct Energy {
    unit: String,
    cpu: f64,
    ram: f64,
    gpu: f64,
    total: f64,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
struct Efficiency {
    value: f64,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
struct Latency {
    total: f64,
}

/// What else the stack leaves beside its report.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Beside {
    config: Option<Config>,
    generate: Option<Emissions>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
struct Config {
    backend: BackendConfig,
    scenario: Scenario,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
struct BackendConfig {
    model: String,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
struct Scenario {
    num_samples: i64,
    #[serde(default)]
    generate_kwargs: BTreeMap<String, Value>,
}

/// The tracker's own file of one task.
#[derive(Debug, Clone, PartialEq, Deserialize)]
struct Emissions {
    duration: f64,
}

impl Beside {
    /// Reads what is there.
    pub(super) fn read(folder: &Path) -> anyhow::Result<Self> {
        Ok(Self {
            config: json(&folder.join("benchmark_config.json"))?,
            generate: json(&folder.join("generate_codecarbon.json"))?,
        })
    }
}

/// The summary of a report.
pub(super) fn summary(
    report: Value,
    record: Option<Record>,
    beside: &Beside,
) -> anyhow::Result<Summary> {
    let [preprocess, prefill, decode] = phases(&report)?;
    let answered = samples(&preprocess, record.as_ref(), beside)?;
    let watt_hours = [&preprocess, &prefill, &decode].map(|phase| phase.energies);
    let [preprocess_wh, prefill_wh, decode_wh] = watt_hours;
    let Judged { measurement, gpu_counts, mut notes } = judge(sum(watt_hours), record.as_ref());
    if prefill.total + decode.total > 0.0 && decode.total < 0.0 {
        notes.push(
            "the energy of decode, a difference of two passes, is below 0: the run was too short to \
             tell them apart; take more samples"
                .to_owned(),
        );
    }
    let counted = |energies: Energies| gpu_counts.then_some(energies.gpu);
    let run = match &record {
        Some(record) => record.run(),
        None => run(answered, &prefill, &decode, beside),
    };
    if let Some(record) = record {
        notes.extend(record.notes);
    }
    Ok(Summary {
        units: "Wh".to_owned(),
        total: counted(sum(watt_hours)),
        format: Backend::Optimum.name().to_owned(),
        preprocess_wh: counted(preprocess_wh),
        prefill_wh: counted(prefill_wh),
        decode_wh: counted(decode_wh),
        measurement,
        run,
        notes,
        cache: None,
    })
}

/// A counted phase, in Wh.
#[derive(Debug, Clone, PartialEq)]
struct Counted {
    energies: Energies,
    total: f64,
    /// Units of work per kWh, as the stack computed it.
    efficiency: Option<f64>,
    seconds: Option<f64>,
}

fn phases(report: &Value) -> anyhow::Result<[Counted; 3]> {
    let found: Vec<_> = report.as_object().into_iter().flat_map(|keys| keys.keys()).collect();
    let phase = |name: &str| -> anyhow::Result<Counted> {
        let value = report.get(name).with_context(|| {
            let found: Vec<_> = found.iter().map(|name| format!("`{name}`")).collect();
            format!(
                "the phase `{name}` is missing; a text generation has {}, and this report has {}",
                COUNTED.map(|name| format!("`{name}`")).join(", "),
                found.join(", ")
            )
        })?;
        let reading = || format!("reading the phase `{name}`");
        let phase = Phase::deserialize(value).with_context(reading)?;
        let energy = phase.energy.with_context(|| format!("the phase `{name}` has no energy"))?;
        counted(energy, phase.efficiency, phase.latency).with_context(reading)
    };
    Ok([phase(COUNTED[0])?, phase(COUNTED[1])?, phase(COUNTED[2])?])
}

fn counted(
    energy: Energy,
    efficiency: Option<Efficiency>,
    latency: Option<Latency>,
) -> anyhow::Result<Counted> {
    let Energy { unit, cpu, ram, gpu, total } = energy;
    let factor = match unit.to_ascii_lowercase().as_str() {
        "kwh" => 1000.0,
        "wh" => 1.0,
        "j" => 1.0 / 3600.0,
        _ => bail!("its energy is in `{unit}`; known are kWh, Wh and J"),
    };
    Ok(Counted {
        energies: Energies { gpu: gpu * factor, cpu: cpu * factor, ram: ram * factor },
        total: total * factor,
        efficiency: efficiency.map(|efficiency| efficiency.value * 1000.0 / factor),
        seconds: latency.map(|latency| latency.total),
    })
}

fn sum(phases: [Energies; 3]) -> Energies {
    phases.into_iter().fold(Energies::default(), |sum, phase| Energies {
        gpu: sum.gpu + phase.gpu,
        cpu: sum.cpu + phase.cpu,
        ram: sum.ram + phase.ram,
    })
}

/// How many prompts ran. The stack reports success for none: its report then has a volume below 1,
/// its configuration a number below 1.
fn samples(preprocess: &Counted, record: Option<&Record>, beside: &Beside) -> anyhow::Result<u64> {
    let configured = beside.config.as_ref().map(|config| config.scenario.num_samples);
    // The stack divides the number of samples by the energy.
    let reported = preprocess.efficiency.map(|value| (value * preprocess.total / 1000.0).round());
    let recorded = record.map(|record| record.prompts_answered as i64);
    for (number, whence) in [
        (recorded, "its record counts"),
        (configured, "its configuration asked for"),
        (reported.map(|number| number as i64), "its efficiency stands for"),
    ] {
        if let Some(number) = number {
            ensure!(number > 0, "no prompt ran: {whence} {number} prompts");
        }
    }
    let known = recorded.or(configured).or(reported.map(|number| number as i64));
    let known = known.context("nothing tells how many prompts ran")?;
    Ok(u64::try_from(known)?)
}

/// What ran, as far as the stack's own files tell.
fn run(answered: u64, prefill: &Counted, decode: &Counted, beside: &Beside) -> Run {
    let config = beside.config.as_ref();
    let length = |name: &str| config?.scenario.generate_kwargs.get(name)?.as_u64();
    let fixed = length("max_new_tokens").filter(|max| length("min_new_tokens") == Some(*max));
    let completion_tokens = fixed.map(|length| answered * length);
    // The second pass is the whole answer; the report has it less the first one.
    let passes = prefill.seconds.zip(decode.seconds).map(|(prefill, decode)| prefill + decode);
    let seconds = passes.or(beside.generate.as_ref().map(|emissions| emissions.duration));
    let rate = completion_tokens.zip(seconds).map(|(tokens, seconds)| tokens as f64 / seconds);
    Run {
        backend: Backend::Optimum,
        model: config.map_or("not recorded", |config| &config.backend.model).to_owned(),
        prompts_asked: None,
        prompts: answered,
        prompts_failed: 0,
        prompt_tokens: None,
        completion_tokens,
        seconds,
        tokens_per_second: rate.filter(|rate| rate.is_finite()),
        time_to_first_token_seconds: None,
    }
}
