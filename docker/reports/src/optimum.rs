//! The summary of a report of optimum-benchmark: energies by phase.

use anyhow::{Context, bail, ensure};
use contract::{
    Backend,
    summary::{Run, Summary},
};
use serde_json::Value;

use super::{
    beside::Beside,
    json::AGAIN,
    part::Part,
    quoted::name,
    rate,
    record::{Claims, Record},
    tracked::{Energies, Judged, Standing, believable, judge},
};

/// The phases that count, as the score does: loading the dataset and the model does not.
const COUNTED: [&str; 3] = ["preprocess_dataset", PREFILL, DECODE];
const PREFILL: &str = "prefill";
const DECODE: &str = "decode";
/// The first one's name before optimum-benchmark 0.5.
const PREPROCESS_ONCE: &str = "preprocess";
/// Phases of other tasks, which have no score of text generation.
const OTHER_TASKS: [&str; 2] = ["forward", "call"];
/// A phase that all scenarios have that do not score.
const LOAD_MODEL: &str = "load_model";

/// Whether a report is by this stack: no other has its phases.
pub(super) fn wrote(report: &Value) -> bool {
    let mut known = COUNTED.iter().chain(&OTHER_TASKS).chain([&PREPROCESS_ONCE, &LOAD_MODEL]);
    known.any(|phase| report.get(phase).is_some())
}

/// The summary of a report.
pub(super) fn summary(
    report: &Value,
    record: Option<Record>,
    beside: Beside,
) -> anyhow::Result<Summary> {
    let phases = Phases::parse(&Part::whole(report))?;
    let answered = samples(&phases, record.as_ref(), &beside)?;
    let energies = phases.energies();
    let run = run(answered, &phases, &beside);
    let standing = match &record {
        Some(record) => {
            record.fits(Claims {
                stack: Backend::Optimum,
                model: beside.model.as_deref(),
                prompts_answered: None,
                prompts_failed: None,
                gpu: energies.gpu > 0.0,
            })?;
            Standing::recorded(record)
        }
        None => Standing::reported(energies, beside.reported),
    };
    let Judged { measurement, gpu_counts, mut notes } = judge(energies, standing);
    notes.extend(phases.notes());
    let counted = |energies: Energies| gpu_counts.then_some(energies.gpu);
    let run = record.as_ref().map_or(run, Record::run);
    if run.prompts_failed > 0 {
        let all = run.prompts.saturating_add(run.prompts_failed);
        notes.push(format!("{} of {all} prompts failed", run.prompts_failed));
    }
    notes.extend(record.into_iter().flat_map(|record| record.notes));
    let Phases { preprocess, prefill, decode, .. } = phases;
    Ok(Summary {
        units: "Wh".to_owned(),
        total: counted(energies),
        format: Backend::Optimum.name().to_owned(),
        preprocess_wh: counted(preprocess.energies),
        prefill_wh: counted(prefill.energies),
        decode_wh: counted(decode.energies),
        measurement,
        run,
        notes,
        cache: None,
        host: None,
        repeat: None,
    })
}

/// The counted phases of a report.
#[derive(Debug, Clone, PartialEq)]
struct Phases {
    preprocess: Phase,
    prefill: Phase,
    decode: Phase,
    writer: Writer,
    /// Passes over the prompts, of which the energies are means.
    passes: usize,
}

/// What wrote a report. Facts of the sources of optimum-benchmark, `energy_star/scenario.py`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Writer {
    /// 0.5.0 and later: decode is the energy of a second pass less that of prefill.
    Now,
    /// A branch of 2024 that measured the first scores: the same decode under the old names, and
    /// the energies of each of several passes in the list `measures`.
    Branch,
    /// 0.2.0 to 0.4.0: decode is the energy of the whole second pass.
    Once,
}

/// A counted phase, in Wh.
#[derive(Debug, Clone, PartialEq)]
struct Phase {
    energies: Energies,
    /// Samples, as the stack's efficiency stands for them.
    samples: Option<f64>,
    seconds: Option<f64>,
}

impl Phases {
    fn parse(report: &Part<'_>) -> anyhow::Result<Self> {
        let [now, once] = [COUNTED[0], PREPROCESS_ONCE].map(|phase| report.find(phase).is_some());
        ensure!(
            !(now && once),
            "it has both `{}` and `{PREPROCESS_ONCE}`, and no version of its stack writes that; \
             {AGAIN}",
            COUNTED[0]
        );
        let first = if once { PREPROCESS_ONCE } else { COUNTED[0] };
        for name in [first, PREFILL, DECODE] {
            ensure!(report.object()?.contains_key(name), missing(name, report));
        }
        let measures =
            report.need(PREFILL)?.find("measures").map(|part| part.list()).transpose()?;
        let writer = match (once, report.find("load").is_some() || measures.is_some()) {
            (false, _) => Writer::Now,
            (true, true) => Writer::Branch,
            (true, false) => Writer::Once,
        };
        let phase = |name: &str| Phase::parse(&report.need(name)?, false);
        let phases = Self {
            preprocess: phase(first)?,
            prefill: phase(PREFILL)?,
            decode: Phase::parse(&report.need(DECODE)?, writer != Writer::Once)?,
            writer,
            passes: measures.map_or(1, |measures| measures.len()),
        };
        let pairs = phases.prefill.energies.by_name().into_iter();
        for ((kind, prefill), (_, decode)) in pairs.zip(phases.decode.energies.by_name()) {
            // What is left of a difference of floats.
            ensure!(
                prefill + decode >= -1e-9 * prefill,
                "`{DECODE}.energy.{kind}` is {decode} Wh, which takes more away than the {prefill} Wh \
                 of `{PREFILL}`: no pass spends less than nothing; {AGAIN}"
            );
        }
        Ok(phases)
    }

    /// The energies that count.
    fn energies(&self) -> Energies {
        let phases = [&self.preprocess, &self.prefill, &self.decode];
        let sum = phases.into_iter().fold(Energies::default(), |sum, phase| {
            let Energies { gpu, cpu, ram } = phase.energies;
            Energies { gpu: sum.gpu + gpu, cpu: sum.cpu + cpu, ram: sum.ram + ram }
        });
        // What is left of a difference of floats is no energy.
        let Energies { gpu, cpu, ram } = sum;
        Energies { gpu: gpu.max(0.0), cpu: cpu.max(0.0), ram: ram.max(0.0) }
    }

    /// What a reader of the energies must know.
    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.decode.energies.by_name().into_iter().any(|(_, energy)| energy < 0.0) {
            notes.push(
                "the energy of decode, a difference of two passes, is below 0: the run was too \
                 short to tell them apart; take more samples"
                    .to_owned(),
            );
        }
        if self.writer == Writer::Once {
            notes.push(format!(
                "the phase is called `{PREPROCESS_ONCE}`, as by optimum-benchmark up to 0.4: its \
                 decode was a whole second pass, so the total counts prefill twice"
            ));
        }
        if self.passes > 1 {
            let passes = self.passes;
            notes.push(format!("energies of prefill and decode are means of {passes} passes"));
        }
        notes
    }
}

/// Why a report without the phase `name` has no score.
fn missing(name: &str, report: &Part<'_>) -> String {
    let has = |phase: &&str| report.find(phase).is_some();
    let hint = if let Some(task) = OTHER_TASKS.into_iter().find(has) {
        format!("`{task}` is of another task, which this summary does not know")
    } else {
        "the benchmark must run the scenario `energy_star`".to_owned()
    };
    format!(
        "the phase `{name}` is missing; a text generation has {}, and this report has {}: {hint}",
        COUNTED.map(|name| format!("`{name}`")).join(", "),
        report.keys()
    )
}

impl Phase {
    /// Reads a phase; only a difference of two passes may be below 0.
    fn parse(phase: &Part<'_>, difference: bool) -> anyhow::Result<Self> {
        let energy = phase.find("energy").with_context(|| {
            format!(
                "the phase `{}` has no energy; run the benchmark with `scenario.energy=true`",
                phase.place()
            )
        })?;
        let unit = energy.need("unit")?.text()?;
        let factor = match unit.to_ascii_lowercase().as_str() {
            "kwh" => 1000.0,
            "wh" => 1.0,
            "j" => 1.0 / 3600.0,
            _ => bail!("`{}.unit` is {}; known are kWh, Wh and J", energy.place(), name(unit)),
        };
        let watt_hours = |key: &str| {
            let part = energy.need(key)?;
            let value = if difference { part.number() } else { part.amount() }?;
            believable(part.place(), value * factor)
        };
        let energies =
            Energies { gpu: watt_hours("gpu")?, cpu: watt_hours("cpu")?, ram: watt_hours("ram")? };
        // Of the stack's own making: where it is no number, others tell how many prompts ran.
        let per_unit = phase.find("efficiency").and_then(|part| part.find("value")?.number().ok());
        // Without energy the stack writes an efficiency of 0.
        let total = energy.find("total").map(|part| part.number()).transpose()?;
        let total = total.filter(|total| *total > 0.0);
        let seconds = phase.find("latency").and_then(|part| part.find("total"));
        Ok(Self {
            energies,
            samples: per_unit.zip(total).map(|(per_unit, total)| (per_unit * total).round()),
            seconds: seconds.map(|part| part.seconds_apart()).transpose()?,
        })
    }
}

/// How many prompts ran, which all that tell it must agree on. The stack reports success for none:
/// its report then has a volume below 1, its configuration a number below 1.
fn samples(phases: &Phases, record: Option<&Record>, beside: &Beside) -> anyhow::Result<u64> {
    // Floats beyond count in steps; no run is that long.
    let countable = |number: &f64| number.abs() < 1e15;
    let reported = phases.preprocess.samples.filter(countable).map(|number| number as i64);
    let recorded = record.map(|record| i64::try_from(record.prompts_answered).unwrap_or(i64::MAX));
    let mut known: Option<(&str, i64)> = None;
    let mut all = false;
    for (number, whence) in [
        (recorded, "its record counts"),
        (beside.num_samples, "its configuration asked for"),
        (reported, "its efficiency stands for"),
    ] {
        let Some(number) = number else { continue };
        // Before 0.5 that ran all of the dataset, of a size that nothing tells.
        if number == -1 && phases.writer != Writer::Now {
            all = true;
            continue;
        }
        ensure!(number > 0, "no prompt ran: {whence} {number} prompts; {AGAIN}, with more");
        let (first, before) = *known.get_or_insert((whence, number));
        ensure!(
            number == before,
            "the files are of different runs: {first} {before} prompts, {whence} {number}; keep the \
             files of one run in a folder"
        );
    }
    let (_, known) = known.with_context(|| {
        let why = if all {
            format!(
                "all of the dataset was asked for; {AGAIN} with `scenario.num_samples=` a number"
            )
        } else {
            "its first phase has no efficiency, and no `benchmark_config.json` with \
             `scenario.num_samples` is beside it; put that there"
                .to_owned()
        };
        format!("nothing tells how many prompts ran: {why}")
    })?;
    Ok(u64::try_from(known)?)
}

/// What ran, as far as the stack's own files tell.
fn run(answered: u64, phases: &Phases, beside: &Beside) -> Run {
    let completion_tokens = beside.answer_tokens.and_then(|length| answered.checked_mul(length));
    // The second pass is the whole answer; the report has it less the first one.
    let passes = phases.prefill.seconds.zip(phases.decode.seconds);
    let passes = passes.map(|(prefill, decode)| prefill + decode).filter(|seconds| *seconds > 0.0);
    let seconds = passes.or(beside.seconds);
    Run {
        backend: Backend::Optimum,
        model: beside.model.clone().unwrap_or_else(|| "not recorded".to_owned()),
        prompts_asked: None,
        prompts: answered,
        prompts_failed: 0,
        prompt_tokens: None,
        prompts_cut: None,
        prompt_tokens_cut: None,
        completion_tokens,
        seconds,
        tokens_per_second: rate(completion_tokens, seconds),
        time_to_first_token_seconds: None,
        phases: vec![],
    }
}
