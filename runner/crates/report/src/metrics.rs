//! The metrics of a run, each with how it was measured and the files and keys behind it.

use backend_reports::{EnergyNumbers, Numbers, RunNumbers, Trace, Traced};
use contract::{
    Backend,
    host_meter::HostMeter,
    output::SUMMARY,
    summary::{DeviceKind, Measurement, Status},
};
use serde::Serialize;

use super::finished_run::FinishedRun;

/// A number with its status, its source, and the files and keys that it was computed from.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Metric {
    /// The number.
    pub value: f64,
    /// Whether it was measured or estimated.
    pub status: Status,
    /// The counter, clock or model, in words.
    pub source: String,
    /// The formula over the files and keys that it is computed from.
    #[serde(rename = "from")]
    pub trace: Trace,
}

impl Metric {
    /// A metric with the value and the formula of `number`.
    fn of(number: Traced, status: Status, source: impl Into<String>) -> Self {
        let Traced { value, trace } = number;
        Self { value, status, source: source.into(), trace }
    }
}

/// Energy per 1,000 prompts of one kind of device.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct EnergyMetric {
    /// The energy, in Wh per 1,000 answered prompts.
    #[serde(flatten)]
    pub metric: Metric,
    /// Kind of the devices.
    pub kind: DeviceKind,
    /// Whether the host's meter measured it, not the benchmark.
    pub by_host: bool,
    /// Whether the run was too short: too much of the energy was drawn while the tracker waited.
    pub too_short: bool,
    /// The energy over the phases that the score counts.
    #[serde(skip)]
    watt_hours: Traced,
}

/// All metrics of a run.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Metrics {
    /// GPU energy in Wh per 1,000 answered prompts: the score.
    pub gpu: Option<EnergyMetric>,
    /// The score by phase, where the backend measures phases.
    pub phases: Vec<(&'static str, Metric)>,
    /// All other energies: CPU, RAM, and those of the host's meter, in the same unit.
    pub others: Vec<EnergyMetric>,
    /// Whether a server answered the prompts. The CPU and RAM energies are then those of its client's
    /// machine.
    pub served: bool,
    /// Why the run was too short for the benchmark's own energies, if it was.
    pub too_short: Option<String>,
    /// Generated tokens per second.
    pub tokens_per_second: Option<Metric>,
    /// Generated tokens per joule, and the kind of device whose energy it is: the GPUs' if known.
    pub tokens_per_joule: Option<(DeviceKind, Metric)>,
    /// Mean time to first token, in seconds.
    pub first_token: Option<Metric>,
    /// Seconds spent on the prompts.
    pub seconds: Option<Metric>,
    /// Answered prompts.
    pub prompts: Metric,
    /// Generated tokens.
    pub tokens: Option<Metric>,
}

/// The phases that the score counts.
pub(crate) const PHASES: [&str; 3] = ["preprocess", "prefill", "decode"];

impl Metrics {
    /// Computes the metrics of `run`.
    pub(crate) fn of(run: &FinishedRun) -> Self {
        let Numbers { energy, run: RunNumbers { prompts, tokens, seconds, first_token } } =
            run.numbers();
        let counted =
            |number: Traced| Metric::of(number, Status::Measured, "counted by the backend");
        let timed = |number: Traced| Metric::of(number, Status::Measured, "clock of the benchmark");
        let served = run.summary.run.backend == Backend::Vllm;
        let mut energies = of_devices(&run.summary.measurement, &energy, &prompts);
        if let Some((meter, file)) = &run.meter {
            energies.extend(of_host(meter, file, &prompts));
        }
        // Tokens per joule need a measured energy: an estimate does not depend on the tokens, and the client
        // of a server generates none.
        let measured = energies.iter().find(|energy| {
            let computed = !served || energy.kind == DeviceKind::Gpu;
            computed && !energy.too_short && energy.metric.status == Status::Measured
        });
        let tokens_per_joule = measured
            .and_then(|energy| Some((energy.kind, energy.tokens_per_joule(tokens.clone()?)?)));
        let is_score = |of: &EnergyMetric| of.kind == DeviceKind::Gpu && !of.too_short;
        let gpu = energies.iter().position(is_score).map(|at| energies.remove(at));
        let phases = PHASES.into_iter().zip(energy.phases).filter_map(|(name, energy)| {
            let Metric { status, source, .. } = &gpu.as_ref().filter(|gpu| !gpu.by_host)?.metric;
            Some((name, per_thousand(energy?, &prompts, *status, source)))
        });
        // Less than a microsecond is below the resolution of the clock.
        let clocked = seconds.as_ref().filter(|seconds| seconds.value > 1e-6);
        let rate = tokens.clone().zip(clocked.cloned());
        Self {
            phases: phases.collect(),
            gpu,
            others: energies,
            served,
            too_short: run.summary.measurement.too_short(),
            tokens_per_second: rate.map(|(tokens, seconds)| timed(tokens / seconds)),
            tokens_per_joule,
            first_token: first_token.map(timed),
            seconds: seconds.map(timed),
            prompts: counted(prompts),
            tokens: tokens.map(counted),
        }
    }

    /// The headline energy of the run: that of the GPUs, else the first measured one, else the first
    /// estimate. The energy of a server's client is never used, because it computed no answer.
    pub(crate) fn headline(&self) -> Option<&EnergyMetric> {
        let others = if self.served { &[][..] } else { &self.others };
        let first = |status| {
            others.iter().find(|energy| !energy.too_short && energy.metric.status == status)
        };
        self.gpu.as_ref().or_else(|| first(Status::Measured)).or_else(|| first(Status::Estimated))
    }

    /// Placeholder for a missing headline.
    pub(super) fn no_headline(&self) -> &'static str {
        let is_short = self.too_short.is_some() && !self.served;
        if is_short { TOO_SHORT } else { Status::NotMeasured.word() }
    }
}

/// Placeholder for an energy of a run that was too short.
pub(super) const TOO_SHORT: &str = "too short to measure";

/// Placeholder for a server's energy.
pub(super) const SERVER_NOT_MEASURED: &str = "the server's energy was not measured";

/// Why a run has no GPU energy, in a sentence.
pub(super) fn why_no_gpu(run: &FinishedRun) -> String {
    let measurement = &run.summary.measurement;
    let source = &measurement.source;
    if run.summary.run.backend == Backend::Vllm {
        return format!("{SERVER_NOT_MEASURED}; of its client's machine: {source}");
    }
    match measurement.too_short().filter(|_| measurement.has(DeviceKind::Gpu)) {
        Some(why) => format!("{why}; {source}"),
        // Without GPU energy, the source in a summary already explains that.
        None => source.clone(),
    }
}

impl EnergyMetric {
    /// The energy of `devices`, given as status, source and energy of each: `total` if it is set, else the
    /// sum.
    fn of<'a>(
        kind: DeviceKind,
        devices: impl Iterator<Item = (Status, &'a str, Traced)>,
        total: Option<Traced>,
        prompts: &Traced,
    ) -> Option<Self> {
        let (mut statuses, mut sources, mut energies) = (vec![], vec![], vec![]);
        for (status, source, energy) in devices {
            statuses.push(status);
            energies.push(energy);
            if !sources.contains(&source) {
                sources.push(source);
            }
        }
        let sum = Traced::sum(energies)?;
        let watt_hours = total.unwrap_or(sum);
        let metric =
            per_thousand(watt_hours.clone(), prompts, weakest(statuses)?, &sources.join("; "));
        Some(Self { metric, kind, by_host: false, too_short: false, watt_hours })
    }

    /// Tokens per joule of this energy. `None` for an energy of zero.
    fn tokens_per_joule(&self, tokens: Traced) -> Option<Metric> {
        let Metric { status, source, .. } = &self.metric;
        let joules = self.watt_hours.clone() * 3600.0;
        (joules.value > 0.0).then(|| Metric::of(tokens / joules, *status, source))
    }
}

/// The energy per 1,000 prompts.
fn per_thousand(watt_hours: Traced, prompts: &Traced, status: Status, source: &str) -> Metric {
    Metric::of(watt_hours / prompts.clone() * 1000.0, status, source)
}

/// Energies that the benchmark measured, by kind of device, the GPUs first.
fn of_devices(
    measurement: &Measurement,
    numbers: &EnergyNumbers,
    prompts: &Traced,
) -> Vec<EnergyMetric> {
    let too_short = measurement.too_short().is_some();
    let of_kind = |kind, total| {
        let devices = measurement.devices.iter().zip(&numbers.devices);
        let devices = devices
            .filter(|(device, _)| device.kind == kind)
            .map(|(device, energy)| (device.status, device.source.as_str(), energy.clone()));
        Some(EnergyMetric { too_short, ..EnergyMetric::of(kind, devices, total, prompts)? })
    };
    // The score is the total. A run that is too short has none.
    let total = &numbers.total;
    let gpu = of_kind(DeviceKind::Gpu, total.clone()).filter(|_| total.is_some() || too_short);
    let others = [DeviceKind::Cpu, DeviceKind::Ram].map(|kind| of_kind(kind, None));
    gpu.into_iter().chain(others.into_iter().flatten()).collect()
}

/// Energies that the host's meter measured over the counted phases, by kind of device.
fn of_host(meter: &HostMeter, file: &'static str, prompts: &Traced) -> Vec<EnergyMetric> {
    let root = if file == SUMMARY { "host." } else { "" };
    let of_kind = |kind| {
        let devices = meter.devices.iter().enumerate().filter(|(_, device)| device.kind == kind);
        let counted = devices.filter_map(|(index, device)| {
            let key = format!("{root}devices.{index}.counted_wh");
            let energy = Traced::key(device.counted_wh?, file, key);
            Some((device.status, device.source.as_str(), energy))
        });
        Some(EnergyMetric { by_host: true, ..EnergyMetric::of(kind, counted, None, prompts)? })
    };
    let all = DeviceKind::ALL.into_iter().filter_map(of_kind);
    all.filter(|energy| energy.metric.status != Status::NotMeasured).collect()
}

/// The status of a sum, which is that of its least certain part.
fn weakest(statuses: Vec<Status>) -> Option<Status> {
    statuses.into_iter().min_by_key(|status| match status {
        Status::NotMeasured => 0,
        Status::Estimated => 1,
        Status::Measured => 2,
    })
}

/// A run and its metrics.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ReportedRun {
    pub run: FinishedRun,
    pub metrics: Metrics,
}

impl From<FinishedRun> for ReportedRun {
    fn from(run: FinishedRun) -> Self {
        Self { metrics: Metrics::of(&run), run }
    }
}

#[cfg(test)]
mod tests;
