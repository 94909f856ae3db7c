//! Format of `benchmark_report.json` of the `native` backend.

use contract::{Backend, host_meter::Phase, summary::Measurement};
use serde::Serialize;

/// The whole report.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// The backend that wrote it.
    pub format: Backend,
    /// The entrypoint's version.
    pub version: String,
    /// What ran.
    pub config: Config,
    /// The numbers over all prompts.
    pub summary: Totals,
    /// Energy over all prompts; loading is not counted.
    pub energy: Measurement,
    /// Times of the counted phases, in seconds of `CLOCK_MONOTONIC`.
    pub phases: Vec<Phase>,
    /// Notes for readers of the numbers.
    pub notes: Vec<String>,
    /// Every prompt with its answer.
    pub prompts: Vec<Answer>,
}

/// Configuration of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Config {
    /// Model as requested.
    pub model: String,
    /// Loaded file.
    pub file: String,
    /// Commit on the Hub, for a model from the Hub cache.
    pub revision: Option<String>,
    /// Digest of the file in the Hub cache.
    pub file_sha256: Option<String>,
    /// Architecture of the model.
    pub architecture: String,
    /// Number of tensors by type, in the file.
    pub weights_stored: String,
    /// Number of tensors by type, in the computation.
    pub weights_computed: String,
    /// Processor, or the part in use.
    pub device: String,
    /// Number of threads.
    pub threads: usize,
    /// Whether the fast kernels were used.
    pub vector_kernels: bool,
    /// Dataset of the prompts; `None` for the built-in prompts.
    pub dataset: Option<String>,
    /// Requested prompts.
    pub num_samples_asked: u32,
    /// Answered prompts.
    pub num_samples: u32,
    /// Minimum number of tokens in an answer.
    pub min_new_tokens: u32,
    /// Maximum number of tokens in an answer.
    pub max_new_tokens: u32,
    /// Seed of the sampling.
    pub seed: u64,
    /// Sampling method.
    pub sampling: String,
    /// How a prompt was passed to the model.
    pub prompt_format: String,
}

/// Sums and means over all prompts.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Totals {
    /// Answered prompts.
    pub prompts: u64,
    /// Unreadable prompts, without an answer.
    pub prompts_failed: u64,
    /// Prompt tokens.
    pub prompt_tokens: u64,
    /// Prompts truncated to the context length minus the answer.
    pub prompts_cut: u64,
    /// Prompt tokens removed by truncation.
    pub prompt_tokens_cut: u64,
    /// Generated tokens.
    pub completion_tokens: u64,
    /// Seconds spent on the prompts.
    pub seconds: f64,
    /// Seconds up to the first tokens.
    pub prefill_seconds: f64,
    /// Seconds from the first tokens on.
    pub decode_seconds: f64,
    /// Mean time to the first token, in seconds.
    pub time_to_first_token_seconds: f64,
    /// Generated tokens per second.
    pub tokens_per_second: f64,
}

/// One prompt with its answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Answer {
    /// The prompt.
    pub prompt: String,
    /// The answer.
    pub completion: String,
    /// Prompt tokens.
    pub prompt_tokens: u64,
    /// Prompt tokens removed by truncation.
    pub prompt_tokens_cut: u64,
    /// Generated tokens.
    pub completion_tokens: u64,
    /// Seconds to the first token.
    pub time_to_first_token_seconds: f64,
    /// Seconds to the last token.
    pub seconds: f64,
}

impl Totals {
    /// Totals of `answers` and a number of `failed` prompts.
    pub fn of(answers: &[Answer], failed: u64) -> Self {
        let prompts = answers.len() as u64;
        let completion_tokens = answers.iter().map(|answer| answer.completion_tokens).sum();
        let seconds: f64 = answers.iter().map(|answer| answer.seconds).sum();
        let prefill_seconds: f64 =
            answers.iter().map(|answer| answer.time_to_first_token_seconds).sum();
        // Without prompts the mean would be NaN.
        let per = |value: f64, by: f64| if by > 0.0 { value / by } else { 0.0 };
        Self {
            prompts,
            prompts_failed: failed,
            prompts_cut: answers.iter().filter(|answer| answer.prompt_tokens_cut > 0).count()
                as u64,
            prompt_tokens_cut: answers.iter().map(|answer| answer.prompt_tokens_cut).sum(),
            prompt_tokens: answers.iter().map(|answer| answer.prompt_tokens).sum(),
            completion_tokens,
            seconds,
            prefill_seconds,
            decode_seconds: seconds - prefill_seconds,
            time_to_first_token_seconds: per(prefill_seconds, prompts as f64),
            tokens_per_second: per(completion_tokens as f64, seconds),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Answer, Totals};

    #[test]
    fn totals_are_sums_and_means() {
        let answer = |completion_tokens, time_to_first_token_seconds, seconds| Answer {
            prompt: "p".into(),
            completion: "c".into(),
            prompt_tokens: 3,
            prompt_tokens_cut: completion_tokens - 10,
            completion_tokens,
            time_to_first_token_seconds,
            seconds,
        };
        let totals = Totals::of(&[answer(10, 0.5, 1.0), answer(20, 1.5, 3.0)], 1);
        let expected = Totals {
            prompts: 2,
            prompts_failed: 1,
            prompt_tokens: 6,
            prompts_cut: 1,
            prompt_tokens_cut: 10,
            completion_tokens: 30,
            seconds: 4.0,
            prefill_seconds: 2.0,
            decode_seconds: 2.0,
            time_to_first_token_seconds: 1.0,
            tokens_per_second: 7.5,
        };
        assert_eq!(totals, expected);
        assert_eq!(Totals::of(&[], 0).tokens_per_second, 0.0);
    }
}
