//! Arguments that no backend supports, with the reason.

/// Refused keys, groups and options of Hydra and of AIEnergyScore's scripts. The reason is what
/// each would break, or the argument to use instead.
pub const REFUSED: [(&str, &str); 32] = [
    ("hydra", "results always go to the results folder, where the summary is made"),
    (
        "launcher",
        "the model runs in the measured process itself: optimum-benchmark's process launcher keeps \
         one processor busy with waiting",
    ),
    (
        "backend.inter_op_num_threads",
        "optimum-benchmark swaps the two kinds of threads; \
         set OMP_NUM_THREADS",
    ),
    (
        "backend.intra_op_num_threads",
        "optimum-benchmark swaps the two kinds of threads; \
         set OMP_NUM_THREADS",
    ),
    ("backend.model_kwargs.dtype", "give `backend.torch_dtype=`"),
    ("backend.model_kwargs.torch_dtype", "give `backend.torch_dtype=`"),
    ("backend.model_kwargs.device_map", "give `backend.device_map=`"),
    ("backend.model_kwargs.attn_implementation", "give `backend.attn_implementation=`"),
    (
        "backend.model_kwargs.quantization_config",
        "give `backend.quantization_config.*`, with `optimum`",
    ),
    (
        "backend.model_kwargs.token",
        "an argument can be seen by others; set HF_TOKEN, or use `hf auth login`",
    ),
    ("backend.library", "it is read from the model's own files"),
    ("backend.model_type", "it is read from the model's own files"),
    ("backend.processor", "the tokenizer is the model's own"),
    ("scenario.max_length", "optimum-benchmark ignores it; prompts are cut at the model's limit"),
    ("--config-dir", "the image has its configurations; give keys as arguments"),
    ("-cd", "the image has its configurations; give keys as arguments"),
    ("--multirun", "one run measures one model; start several runs"),
    ("-m", "one run measures one model; start several runs"),
    ("--batch", BATCH),
    ("--csv", BATCH),
    ("--model-name", "name the model: `backend.model=ORG/REPO`"),
    ("--class", BATCH),
    ("--task", "give `backend.task=text-generation`"),
    ("--reasoning-state", "give `scenario.reasoning=True` and `scenario.reasoning_params.*`"),
    ("--num-prompts", "give `-n N`, or `scenario.num_samples=N`"),
    ("--prompts-file", "give `scenario.dataset_name=./FILE.csv`"),
    ("--output-dir", "give `--results DIR`"),
    ("-b", "give `--backend BACKEND`"),
    ("--endpoint", SERVER),
    ("-e", SERVER),
    ("backend.endpoint", SERVER),
    ("backend.use_harmony", "`scenario.reasoning=True` uses the model's own chat template"),
];

const BATCH: &str = "one run measures one model, which `backend.model=` names; start several runs";
const SERVER: &str = "set VLLM_ENDPOINT to the server's address";

/// Refused options whose value may be the next argument.
const WITH_VALUES: [&str; 13] = [
    "--config-dir",
    "-cd",
    "--csv",
    "--model-name",
    "--class",
    "--task",
    "--reasoning-state",
    "--num-prompts",
    "--prompts-file",
    "--output-dir",
    "-b",
    "--endpoint",
    "-e",
];

/// Whether the argument after the refused option `name` is its value.
pub fn takes_value(name: &str) -> bool {
    WITH_VALUES.contains(&name)
}

/// The reason why `name` or a group that contains it is refused.
pub fn refusal(name: &str) -> Option<&'static str> {
    let matches = |refused: &str| refused == name || is_below(refused, name);
    REFUSED.iter().find(|(refused, _)| matches(refused)).map(|(_, why)| *why)
}

/// Whether `name` is a key below `root`, without empty names in between.
pub(super) fn is_below(root: &str, name: &str) -> bool {
    let rest = name.strip_prefix(root).and_then(|rest| rest.strip_prefix('.'));
    rest.is_some_and(|rest| rest.split('.').all(|part| !part.is_empty()))
}
