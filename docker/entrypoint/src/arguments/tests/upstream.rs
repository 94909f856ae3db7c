//! The arguments of AIEnergyScore's README, scripts and batch runner, copied from there
//! (huggingface/AIEnergyScore of December 2025). Each is accepted, or refused with a reason.

use contract::{
    Backend,
    Backend::{Native, Optimum, Pytorch, Vllm},
    argument::{DATASET, DEVICE, MAX_NEW_TOKENS, MIN_NEW_TOKENS, MODEL, NUM_SAMPLES},
};
use serde_json::{Value, json};

use super::parsed;

/// Expected result of an example.
enum Then {
    /// Every backend accepts it, and these keys have these values.
    Means(&'static [(&'static str, &'static str)]),
    /// These backends refuse it with a message that contains the text, the others accept it.
    RefusedBy(&'static [Backend], &'static str),
}
use Then::{Means, RefusedBy};

const EVERYONE: &[Backend] = &Backend::ALL;
const EFFORT: &str = "scenario.reasoning_params.reasoning_effort";
const THINKING: &str = "scenario.reasoning_params.enable_thinking";

const EXAMPLES: [(&str, Then); 42] = [
    // README: Quick Start, with `-n` as the runner passes it on.
    (
        "--config-name text_generation backend.model=openai/gpt-oss-20b",
        Means(&[(MODEL, "openai/gpt-oss-20b"), (MAX_NEW_TOKENS, "10"), (MIN_NEW_TOKENS, "10")]),
    ),
    (
        "--config-name text_generation backend.model=openai/gpt-oss-120b scenario.num_samples=100",
        Means(&[(NUM_SAMPLES, "100")]),
    ),
    ("--config-name=text_generation scenario.num_samples=3", Means(&[(NUM_SAMPLES, "3")])),
    ("-cn text_generation backend.model=google/gemma-3-1b-pt", Means(&[])),
    // README: Compare Reasoning vs Non-Reasoning Modes.
    ("scenario.reasoning=False", Means(&[(MAX_NEW_TOKENS, "10"), (MIN_NEW_TOKENS, "10")])),
    (
        "scenario.reasoning=True scenario.reasoning_params.reasoning_effort=low",
        Means(&[(EFFORT, "low"), (MAX_NEW_TOKENS, "8192"), (MIN_NEW_TOKENS, "1")]),
    ),
    (
        "scenario.reasoning=True scenario.reasoning_params.reasoning_effort=medium",
        Means(&[(EFFORT, "medium"), (MAX_NEW_TOKENS, "8192")]),
    ),
    (
        "scenario.reasoning=True scenario.reasoning_params.reasoning_effort=high",
        Means(&[(EFFORT, "high"), (MAX_NEW_TOKENS, "8192")]),
    ),
    (
        "scenario.reasoning=True +scenario.reasoning_params={reasoning_effort:high}",
        Means(&[(EFFORT, "high")]),
    ),
    // Lines of the batch runner for a model with reasoning, and without.
    (
        "scenario.dataset_name=EnergyStarAI/text_generation scenario.reasoning=True \
         scenario.reasoning_params.enable_thinking=true \
         scenario.generate_kwargs.max_new_tokens=8192 scenario.generate_kwargs.min_new_tokens=1",
        Means(&[(THINKING, "true"), (MAX_NEW_TOKENS, "8192"), (MIN_NEW_TOKENS, "1")]),
    ),
    (
        "scenario.reasoning=True scenario.reasoning_params.enable_thinking=False",
        Means(&[(THINKING, "false"), (MAX_NEW_TOKENS, "10")]),
    ),
    (
        "scenario.reasoning=False scenario.generate_kwargs.max_new_tokens=10",
        Means(&[(MAX_NEW_TOKENS, "10")]),
    ),
    (
        "scenario.generate_kwargs.min_new_tokens=10",
        Means(&[(MAX_NEW_TOKENS, "10"), (MIN_NEW_TOKENS, "10")]),
    ),
    // `reasoning` of Phi and Gemma turns reasoning off.
    (
        "scenario.reasoning=True scenario.reasoning_params.reasoning=False",
        Means(&[(MAX_NEW_TOKENS, "10")]),
    ),
    // Non-Docker usage.
    ("scenario.dataset_name=custom.csv", Means(&[(DATASET, "custom.csv")])),
    // The keys of `text_generation.yaml` and `pytorch_validation.yaml`.
    (
        "scenario.text_column_name=text backend.task=text-generation backend.no_weights=False \
         scenario.input_shapes.batch_size=1",
        Means(&[]),
    ),
    ("scenario.truncation=True", RefusedBy(&[Vllm], "the server loads and computes the model")),
    ("backend.device=cpu", RefusedBy(&[Vllm], "`backend.device=cpu` is not for the `vllm`")),
    ("backend.device=cuda", RefusedBy(&[Vllm, Native], "`backend.device=cuda` is not for the `")),
    ("backend.device_ids=0", RefusedBy(&[Vllm, Native], "`backend.device_ids=0` is not for the")),
    ("backend.device_ids=0,1,2,3,4,5,6,7", RefusedBy(&[Vllm, Native], "is not for the")),
    ("backend.torch_dtype=bfloat16", RefusedBy(&[Vllm, Native], "`backend.torch_dtype=bfloat16`")),
    ("backend.torch_dtype=auto", RefusedBy(&[Vllm, Native], "`backend.torch_dtype=auto`")),
    ("backend.device_map=auto", RefusedBy(&[Vllm, Native], "`backend.device_map=auto`")),
    (
        "scenario.input_shapes.batch_size=8",
        RefusedBy(&[Pytorch, Vllm, Native], "takes `1` alone: it runs prompts one by one"),
    ),
    // Keys of optimum-benchmark that this project sets itself.
    ("backend.processor=org/m", RefusedBy(EVERYONE, "the tokenizer is the model's own")),
    ("backend.library=transformers", RefusedBy(EVERYONE, "it is read from the model's own files")),
    ("hydra.run.dir=/results", RefusedBy(EVERYONE, "results always go to the results folder")),
    ("launcher=process", RefusedBy(EVERYONE, "the model runs in the measured process itself")),
    ("launcher.device_isolation=False", RefusedBy(EVERYONE, "`launcher.device_isolation=False`")),
    ("--config-dir /optimum-benchmark/energy_star", RefusedBy(EVERYONE, "the image has its")),
    (
        "--config-name text_generation_gptoss_reasoning_high",
        RefusedBy(EVERYONE, "text_generation_gptoss_reasoning_high"),
    ),
    ("scenario.num_samples=-1", RefusedBy(EVERYONE, "needs a whole number above 0")),
    ("scenario.num_samples=0", RefusedBy(EVERYONE, "needs a whole number above 0")),
    // Flags of the batch runner and of `run_non_docker.sh`.
    ("--batch --class A", RefusedBy(EVERYONE, "`--batch` is refused: one run measures one model")),
    ("--model-name gpt-oss", RefusedBy(EVERYONE, "`backend.model=ORG/REPO`")),
    ("--reasoning-state High", RefusedBy(EVERYONE, "`scenario.reasoning=True` and")),
    ("--num-prompts 3 --output-dir ./test_run", RefusedBy(EVERYONE, "give `--results DIR`")),
    ("--csv models.csv --task text_gen", RefusedBy(EVERYONE, "`--csv` is refused")),
    ("--prompts-file prompts.csv", RefusedBy(EVERYONE, "`scenario.dataset_name=./FILE.csv`")),
    ("-b vllm -e http://localhost:8021/v1", RefusedBy(EVERYONE, "set VLLM_ENDPOINT")),
    ("backend.endpoint=http://localhost:8000/v1", RefusedBy(EVERYONE, "set VLLM_ENDPOINT")),
];

/// A value in the syntax of an example.
fn spelt(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[test]
fn every_familiar_example_is_understood_or_refused_by_name() {
    for (line, then) in EXAMPLES {
        let mut args: Vec<_> = line.split_whitespace().collect();
        if !line.contains("backend.model=") {
            args.push("backend.model=openai/gpt-oss-20b");
        }
        for backend in [Optimum, Pytorch, Vllm, Native] {
            let outcome = parsed(backend, &args);
            match then {
                RefusedBy(those, words) if those.contains(&backend) => {
                    let said = outcome.unwrap_err();
                    assert!(said.contains(words), "{backend} {line}: {said}");
                    // The option is known, and its value is not reported as an argument.
                    assert!(!said.contains(" is not known"), "{backend} {line}: {said}");
                }
                RefusedBy(..) => assert!(outcome.is_ok(), "{backend} {line}: {outcome:?}"),
                Means(meanings) => {
                    let settings = outcome.unwrap_or_else(|why| panic!("{backend} {line}: {why}"));
                    for (key, value) in meanings.iter().copied() {
                        let found = settings.get(key).map(spelt);
                        assert_eq!(found.as_deref(), Some(value), "{backend} {line}: {key}");
                    }
                }
            }
        }
    }
}

#[test]
fn defaults_are_the_same_for_every_backend() {
    for backend in Backend::ALL {
        let settings = parsed(backend, &["backend.model=org/m"]).unwrap();
        for (key, value) in [
            ("backend.seed", json!(42)),
            ("scenario.dataset_split", json!("train")),
            ("scenario.text_column_name", json!("text")),
            ("scenario.reasoning", json!(false)),
            ("scenario.warmup_runs", json!(10)),
            (NUM_SAMPLES, json!(20)),
            (MAX_NEW_TOKENS, json!(10)),
        ] {
            assert_eq!(settings.get(key), Some(&value), "{backend} {key}");
        }
        let dataset = settings.text(DATASET);
        assert_eq!(dataset.is_none(), backend == Native, "`native` has built-in prompts");
        assert_eq!(settings.get(DEVICE), None);
    }
}
