//! `benchmark_report.json` as the `native` backend writes it.

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
    /// When that was, in seconds of `CLOCK_MONOTONIC`.
    pub phases: Vec<Phase>,
    /// What a reader of the numbers must know.
    pub notes: Vec<String>,
    /// Every prompt with its answer.
    pub prompts: Vec<Answer>,
}

/// What ran, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Config {
    /// As it was asked for.
    pub model: String,
    /// The file that was loaded.
    pub file: String,
    /// The Hub's commit, if it came from the Hub cache.
    pub revision: Option<String>,
    /// The file's digest as the Hub cache knows it.
    pub file_sha256: Option<String>,
    /// The kind of network.
    pub architecture: String,
    /// Tensors by type, as the file has them.
    pub weights_stored: String,
    /// Tensors by type, as they were computed with.
    pub weights_computed: String,
    /// The processor, or what was used of it.
    pub device: String,
    /// Threads that computed.
    pub threads: usize,
    /// Whether the fast kernels could be used.
    pub vector_kernels: bool,
    /// The dataset of the prompts; built-in ones if none.
    pub dataset: Option<String>,
    /// Prompts asked for.
    pub num_samples_asked: u32,
    /// Prompts answered.
    pub num_samples: u32,
    /// Tokens before which no answer ended.
    pub min_new_tokens: u32,
    /// Tokens after which every answer was cut.
    pub max_new_tokens: u32,
    /// Seed of the sampling.
    pub seed: u64,
    /// How the next token was chosen.
    pub sampling: String,
    /// What the model saw of a prompt.
    pub prompt_format: String,
}

/// Sums and means over all prompts.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Totals {
    /// Prompts answered.
    pub prompts: u64,
    /// Prompts that could not be read, and have no answer.
    pub prompts_failed: u64,
    /// Tokens read.
    pub prompt_tokens: u64,
    /// Prompts that were cut to what the model holds beside its answer.
    pub prompts_cut: u64,
    /// Tokens of these that the model did not read.
    pub prompt_tokens_cut: u64,
    /// Tokens written.
    pub completion_tokens: u64,
    /// Seconds spent on the prompts.
    pub seconds: f64,
    /// Seconds up to the first tokens.
    pub prefill_seconds: f64,
    /// Seconds from the first tokens on.
    pub decode_seconds: f64,
    /// Mean time to the first token, in seconds.
    pub time_to_first_token_seconds: f64,
    /// Tokens written per second.
    pub tokens_per_second: f64,
}

/// One prompt with its answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Answer {
    /// What the model read.
    pub prompt: String,
    /// What it wrote.
    pub completion: String,
    /// Tokens read.
    pub prompt_tokens: u64,
    /// Tokens that were cut off.
    pub prompt_tokens_cut: u64,
    /// Tokens written.
    pub completion_tokens: u64,
    /// Seconds to the first token.
    pub time_to_first_token_seconds: f64,
    /// Seconds to the last token.
    pub seconds: f64,
}

impl Totals {
    /// Sums up `answers`, beside which so many prompts `failed`.
    pub fn of(answers: &[Answer], failed: u64) -> Self {
        let prompts = answers.len() as u64;
        let completion_tokens = answers.iter().map(|answer| answer.completion_tokens).sum();
        let seconds: f64 = answers.iter().map(|answer| answer.seconds).sum();
        let prefill_seconds: f64 =
            answers.iter().map(|answer| answer.time_to_first_token_seconds).sum();
        // A division by no prompts at all would not be a number.
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
