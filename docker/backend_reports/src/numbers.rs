//! Numbers of a summary with their file and key.

use contract::{
    Backend,
    output::SUMMARY,
    summary::{Measurement, Run, Summary},
};

pub(crate) mod traced;

use self::traced::Traced;

/// A summary and the sources of its numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// The summary.
    pub summary: Summary,
    /// The same numbers with their files and keys.
    pub numbers: Numbers,
}

/// All numbers of a summary that are shown to the user.
#[derive(Debug, Clone, PartialEq)]
pub struct Numbers {
    /// Energies.
    pub energy: EnergyNumbers,
    /// Counts and times.
    pub run: RunNumbers,
}

/// Energies of the counted phases, in Wh.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct EnergyNumbers {
    /// The GPUs.
    pub total: Option<Traced>,
    /// The GPUs by phase: preprocess, prefill and decode.
    pub phases: [Option<Traced>; 3],
    /// The devices, in the order of the summary.
    pub devices: Vec<Traced>,
}

/// Counts and times of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct RunNumbers {
    /// Answered prompts.
    pub prompts: Traced,
    /// Generated tokens.
    pub tokens: Option<Traced>,
    /// Seconds spent on the prompts.
    pub seconds: Option<Traced>,
    /// Mean seconds to the first token.
    pub first_token: Option<Traced>,
}

impl RunNumbers {
    /// The run with these numbers.
    pub(super) fn run(&self, backend: Backend, model: &str) -> Run {
        let count = |number: &Traced| number.value as u64;
        // Shorter times are below the resolution of the clock.
        let seconds = self.seconds.as_ref().filter(|seconds| seconds.value > 1e-6);
        let rate = self.tokens.as_ref().zip(seconds);
        Run {
            backend,
            model: model.to_owned(),
            prompts_asked: None,
            prompts: count(&self.prompts),
            prompts_failed: 0,
            prompt_tokens: None,
            prompts_cut: None,
            prompt_tokens_cut: None,
            completion_tokens: self.tokens.as_ref().map(count),
            seconds: value(&self.seconds),
            tokens_per_second: rate.map(|(tokens, seconds)| tokens.value / seconds.value),
            time_to_first_token_seconds: value(&self.first_token),
            phases: vec![],
        }
    }
}

fn value(number: &Option<Traced>) -> Option<f64> {
    number.as_ref().map(|number| number.value)
}

impl Numbers {
    /// The summary of a run with these numbers, from a report in `format`.
    pub(super) fn summary(
        &self,
        format: &str,
        run: Run,
        measurement: Measurement,
        notes: Vec<String>,
    ) -> Summary {
        let EnergyNumbers { total, phases: [preprocess, prefill, decode], devices: _ } =
            &self.energy;
        Summary {
            units: "Wh".to_owned(),
            total: value(total),
            format: format.to_owned(),
            preprocess_wh: value(preprocess),
            prefill_wh: value(prefill),
            decode_wh: value(decode),
            measurement,
            run,
            notes,
            cache: None,
            host: None,
            repeat: None,
        }
    }

    /// The numbers with the summary's own file as their source.
    pub fn in_summary(summary: &Summary) -> Self {
        let Summary { total, preprocess_wh, prefill_wh, decode_wh, measurement, run, .. } = summary;
        let key = |value: f64, path: &str| Traced::key(value, SUMMARY, path);
        let energy = |value: &Option<f64>, path: &str| value.map(|value| key(value, path));
        let devices = measurement.devices.iter().enumerate().map(|(index, device)| {
            key(device.energy_wh, &format!("measurement.devices.{index}.energy_wh"))
        });
        Self {
            energy: EnergyNumbers {
                total: energy(total, "total"),
                phases: [
                    energy(preprocess_wh, "preprocess_wh"),
                    energy(prefill_wh, "prefill_wh"),
                    energy(decode_wh, "decode_wh"),
                ],
                devices: devices.collect(),
            },
            run: RunNumbers {
                prompts: key(run.prompts as f64, "run.prompts"),
                tokens: run
                    .completion_tokens
                    .map(|tokens| key(tokens as f64, "run.completion_tokens")),
                seconds: energy(&run.seconds, "run.seconds"),
                first_token: energy(
                    &run.time_to_first_token_seconds,
                    "run.time_to_first_token_seconds",
                ),
            },
        }
    }
}
