//! Published numbers, and whether a run here compares with them.
//!
//! Facts of AIEnergyScore, commit a5b9a048ecd44aa087cdd5b575a17d705128c424 (December 2025), and of
//! optimum-benchmark, commit b263af468a9e9a9a3d1449039849727352955646 (September 2025): their
//! `text_generation.yaml`, `run_ai_energy_benchmark.py`, `reasoning_helpers.py` and preprocessor,
//! and the runner of ai_energy_benchmarks 0.0.7.

use super::argument::{ANSWER_TOKENS, REASONED_TOKENS};

/// Numbers of one source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Published {
    /// The program and its configuration.
    pub ran: &'static str,
    /// Length of each answer.
    pub answer: Answer,
    /// Whether decoding is greedy. Otherwise tokens are sampled, with a different seed in each run.
    pub likeliest: bool,
    /// Format of the prompt.
    pub prompt: &'static str,
    /// The arguments of a comparable run, or the reason why there is none.
    pub compares: Compares,
}

/// Length of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// This number of tokens.
    Exactly(u64),
    /// At most this number of tokens.
    AtMost(u64),
}

/// Whether a run here compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compares {
    /// With these arguments, and under this condition if there is one.
    With(&'static [&'static str], Option<&'static str>),
    /// Never, for this reason.
    No(&'static str),
}

/// Default number of tokens in an answer of optimum-benchmark.
pub const OPTIMUM_TOKENS: u64 = 100;

/// Why no number of ai_energy_benchmarks with a model in its own process compares.
const SAMPLED: &str = "its answers are sampled, and end when the model ends them";

/// All published numbers, in the order of the guides.
pub const PUBLISHED: [Published; 6] = [
    Published {
        ran: "the leaderboard's configuration: `energy_star/text_generation.yaml` of \
              optimum-benchmark, until August 2025, which takes random weights unless told otherwise",
        answer: Answer::Exactly(ANSWER_TOKENS),
        likeliest: true,
        prompt: "plain text",
        compares: Compares::With(&["--backend optimum"], None),
    },
    Published {
        ran: "the same file since then",
        answer: Answer::Exactly(ANSWER_TOKENS),
        likeliest: true,
        prompt: "chat template, `reasoning_effort: high`",
        compares: Compares::With(
            &[
                "--backend optimum",
                "scenario.reasoning=True",
                "scenario.reasoning_params.reasoning_effort=high",
                "scenario.generate_kwargs.max_new_tokens=10",
                "scenario.generate_kwargs.min_new_tokens=10",
            ],
            Some("where no prompt has over 2,038 tokens: there it is cut"),
        ),
    },
    Published {
        ran: "AIEnergyScore's image with `optimum`, whose `text_generation.yaml` has no length",
        answer: Answer::Exactly(OPTIMUM_TOKENS),
        likeliest: true,
        prompt: "plain text",
        compares: Compares::With(
            &["--backend optimum", "scenario.generate_kwargs.max_new_tokens=100"],
            None,
        ),
    },
    Published {
        ran: "AIEnergyScore's image with `pytorch`, its default",
        answer: Answer::AtMost(ANSWER_TOKENS),
        likeliest: false,
        prompt: "chat template or plain text, by the model's name",
        compares: Compares::No(SAMPLED),
    },
    Published {
        ran: "the same with reasoning",
        answer: Answer::AtMost(REASONED_TOKENS),
        likeliest: false,
        prompt: "a format of the model's family, by its name",
        compares: Compares::No(SAMPLED),
    },
    Published {
        ran: "AIEnergyScore's image with `vllm`",
        answer: Answer::AtMost(ANSWER_TOKENS),
        likeliest: false,
        prompt: "the server's chat template",
        compares: Compares::No("its energy is that of the client's machine"),
    },
];

#[cfg(test)]
mod tests {
    use super::{Answer, Compares, PUBLISHED};
    use crate::benchmark::argument::{ANSWER_TOKENS, KEYS, MAX_NEW_TOKENS};

    #[test]
    fn comparable_arguments_ask_for_the_published_number_of_tokens() {
        for number in PUBLISHED {
            let Compares::With(arguments, _) = number.compares else {
                assert!(!number.likeliest, "{number:?}");
                continue;
            };
            let asked = |key: &str| {
                arguments.iter().find_map(|argument| argument.strip_prefix(key)?.strip_prefix('='))
            };
            let asked = asked(MAX_NEW_TOKENS).map_or(ANSWER_TOKENS, |text| text.parse().unwrap());
            assert_eq!(number.answer, Answer::Exactly(asked), "{number:?}");
            let keys = arguments.iter().filter_map(|argument| argument.split_once('='));
            for (key, _) in keys {
                assert!(KEYS.iter().any(|known| key.starts_with(known.name)), "{key}");
            }
        }
    }
}
