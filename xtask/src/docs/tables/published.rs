//! Published energy numbers, and whether they can be compared with those of a run.
//!
//! Facts of AIEnergyScore, commit a5b9a048ecd44aa087cdd5b575a17d705128c424 (December 2025), and of
//! optimum-benchmark, commit b263af468a9e9a9a3d1449039849727352955646 (September 2025): their
//! `text_generation.yaml`, `run_ai_energy_benchmark.py`, `reasoning_helpers.py` and preprocessor,
//! and the runner of ai_energy_benchmarks 0.0.7.

use contract::argument::{ANSWER_TOKENS, REASONED_TOKENS};

use crate::docs::content::{Content, code};

/// Numbers from one source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Published {
    /// The program and its configuration.
    ran: &'static str,
    /// Length of each answer.
    answer: Answer,
    /// Whether decoding is greedy. Otherwise tokens are sampled without a fixed seed.
    greedy: bool,
    /// Form in which the model receives a prompt.
    prompt: &'static str,
    /// Arguments of a comparable run.
    compares: Compares,
}

/// Length of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    /// A fixed number of tokens.
    Exactly(u64),
    /// A maximum number of tokens.
    AtMost(u64),
}

/// Whether a run can be compared with the published numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Compares {
    /// With these arguments, under an optional condition.
    With(&'static [&'static str], Option<&'static str>),
    /// Never, for this reason.
    No(&'static str),
}

/// Default length of an answer in optimum-benchmark.
const OPTIMUM_TOKENS: u64 = 100;

/// Why numbers of ai_energy_benchmarks with a local model cannot be compared.
const SAMPLED: &str = "its answers are sampled, and end when the model ends them";

/// All sources, in the order of the guides.
const PUBLISHED: [Published; 6] = [
    Published {
        ran: "the leaderboard's configuration: `energy_star/text_generation.yaml` of \
              optimum-benchmark, until August 2025, which takes random weights unless told otherwise",
        answer: Answer::Exactly(ANSWER_TOKENS),
        greedy: true,
        prompt: "plain text",
        compares: Compares::With(&["--backend optimum"], None),
    },
    Published {
        ran: "the same file since then",
        answer: Answer::Exactly(ANSWER_TOKENS),
        greedy: true,
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
        greedy: true,
        prompt: "plain text",
        compares: Compares::With(
            &["--backend optimum", "scenario.generate_kwargs.max_new_tokens=100"],
            None,
        ),
    },
    Published {
        ran: "AIEnergyScore's image with `pytorch`, its default",
        answer: Answer::AtMost(ANSWER_TOKENS),
        greedy: false,
        prompt: "chat template or plain text, by the model's name",
        compares: Compares::No(SAMPLED),
    },
    Published {
        ran: "the same with reasoning",
        answer: Answer::AtMost(REASONED_TOKENS),
        greedy: false,
        prompt: "a format of the model's family, by its name",
        compares: Compares::No(SAMPLED),
    },
    Published {
        ran: "AIEnergyScore's image with `vllm`",
        answer: Answer::AtMost(ANSWER_TOKENS),
        greedy: false,
        prompt: "the server's chat template",
        compares: Compares::No("its energy is that of the client's machine"),
    },
];

/// Published numbers, and whether they can be compared with those of a run.
pub(crate) fn published() -> Content {
    let rows = PUBLISHED.map(|number| {
        let Published { ran, answer, greedy, prompt, compares } = number;
        let answer = match answer {
            Answer::Exactly(tokens) => tokens.to_string(),
            Answer::AtMost(tokens) => format!("at most {tokens}"),
        };
        let chosen = if greedy { "the likeliest" } else { "sampled, without a seed" };
        let compares = match compares {
            Compares::With(arguments, condition) => {
                let arguments = arguments.iter().map(|argument| code(argument));
                let arguments = arguments.collect::<Vec<_>>().join(" ");
                let condition = condition.map(|text| format!(", {text}")).unwrap_or_default();
                format!("with {arguments}{condition}")
            }
            Compares::No(why) => format!("no: {why}"),
        };
        vec![ran.to_owned(), answer, chosen.to_owned(), prompt.to_owned(), compares]
    });
    let head =
        vec!["What ran", "Tokens an answer", "Tokens are", "Prompt", "Compares with a run here"];
    Content::Table { head, rows: rows.into() }
}

#[cfg(test)]
mod tests {
    use contract::argument::{ANSWER_TOKENS, KEYS, MAX_NEW_TOKENS};

    use super::{Answer, Compares, PUBLISHED};

    #[test]
    fn comparable_run_generates_as_many_tokens() {
        for number in PUBLISHED {
            let Compares::With(arguments, _) = number.compares else {
                assert!(!number.greedy, "{number:?}");
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
