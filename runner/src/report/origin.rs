//! Under which key of which file each number of a summary is found.

use contract::{
    Backend,
    output::{RECORD, REPORT, SUMMARY},
    summary::{DeviceKind, Summary},
};

use super::{
    details::CONFIG,
    record::{Facts, Origin, RunRecord},
    trace::Trace,
};

/// A number of a summary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quantity {
    /// GPU energy of the counted phases, in Wh.
    Total,
    /// GPU energy of one of them, by its number, in Wh.
    Phase(usize),
    /// Energy of a device, by its place in the list, in Wh.
    Device(usize),
    /// Answered prompts.
    Prompts,
    /// Generated tokens.
    Tokens,
    /// Seconds spent on the prompts.
    Seconds,
    /// Seconds to the first token.
    FirstToken,
}

/// The phases that count, by their keys in a summary.
pub(super) const PHASES: [&str; 3] = ["preprocess_wh", "prefill_wh", "decode_wh"];

/// Where a number of `run` is found.
pub(super) fn whence(run: &RunRecord, quantity: Quantity) -> Trace {
    match &run.origin {
        Origin::Summary => in_summary(quantity),
        Origin::Report(facts) => in_report(&run.summary, facts, quantity),
    }
}

fn in_summary(quantity: Quantity) -> Trace {
    let path = match quantity {
        Quantity::Total => "total".to_owned(),
        Quantity::Phase(index) => PHASES[index].to_owned(),
        Quantity::Device(index) => format!("measurement.devices.{index}.energy_wh"),
        Quantity::Prompts => "run.prompts".to_owned(),
        Quantity::Tokens => "run.completion_tokens".to_owned(),
        Quantity::Seconds => "run.seconds".to_owned(),
        Quantity::FirstToken => "run.time_to_first_token_seconds".to_owned(),
    };
    Trace::key(SUMMARY, path)
}

fn in_report(summary: &Summary, facts: &Facts, quantity: Quantity) -> Trace {
    let counted = match quantity {
        Quantity::Prompts => Some("prompts_answered"),
        Quantity::Tokens => Some("completion_tokens"),
        Quantity::Seconds => Some("seconds"),
        Quantity::FirstToken => Some("first_token_seconds"),
        Quantity::Total | Quantity::Phase(_) | Quantity::Device(_) => None,
    };
    if let Some(key) = counted.filter(|_| facts.record) {
        return Trace::key(RECORD, key);
    }
    match summary.run.backend {
        Backend::Optimum => in_optimum(summary, facts, quantity),
        Backend::Native => Trace::key(REPORT, in_native(quantity)),
        Backend::Pytorch | Backend::Vllm => {
            Trace::key(REPORT, in_ai_energy_benchmarks(summary, quantity))
        }
    }
}

fn kind(summary: &Summary, device: usize) -> &'static str {
    match summary.measurement.devices.get(device).map(|device| device.kind) {
        Some(DeviceKind::Cpu) => "cpu",
        Some(DeviceKind::Ram) => "ram",
        Some(DeviceKind::Gpu) | None => "gpu",
    }
}

fn in_native(quantity: Quantity) -> String {
    match quantity {
        Quantity::Device(index) => format!("energy.devices.{index}.energy_wh"),
        Quantity::Prompts => "summary.prompts".to_owned(),
        Quantity::Tokens => "summary.completion_tokens".to_owned(),
        Quantity::Seconds => "summary.seconds".to_owned(),
        Quantity::FirstToken => "summary.time_to_first_token_seconds".to_owned(),
        // It uses no GPU, so these are never shown.
        Quantity::Total | Quantity::Phase(_) => "energy".to_owned(),
    }
}

fn in_ai_energy_benchmarks(summary: &Summary, quantity: Quantity) -> String {
    match quantity {
        Quantity::Device(index) => format!("energy.{}_energy_wh", kind(summary, index)),
        // It does not tell phases apart.
        Quantity::Total | Quantity::Phase(_) => "energy.gpu_energy_wh".to_owned(),
        Quantity::Prompts => "summary.successful_prompts".to_owned(),
        Quantity::Tokens => "summary.total_completion_tokens".to_owned(),
        Quantity::Seconds => "summary.total_duration_seconds".to_owned(),
        Quantity::FirstToken => "summary.avg_time_to_first_token".to_owned(),
    }
}

fn in_optimum(summary: &Summary, facts: &Facts, quantity: Quantity) -> Trace {
    let Facts { preprocess, watt_hours, configured, seconds, record: _ } = facts;
    let phases = [*preprocess, "prefill", "decode"];
    let energy = |index: usize, kind: &str| {
        let key = Trace::key(REPORT, format!("{}.energy.{kind}", phases[index]));
        if watt_hours[index] == 1.0 { key } else { key.times(Trace::Number(watt_hours[index])) }
    };
    let all = |kind: &str| Trace::sum((0..phases.len()).map(|index| energy(index, kind)).collect());
    let config = |key: &str| Trace::key(CONFIG, key);
    let first = |key: &str| Trace::key(REPORT, format!("{preprocess}.{key}"));
    let prompts = || match configured {
        true => config("scenario.num_samples"),
        false => first("efficiency.value").times(first("energy.total")),
    };
    match quantity {
        Quantity::Total => all("gpu"),
        Quantity::Phase(index) => energy(index, "gpu"),
        Quantity::Device(index) => all(kind(summary, index)),
        Quantity::Prompts => prompts(),
        Quantity::Tokens => prompts().times(config("scenario.generate_kwargs.max_new_tokens")),
        Quantity::Seconds => match seconds {
            Some(file) if *file != REPORT => Trace::key(file, "duration"),
            _ => Trace::sum(
                ["prefill", "decode"]
                    .map(|phase| Trace::key(REPORT, format!("{phase}.latency.total")))
                    .into(),
            ),
        },
        // It does not measure one.
        Quantity::FirstToken => Trace::key(REPORT, "prefill"),
    }
}
