//! The numbers that are shown of a run, each with how it was come by and where it is from.

use contract::{
    Backend,
    host_meter::HostMeter,
    output::SUMMARY,
    summary::{DeviceKind, Measurement, Status},
};
use reports::{EnergyNumbers, Numbers, RunNumbers, Trace, Traced};
use serde::Serialize;

use super::finished_run::FinishedRun;

/// A number.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Metric {
    /// Its value.
    pub value: f64,
    /// Whether what it stands on was measured.
    pub status: Status,
    /// The counter, clock or model behind it.
    pub source: String,
    /// The files and keys that it is from.
    #[serde(rename = "from")]
    pub trace: Trace,
}

impl Metric {
    fn of(number: Traced, status: Status, source: impl Into<String>) -> Self {
        let Traced { value, trace } = number;
        Self { value, status, source: source.into(), trace }
    }
}

/// Energy per 1,000 prompts, as a kind of device drew it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Drawn {
    /// The energy, in Wh per 1,000 answered prompts.
    #[serde(flatten)]
    pub(crate) metric: Metric,
    /// The devices.
    pub kind: DeviceKind,
    /// Whether it was the host that metered, beside the benchmark.
    pub(crate) by_host: bool,
    /// Whether too much of it is the tracker's own waiting: it is not the model's then.
    pub too_short: bool,
}

/// All numbers that are shown of a run.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Metrics {
    /// GPU energy in Wh per 1,000 answered prompts: the score.
    pub gpu: Option<Drawn>,
    /// The same by phase, where the backend tells these apart: name and energy.
    pub phases: Vec<(&'static str, Metric)>,
    /// What else was measured or estimated, in the same unit.
    pub others: Vec<Drawn>,
    /// Whether a server answered: what else was measured is then of its client's machine.
    pub served: bool,
    /// Why the benchmark's own energies are not the model's, if they are not.
    pub too_short: Option<String>,
    /// Generated tokens per second.
    pub tokens_per_second: Option<Metric>,
    /// Generated tokens per joule of the GPUs, or else of what was measured, with the kind.
    pub(crate) tokens_per_joule: Option<(DeviceKind, Metric)>,
    /// Seconds to the first token, mean over the prompts.
    pub first_token: Option<Metric>,
    /// Seconds spent on the prompts.
    pub seconds: Option<Metric>,
    /// Answered prompts.
    pub prompts: Metric,
    /// Generated tokens.
    pub tokens: Option<Metric>,
}

/// The phases that count, by their names.
pub(crate) const PHASES: [&str; 3] = ["preprocess", "prefill", "decode"];

impl Metrics {
    /// The numbers of `run`.
    pub(crate) fn of(run: &FinishedRun) -> Self {
        let Numbers { energy, run: RunNumbers { prompts, tokens, seconds, first_token } } =
            run.numbers();
        let counted =
            |number: Traced| Metric::of(number, Status::Measured, "counted by the backend");
        let timed = |number: Traced| Metric::of(number, Status::Measured, "clock of the benchmark");
        let per_thousand = |energy: &Energy, watt_hours: Traced| {
            let number = watt_hours / prompts.clone() * 1000.0;
            Metric::of(number, energy.status, energy.source.clone())
        };

        let served = run.summary.run.backend == Backend::Vllm;
        let mut energies = of_devices(&run.summary.measurement, &energy);
        energies.extend(run.meter.iter().flat_map(|(meter, file)| of_host(meter, file)));
        let is_score = |energy: &Energy| energy.kind == DeviceKind::Gpu && !energy.too_short;
        let score = energies.iter().find(|energy| is_score(energy) && !energy.by_host);
        let phases = PHASES.into_iter().zip(energy.phases);
        let phases = phases
            .filter_map(|(name, energy)| Some((name, per_thousand(score?, energy?))))
            .collect();
        // An estimate knows nothing of the tokens, and a server's client generates none.
        let strongest = energies.iter().find(|energy| {
            let computed = !served || energy.kind == DeviceKind::Gpu;
            computed && !energy.too_short && energy.status == Status::Measured
        });
        // A clock cannot tell less than a microsecond.
        let clocked = seconds.as_ref().filter(|seconds| seconds.value > 1e-6);
        let rate = tokens.clone().zip(clocked.cloned());
        let gpu = energies.iter().position(is_score);
        let mut others: Vec<_> = energies
            .iter()
            .map(|energy| Drawn {
                kind: energy.kind,
                by_host: energy.by_host,
                too_short: energy.too_short,
                metric: per_thousand(energy, energy.watt_hours.clone()),
            })
            .collect();
        Self {
            phases,
            gpu: gpu.map(|at| others.remove(at)),
            others,
            served,
            too_short: run.summary.measurement.too_short(),
            tokens_per_second: rate.map(|(tokens, seconds)| timed(tokens / seconds)),
            tokens_per_joule: strongest
                .and_then(|energy| Some((energy.kind, energy.tokens_per_joule(tokens.clone()?)?))),
            first_token: first_token.map(timed),
            seconds: seconds.map(timed),
            prompts: counted(prompts),
            tokens: tokens.map(counted),
        }
    }

    /// The energy that stands for the run: of the GPUs, or else the first that was measured, or
    /// else estimated. The processor of a server's client computed no answer, so it never does.
    pub(crate) fn headline(&self) -> Option<&Drawn> {
        let others = if self.served { &[][..] } else { &self.others };
        let of = |status| {
            others.iter().find(move |drawn| !drawn.too_short && drawn.metric.status == status)
        };
        self.gpu.as_ref().or_else(|| of(Status::Measured)).or_else(|| of(Status::Estimated))
    }

    /// What is said where there is no headline.
    pub(super) fn no_headline(&self) -> &'static str {
        let is_short = self.too_short.is_some() && !self.served;
        if is_short { TOO_SHORT } else { Status::NotMeasured.word() }
    }
}

/// What is said of an energy of which too much is the tracker's own waiting.
pub(super) const TOO_SHORT: &str = "too short to measure";

/// What is said instead of the energy of a run that a server answered.
pub(super) const SERVER_NOT_MEASURED: &str = "the server's energy was not measured";

/// Why a run has no GPU energy, in a sentence; the source of the other energies may say it already.
pub(super) fn why_no_gpu(run: &FinishedRun) -> String {
    let source = &run.summary.measurement.source;
    if run.summary.run.backend == Backend::Vllm {
        return format!("{SERVER_NOT_MEASURED}; of its client's machine: {source}");
    }
    let measurement = &run.summary.measurement;
    if let Some(why) = measurement.too_short().filter(|_| measurement.has(DeviceKind::Gpu)) {
        return format!("{why}; {source}");
    }
    if source.contains("no GPU") { source.clone() } else { format!("GPU not measured: {source}") }
}

/// Energy of a kind of device over the phases that count.
struct Energy {
    kind: DeviceKind,
    by_host: bool,
    too_short: bool,
    status: Status,
    source: String,
    watt_hours: Traced,
}

impl Energy {
    /// The devices of a kind together: each its status, its source and its energy.
    fn of<'a>(
        kind: DeviceKind,
        by_host: bool,
        devices: impl Iterator<Item = (Status, &'a str, Traced)>,
    ) -> Option<Self> {
        let (mut statuses, mut sources, mut energies) = (vec![], vec![], vec![]);
        for (status, source, energy) in devices {
            statuses.push(status);
            energies.push(energy);
            if !sources.contains(&source) {
                sources.push(source);
            }
        }
        let watt_hours = Traced::sum(energies)?;
        Some(Self {
            kind,
            by_host,
            too_short: false,
            status: weakest(statuses)?,
            source: sources.join("; "),
            watt_hours,
        })
    }

    fn tokens_per_joule(&self, tokens: Traced) -> Option<Metric> {
        let joules = self.watt_hours.clone() * 3600.0;
        (joules.value > 0.0).then(|| Metric::of(tokens / joules, self.status, self.source.clone()))
    }
}

/// Energies of a summary's devices by kind: first those of GPUs, which the score counts.
fn of_devices(measurement: &Measurement, numbers: &EnergyNumbers) -> Vec<Energy> {
    let too_short = measurement.too_short().is_some();
    let of_kind = |kind| {
        let devices = measurement.devices.iter().zip(&numbers.devices);
        let devices = devices
            .filter(|(device, _)| device.kind == kind)
            .map(|(device, energy)| (device.status, device.source.as_str(), energy.clone()));
        Some(Energy { too_short, ..Energy::of(kind, false, devices)? })
    };
    let gpu = match (numbers.total.clone(), of_kind(DeviceKind::Gpu)) {
        (Some(watt_hours), Some(gpu)) => Some(Energy { watt_hours, ..gpu }),
        (Some(watt_hours), None) => Some(Energy {
            kind: DeviceKind::Gpu,
            by_host: false,
            too_short,
            status: measurement.status,
            source: String::new(),
            watt_hours,
        }),
        (None, gpu) => gpu.filter(|_| too_short),
    };
    gpu.into_iter().chain(of_kind(DeviceKind::Cpu)).chain(of_kind(DeviceKind::Ram)).collect()
}

/// Energies that the host metered over the phases that count, by kind.
fn of_host(meter: &HostMeter, file: &'static str) -> Vec<Energy> {
    let root = if file == SUMMARY { "host." } else { "" };
    let of_kind = |kind| {
        let devices = meter.devices.iter().enumerate().filter(|(_, device)| device.kind == kind);
        let counted = devices.filter_map(|(index, device)| {
            let key = format!("{root}devices.{index}.counted_wh");
            let energy = Traced::key(device.counted_wh?, file, key);
            Some((device.status, device.source.as_str(), energy))
        });
        Energy::of(kind, true, counted)
    };
    let all = DeviceKind::ALL.into_iter().filter_map(of_kind);
    all.filter(|energy| energy.status != Status::NotMeasured).collect()
}

/// A sum is as good as the weakest of its parts.
fn weakest(statuses: Vec<Status>) -> Option<Status> {
    statuses.into_iter().min_by_key(|status| match status {
        Status::NotMeasured => 0,
        Status::Estimated => 1,
        Status::Measured => 2,
    })
}

#[cfg(test)]
mod tests;
