//! Summarizes a report of optimum-benchmark, which has energies by phase.

mod companions;

use anyhow::{Context, bail, ensure};
use contract::Backend;
use serde_json::Value;

use super::{
    energy::{Attributed, Basis, Energies, attribute, in_reach},
    numbers::Reading,
    numbers::traced::Traced,
    numbers::{Numbers, RunNumbers},
    record::{Claims, Record},
    source::files::CONFIG,
    source::json::AGAIN,
    source::node::{Node, name},
};

pub(super) use self::companions::Companions;

/// Counted phases, the same as for the score. Loading of dataset and model is not counted.
const COUNTED: [&str; 3] = ["preprocess_dataset", PREFILL, DECODE];
const PREFILL: &str = "prefill";
const DECODE: &str = "decode";
/// Name of the first phase before optimum-benchmark 0.5.
const PREPROCESS_ONCE: &str = "preprocess";
/// Phases of tasks other than text generation.
const OTHER_TASKS: [&str; 2] = ["forward", "call"];
/// A phase of all scenarios without a score.
const LOAD_MODEL: &str = "load_model";

/// Whether a report is by this stack. No other stack has its phases.
pub(super) fn wrote(report: &Value) -> bool {
    let mut known = COUNTED.iter().chain(&OTHER_TASKS).chain([&PREPROCESS_ONCE, &LOAD_MODEL]);
    known.any(|phase| report.get(phase).is_some())
}

/// Summarizes a report.
pub(super) fn summary(
    root: &Node<'_>,
    record: Option<Record>,
    companions: Companions,
) -> anyhow::Result<Reading> {
    let phases = Phases::parse(root)?;
    let prompts = samples(&phases, record.as_ref(), &companions)?;
    let energies = phases.energies();
    let own = numbers(prompts, &phases, &companions);
    let model = companions.model.as_deref();
    let basis = match &record {
        Some(record) => {
            record.fits(Claims {
                backend: Backend::Optimum,
                model,
                prompts: None,
                prompts_failed: None,
                gpu: energies.gpu.value > 0.0,
            })?;
            Basis::recorded(record)
        }
        None => Basis::reported(&energies, companions.reported),
    };
    let Attributed { measurement, numbers: mut energy, mut notes } = attribute(energies, basis);
    notes.extend(phases.notes());
    let (run, numbers) = match record {
        Some(Record { run, numbers, notes: recorded, .. }) => {
            if run.prompts_failed > 0 {
                let all = run.prompts.saturating_add(run.prompts_failed);
                notes.push(format!("{} of {all} prompts failed", run.prompts_failed));
            }
            notes.extend(recorded);
            (run, numbers)
        }
        None => (own.run(Backend::Optimum, model.unwrap_or("not recorded")), own),
    };
    if energy.total.is_some() {
        let Phases { preprocess, prefill, decode, .. } = phases;
        energy.phases = [preprocess, prefill, decode].map(|phase| Some(phase.energies.gpu));
    }
    let numbers = Numbers { energy, run: numbers };
    let summary = numbers.summary(Backend::Optimum.name(), run, measurement, notes);
    Ok(Reading { summary, numbers })
}

/// The counted phases of a report.
#[derive(Debug, Clone, PartialEq)]
struct Phases {
    preprocess: Phase,
    prefill: Phase,
    decode: Phase,
    writer: Writer,
    /// Passes over the prompts. The energies are means over them.
    passes: usize,
}

/// Version of the report, by `energy_star/scenario.py` of optimum-benchmark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Writer {
    /// 0.5.0 and later: decode is the energy of a second pass minus that of prefill.
    Now,
    /// The branch of 2024 that measured the first scores: decode as in 0.5.0 under the old names, and
    /// the energies of each pass in the list `measures`.
    Branch,
    /// 0.2.0 to 0.4.0: decode is the energy of the whole second pass.
    Once,
}

/// A counted phase, in Wh.
#[derive(Debug, Clone, PartialEq)]
struct Phase {
    energies: Energies,
    /// Samples, derived from the stack's efficiency.
    samples: Option<Traced>,
    seconds: Option<Traced>,
}

impl Phases {
    fn parse(report: &Node<'_>) -> anyhow::Result<Self> {
        let once = report.find(PREPROCESS_ONCE).is_some();
        let first = if once { PREPROCESS_ONCE } else { COUNTED[0] };
        for name in [first, PREFILL, DECODE] {
            ensure!(
                report.object()?.contains_key(name),
                "the phase `{name}` is missing: the scenario `energy_star` of a text generation \
                 writes it, and this report has {}",
                report.keys()
            );
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
        let (prefill, decode) = (&phases.prefill.energies, &phases.decode.energies);
        for (kind, prefill, decode) in [
            ("gpu", prefill.gpu.value, decode.gpu.value),
            ("cpu", prefill.cpu.value, decode.cpu.value),
            ("ram", prefill.ram.value, decode.ram.value),
        ] {
            // The rounding error of a difference.
            ensure!(
                prefill + decode >= -1e-9 * prefill,
                "`{DECODE}.energy.{kind}` is {decode} Wh, which takes more away than the {prefill} Wh \
                 of `{PREFILL}`: no pass spends less than nothing; {AGAIN}"
            );
        }
        Ok(phases)
    }

    /// Energies of the counted phases.
    fn energies(&self) -> Energies {
        let phases = [&self.preprocess, &self.prefill, &self.decode];
        let sum = |kind: fn(&Energies) -> &Traced| {
            let [preprocess, prefill, decode] = phases.map(|phase| kind(&phase.energies).clone());
            let Traced { value, trace } = preprocess + prefill + decode;
            // A rounding error is no energy.
            Traced { value: value.max(0.0), trace }
        };
        Energies {
            gpu: sum(|energies| &energies.gpu),
            cpu: sum(|energies| &energies.cpu),
            ram: sum(|energies| &energies.ram),
        }
    }

    /// Notes for readers of the energies.
    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        let Energies { gpu, cpu, ram } = &self.decode.energies;
        if [gpu, cpu, ram].into_iter().any(|energy| energy.value < 0.0) {
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

impl Phase {
    /// Parses a phase. Only a difference of two passes may be negative.
    fn parse(phase: &Node<'_>, difference: bool) -> anyhow::Result<Self> {
        let energy = phase.find("energy").with_context(|| {
            format!(
                "the phase `{}` has no energy; run the benchmark with `scenario.energy=true`",
                phase.path()
            )
        })?;
        let unit = energy.need("unit")?.text()?;
        let to_watt_hours: fn(Traced) -> Traced = match unit.to_ascii_lowercase().as_str() {
            "kwh" => |energy| energy * 1000.0,
            "wh" => |energy| energy,
            "j" => |energy| energy / 3600.0,
            _ => bail!("`{}.unit` is {}; known are kWh, Wh and J", energy.path(), name(unit)),
        };
        let watt_hours = |key: &str| {
            let node = energy.need(key)?;
            let value = if difference { node.number() } else { node.amount() }?;
            in_reach(node.path(), to_watt_hours(node.traced(value)))
        };
        let energies =
            Energies { gpu: watt_hours("gpu")?, cpu: watt_hours("cpu")?, ram: watt_hours("ram")? };
        let number = |node: &Node<'_>| Ok(node.traced(node.number()?));
        // Computed by the stack. If it is no number, other values have the number of prompts.
        let per_unit = phase.find("efficiency").and_then(|node| node.find("value"));
        let per_unit = per_unit.and_then(|node| number(&node).ok());
        // Without energy the stack writes an efficiency of 0.
        let total = energy.optional("total", number)?.filter(|total| total.value > 0.0);
        let passed = |node: &Node<'_>| anyhow::Ok(node.traced(node.seconds_apart()?));
        let latency = phase.find("latency").and_then(|latency| latency.find("total"));
        Ok(Self {
            energies,
            samples: per_unit.zip(total).map(|(per_unit, total)| per_unit * total),
            seconds: latency.map(|latency| passed(&latency)).transpose()?,
        })
    }
}

/// Number of prompts, on which all sources must agree. The stack also reports success for no prompts,
/// with a volume or a configured number below 1.
fn samples(
    phases: &Phases,
    record: Option<&Record>,
    companions: &Companions,
) -> anyhow::Result<Traced> {
    let mut known: Option<(&str, Traced)> = None;
    for (number, whence) in [
        (record.map(|record| &record.numbers.prompts), "its record counts"),
        (companions.num_samples.as_ref(), "its configuration asked for"),
        (phases.preprocess.samples.as_ref(), "its efficiency stands for"),
    ] {
        let Some(Traced { value, trace }) = number else { continue };
        let number = value.round();
        // Before 0.5 this ran the whole dataset, whose size is unknown.
        let is_all = number == -1.0 && phases.writer != Writer::Now;
        // Larger floats have no exact integers. No run is that long.
        if is_all || number.abs() >= 1e15 {
            continue;
        }
        ensure!(number > 0.0, "no prompt ran: {whence} {number} prompts; {AGAIN}, with more");
        let (first, before) =
            known.get_or_insert_with(|| (whence, Traced { value: number, trace: trace.clone() }));
        ensure!(
            number == before.value,
            "the files are of different runs: {first} {} prompts, {whence} {number}; keep the files \
             of one run in a folder",
            before.value
        );
    }
    let (_, known) = known.with_context(|| {
        format!(
            "nothing tells how many prompts ran: its first phase has no efficiency, and `{CONFIG}` \
             beside it no number in `scenario.num_samples`"
        )
    })?;
    Ok(known)
}

/// Numbers from the stack's own files.
fn numbers(prompts: Traced, phases: &Phases, companions: &Companions) -> RunNumbers {
    // The second pass is the whole answer. The report has it minus the first pass.
    let passes = phases.prefill.seconds.clone().zip(phases.decode.seconds.clone());
    let passes = passes.map(|(prefill, decode)| prefill + decode);
    let length = companions.answer_tokens.clone();
    RunNumbers {
        tokens: length.map(|length| prompts.clone() * length),
        prompts,
        seconds: passes.filter(|seconds| seconds.value > 0.0).or(companions.seconds.clone()),
        // Not measured by the stack.
        first_token: None,
    }
}
