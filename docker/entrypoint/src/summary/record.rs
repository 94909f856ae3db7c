//! What the Python adapter saw of a run, `run_record.json`.

use contract::{
    Backend,
    summary::{Run, Status},
};
use serde::Deserialize;

/// One run.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct Record {
    /// The backend.
    pub(super) stack: Backend,
    /// The model, as it was asked for.
    pub(super) model: String,
    /// What it ran on.
    pub(super) device: String,
    /// Prompts asked for.
    pub(super) prompts_asked: u64,
    /// Prompts answered.
    pub(super) prompts_answered: u64,
    /// Prompts whose answer failed.
    pub(super) prompts_failed: u64,
    /// Tokens of the answered prompts.
    pub(super) prompt_tokens: u64,
    /// Tokens of the answers.
    pub(super) completion_tokens: u64,
    /// Seconds spent on the answers.
    pub(super) seconds: f64,
    /// Mean seconds to the first token.
    pub(super) first_token_seconds: Option<f64>,
    /// What the energies were read from.
    pub(super) energy: Sources,
    /// What a reader of the numbers must know.
    pub(super) notes: Vec<String>,
}

/// The source of the energy of each kind of device that was tracked.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
pub(super) struct Sources {
    /// GPUs.
    pub(super) gpu: Option<Source>,
    /// Processors.
    pub(super) cpu: Option<Source>,
    /// Memory.
    pub(super) ram: Option<Source>,
}

/// One source.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct Source {
    /// Whether it is a counter or a model.
    pub(super) status: Status,
    /// What it is, in words.
    pub(super) source: String,
    /// The devices, by name.
    #[serde(default)]
    pub(super) devices: Vec<String>,
}

impl Record {
    /// What ran.
    pub(super) fn run(&self) -> Run {
        // Not every server counts tokens.
        let counted = |tokens: u64| (tokens > 0).then_some(tokens);
        let rate = self.completion_tokens as f64 / self.seconds;
        Run {
            backend: self.stack,
            model: self.model.clone(),
            prompts_asked: Some(self.prompts_asked),
            prompts: self.prompts_answered,
            prompts_failed: self.prompts_failed,
            prompt_tokens: counted(self.prompt_tokens),
            completion_tokens: counted(self.completion_tokens),
            seconds: Some(self.seconds),
            tokens_per_second: (rate.is_finite() && rate > 0.0).then_some(rate),
            time_to_first_token_seconds: self.first_token_seconds,
        }
    }
}
