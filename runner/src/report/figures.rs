//! The numbers that are shown of a run, each with how it was come by and where it is from.

use contract::{
    Backend,
    host_meter::{HostMeter, MeteredDevice},
    summary::{Device, DeviceKind, Status},
};

use super::{
    origin::{Quantity, whence},
    record::RunRecord,
    trace::Trace,
};

/// A number.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// Its value.
    pub value: f64,
    /// Whether what it stands on was measured.
    pub status: Status,
    /// The counter, clock or model behind it.
    pub source: String,
    /// The files and keys that it is from.
    pub trace: Trace,
}

/// Energy per 1,000 prompts, as a kind of device drew it.
#[derive(Debug, Clone, PartialEq)]
pub struct Drawn {
    /// The devices.
    pub kind: DeviceKind,
    /// Whether it was the host that metered, beside the benchmark.
    pub by_host: bool,
    /// Whether too much of it is the tracker's own waiting: it is not the model's then.
    pub too_short: bool,
    /// The energy, in Wh per 1,000 answered prompts.
    pub figure: Figure,
}

/// All numbers that are shown of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Figures {
    /// GPU energy in Wh per 1,000 answered prompts: the score.
    pub gpu: Option<Drawn>,
    /// The same by phase, where the backend tells these apart: name and energy.
    pub phases: Vec<(&'static str, Figure)>,
    /// What else was measured or estimated, in the same unit.
    pub others: Vec<Drawn>,
    /// Whether a server answered: what else was measured is then of its client's machine.
    pub served: bool,
    /// Why the benchmark's own energies are not the model's, if they are not.
    pub too_short: Option<String>,
    /// Generated tokens per second.
    pub tokens_per_second: Option<Figure>,
    /// Generated tokens per joule of the GPUs, or else of what was measured, with the kind.
    pub tokens_per_joule: Option<(DeviceKind, Figure)>,
    /// Seconds to the first token, mean over the prompts.
    pub first_token: Option<Figure>,
    /// Seconds spent on the prompts.
    pub seconds: Option<Figure>,
    /// Answered prompts.
    pub prompts: Figure,
    /// Generated tokens.
    pub tokens: Option<Figure>,
}

/// The phases that count, by their names.
pub const PHASES: [&str; 3] = ["preprocess", "prefill", "decode"];

impl Figures {
    /// The numbers of `run`.
    pub fn of(run: &RunRecord) -> Self {
        let summary = &run.summary;
        let counted = |value: f64, quantity| Figure {
            value,
            status: Status::Measured,
            source: "counted by the backend".to_owned(),
            trace: whence(run, quantity),
        };
        let timed = |value: f64, quantity| Figure {
            source: "clock of the benchmark".to_owned(),
            ..counted(value, quantity)
        };
        let prompts = counted(summary.run.prompts as f64, Quantity::Prompts);
        let tokens =
            summary.run.completion_tokens.map(|tokens| counted(tokens as f64, Quantity::Tokens));
        let seconds = summary.run.seconds.map(|seconds| timed(seconds, Quantity::Seconds));

        let mut drawn = of_devices(run);
        drawn.extend(run.meter.iter().flat_map(|(meter, file)| of_host(meter, file)));
        let served = summary.run.backend == Backend::Vllm;
        let tokens_per_joule = || {
            let strongest = drawn.iter().find(|drawn| {
                let computed = !served || drawn.kind == DeviceKind::Gpu;
                computed && !drawn.too_short && drawn.figure.status == Status::Measured
            })?;
            // An estimate knows nothing of the tokens.
            Some((strongest.kind, per_joule(tokens.as_ref()?, &strongest.figure)?))
        };
        let tokens_per_joule = tokens_per_joule();
        let per_thousand = |figure: Figure| per_thousand(figure, &prompts);
        let [preprocess, prefill, decode] =
            [summary.preprocess_wh, summary.prefill_wh, summary.decode_wh];
        let is_score = |drawn: &Drawn| drawn.kind == DeviceKind::Gpu && !drawn.too_short;
        let gpu_figure = drawn.iter().find(|drawn| is_score(drawn) && !drawn.by_host);
        let phases = PHASES.into_iter().zip([preprocess, prefill, decode]).enumerate();
        let phases = phases.filter_map(|(index, (name, energy))| {
            let whole = &gpu_figure?.figure;
            let trace = whence(run, Quantity::Phase(index));
            Some((name, per_thousand(Figure { value: energy?, trace, ..whole.clone() })))
        });
        let phases = phases.collect();
        let mut drawn: Vec<_> = drawn
            .into_iter()
            .map(|drawn| Drawn { figure: per_thousand(drawn.figure), ..drawn })
            .collect();
        let gpu = drawn.iter().position(is_score);
        let gpu = gpu.map(|at| drawn.remove(at));
        Self {
            gpu,
            phases,
            others: drawn,
            served,
            too_short: summary.measurement.too_short(),
            tokens_per_second: tokens_per_second(tokens.as_ref(), seconds.as_ref()),
            tokens_per_joule,
            first_token: summary
                .run
                .time_to_first_token_seconds
                .map(|first| timed(first, Quantity::FirstToken)),
            seconds,
            prompts,
            tokens,
        }
    }

    /// The energy that stands for the run: of the GPUs, or else the first that was measured, or
    /// else estimated. The processor of a server's client computed no answer, so it never does.
    pub fn headline(&self) -> Option<&Drawn> {
        let others = if self.served { &[][..] } else { &self.others };
        let of = |status| {
            others.iter().find(move |drawn| !drawn.too_short && drawn.figure.status == status)
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
pub(super) fn why_no_gpu(run: &RunRecord) -> String {
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

/// Energies of a summary's devices by kind, in Wh: first those of GPUs, which the score counts.
fn of_devices(run: &RunRecord) -> Vec<Drawn> {
    let devices = &run.summary.measurement.devices;
    let too_short = run.summary.measurement.too_short().is_some();
    let mut all = vec![];
    for kind in [DeviceKind::Gpu, DeviceKind::Cpu, DeviceKind::Ram] {
        let of_kind: Vec<_> =
            devices.iter().enumerate().filter(|(_, device)| device.kind == kind).collect();
        let total = if kind == DeviceKind::Gpu { run.summary.total } else { None };
        if kind == DeviceKind::Gpu && total.is_none() && !too_short {
            continue;
        }
        let sum: f64 = of_kind.iter().map(|(_, device)| device.energy_wh).sum();
        let keys = || of_kind.iter().map(|(index, _)| whence(run, Quantity::Device(*index)));
        let Some(status) = weakest(of_kind.iter().map(|(_, device)| device.status))
            .or(total.map(|_| run.summary.measurement.status))
        else {
            continue;
        };
        let figure = Figure {
            value: total.unwrap_or(sum),
            status,
            source: sources(of_kind.iter().map(|(_, device): &(_, &Device)| &device.source)),
            trace: match total {
                Some(_) => whence(run, Quantity::Total),
                None => Trace::sum(keys().collect()),
            },
        };
        all.push(Drawn { kind, by_host: false, too_short, figure });
    }
    all
}

/// Energies that the host metered over the phases that count, by kind, in Wh.
fn of_host(meter: &HostMeter, file: &'static str) -> Vec<Drawn> {
    let root = if file == contract::output::SUMMARY { "host." } else { "" };
    let mut all = vec![];
    for kind in [DeviceKind::Gpu, DeviceKind::Cpu, DeviceKind::Ram] {
        let known = |device: &MeteredDevice| device.kind == kind && device.counted_wh.is_some();
        let devices = meter.devices.iter().enumerate().filter(|(_, device)| known(device));
        let devices: Vec<_> = devices.collect();
        let statuses = devices.iter().map(|(_, device)| device.status);
        let Some(status) = weakest(statuses) else { continue };
        let key = |index| Trace::key(file, format!("{root}devices.{index}.counted_wh"));
        let figure = Figure {
            value: devices.iter().filter_map(|(_, device)| device.counted_wh).sum(),
            status,
            source: sources(devices.iter().map(|(_, device)| &device.source)),
            trace: Trace::sum(devices.iter().map(|(index, _)| key(*index)).collect()),
        };
        if status != Status::NotMeasured {
            all.push(Drawn { kind, by_host: true, too_short: false, figure });
        }
    }
    all
}

/// A sum is as good as the weakest of its parts.
fn weakest(statuses: impl Iterator<Item = Status>) -> Option<Status> {
    let weight = |status: &Status| match status {
        Status::NotMeasured => 0,
        Status::Estimated => 1,
        Status::Measured => 2,
    };
    statuses.min_by_key(weight)
}

fn sources<'a>(sources: impl Iterator<Item = &'a String>) -> String {
    let mut all: Vec<&str> = vec![];
    for source in sources {
        if !all.contains(&source.as_str()) {
            all.push(source);
        }
    }
    all.join("; ")
}

fn per_thousand(figure: Figure, prompts: &Figure) -> Figure {
    let Figure { value, status, source, trace } = figure;
    let trace = trace.over(prompts.trace.clone()).times(Trace::Number(1000.0));
    Figure { value: value / prompts.value * 1000.0, status, source, trace }
}

/// A clock cannot tell less than a microsecond.
fn tokens_per_second(tokens: Option<&Figure>, seconds: Option<&Figure>) -> Option<Figure> {
    let (tokens, seconds) = (tokens?, seconds.filter(|seconds| seconds.value > 1e-6)?);
    Some(Figure {
        value: tokens.value / seconds.value,
        trace: tokens.trace.clone().over(seconds.trace.clone()),
        ..seconds.clone()
    })
}

/// Tokens per joule of `energy`, which is in Wh.
fn per_joule(tokens: &Figure, energy: &Figure) -> Option<Figure> {
    let joules = energy.value * 3600.0;
    let trace = energy.trace.clone().times(Trace::Number(3600.0));
    (joules > 0.0).then(|| Figure {
        value: tokens.value / joules,
        trace: tokens.trace.clone().over(trace),
        ..energy.clone()
    })
}

#[cfg(test)]
mod tests;
