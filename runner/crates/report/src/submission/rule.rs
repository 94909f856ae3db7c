//! The rules of a submission, in words.

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
    /// Every rule, in the order of the checks.
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

    /// The name of the rule, its text, and the values of a run that are checked.
    pub(super) const fn row(self) -> [&'static str; 3] {
        match self {
            Self::Logs => [
                "logs",
                "the zipped logs of runs that succeeded are submitted",
                "the completion marker, report, summary, energy and log are there",
            ],
            Self::Unaltered => [
                "unaltered",
                "logs are unaltered, and of this very test",
                "the backend’s report gives the very numbers of the summary, and that the energy",
            ],
            Self::Task => [
                "task",
                "the benchmark runs the model itself, as it is used in production",
                "the backend is `optimum` or `pytorch`: `vllm` is a client only",
            ],
            Self::Energy => [
                "energy",
                "GPU energy alone is scored, and it is measured",
                "GPU energy was measured by the benchmark; an estimate is refused",
            ],
            Self::Hardware => [
                "hardware",
                "scores are of NVIDIA H100 GPUs; others do not compare",
                "the GPUs are named, and each is an NVIDIA H100",
            ],
            Self::OneGpu => [
                "one GPU",
                "a model of class A or B runs on one GPU; several void the result",
                "one GPU was counted, or `--class C` is said",
            ],
            Self::Dataset => [
                "dataset",
                "a task is its dataset of 1,000 prompts",
                "1,000 prompts of the leaderboard’s dataset were asked for and answered, none failed",
            ],
            Self::Batch => {
                ["batch", "every model answers one prompt at a time", "one prompt at a time"]
            }
            Self::Precision => [
                "precision",
                "text generation is measured with 16-bit floats",
                "`bfloat16` or `float16`",
            ],
            Self::Length => [
                "length",
                "every answer has 10 tokens, neither fewer nor more",
                "`min_new_tokens` and `max_new_tokens` are 10, and the answers have 10 tokens each",
            ],
            Self::Sampling => [
                "sampling",
                "every token is the likeliest one",
                "no sampling, no beams, no weight against repetitions",
            ],
            Self::Template => [
                "template",
                "prompts are plain text; reasoning is a task of its own",
                "neither a chat template nor a text before the prompts",
            ],
            Self::Truncation => [
                "truncation",
                "the model reads every prompt of the dataset as it is",
                "`scenario.truncation=True`, and no prompt was cut",
            ],
            Self::OneModel => [
                "one model",
                "a score is the mean over runs of one model and task",
                "several runs have one model, the same settings and one image",
            ],
        }
    }
}
