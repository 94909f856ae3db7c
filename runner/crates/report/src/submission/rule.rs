//! The rules of a submission, in words.

use std::fmt;

/// A rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    Logs,
    Unaltered,
    Task,
    Energy,
    Hardware,
    OneGpu,
    Dataset,
    Batch,
    Precision,
    Length,
    Sampling,
    Template,
    Truncation,
    OneModel,
}

impl Rule {
    /// Every rule, in the order in which they are looked at.
    pub(super) const ALL: [Self; 14] = [
        Self::Logs,
        Self::Unaltered,
        Self::Task,
        Self::Energy,
        Self::Hardware,
        Self::OneGpu,
        Self::Dataset,
        Self::Batch,
        Self::Precision,
        Self::Length,
        Self::Sampling,
        Self::Template,
        Self::Truncation,
        Self::OneModel,
    ];

    /// What of a run is looked at, for the guides.
    pub(super) const fn looked_at(self) -> &'static str {
        match self {
            Self::Logs => "the completion marker, report, summary, energy and log are there",
            Self::Unaltered => {
                "the backend’s report gives the very numbers of the summary, and that the energy"
            }
            Self::Task => "the backend is `optimum` or `pytorch`: `vllm` is a client only",
            Self::Energy => "GPU energy was measured by the benchmark; an estimate is refused",
            Self::Hardware => "the GPUs are named, and each is an NVIDIA H100",
            Self::OneGpu => "one GPU was counted, or `--class C` is said",
            Self::Dataset => {
                "1,000 prompts of the leaderboard’s dataset were asked for and answered, none failed"
            }
            Self::Batch => "one prompt at a time",
            Self::Precision => "`bfloat16` or `float16`",
            Self::Length => {
                "`min_new_tokens` and `max_new_tokens` are 10, and the answers have 10 tokens each"
            }
            Self::Sampling => "no sampling, no beams, no weight against repetitions",
            Self::Template => "neither a chat template nor a text before the prompts",
            Self::Truncation => "`scenario.truncation=True`, and no prompt was cut",
            Self::OneModel => "several runs have one model, the same settings and one image",
        }
    }

    /// The rule in words.
    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::Logs => "the zipped logs of runs that succeeded are submitted",
            Self::Unaltered => "logs are unaltered, and of this very test",
            Self::Task => "the benchmark runs the model itself, as it is used in production",
            Self::Energy => "GPU energy alone is scored, and it is measured",
            Self::Hardware => "scores are of NVIDIA H100 GPUs; others do not compare",
            Self::OneGpu => "a model of class A or B runs on one GPU; several void the result",
            Self::Dataset => "a task is its dataset of 1,000 prompts",
            Self::Batch => "every model answers one prompt at a time",
            Self::Precision => "text generation is measured with 16-bit floats",
            Self::Length => "every answer has 10 tokens, neither fewer nor more",
            Self::Sampling => "every token is the likeliest one",
            Self::Template => "prompts are plain text; reasoning is a task of its own",
            Self::Truncation => "the model reads every prompt of the dataset as it is",
            Self::OneModel => "a score is the mean over runs of one model and task",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Logs => "logs",
            Self::Unaltered => "unaltered",
            Self::Task => "task",
            Self::Energy => "energy",
            Self::Hardware => "hardware",
            Self::OneGpu => "one GPU",
            Self::Dataset => "dataset",
            Self::Batch => "batch",
            Self::Precision => "precision",
            Self::Length => "length",
            Self::Sampling => "sampling",
            Self::Template => "template",
            Self::Truncation => "truncation",
            Self::OneModel => "one model",
        })
    }
}
