//! Parsing the arguments of whole runs.

use contract::{Backend, argument};
use serde_json::{Value, json};

use super::{Settings, parse};

mod backends;
mod properties;
mod upstream;

fn parsed(backend: Backend, args: &[&str]) -> Result<Settings, String> {
    let args: Vec<_> = args.iter().map(|arg| (*arg).to_owned()).collect();
    parse(&args, backend)
}

fn tree(backend: Backend, args: &[&str]) -> Value {
    serde_json::from_str(&parsed(backend, args).unwrap().json()).unwrap()
}

#[test]
fn defaults_are_those_of_the_leaderboard() {
    let expected = json!({
        "stack": "pytorch",
        "backend": {
            "task": "text-generation",
            "torch_dtype": "bfloat16",
            "device_map": "auto",
            "seed": 42,
            "model": "org/m",
        },
        "scenario": {
            "dataset_name": "EnergyStarAI/text_generation",
            "dataset_split": "train",
            "text_column_name": "text",
            "truncation": true,
            "input_shapes": {"batch_size": 1},
            "warmup_runs": 10,
            "reasoning": false,
            "num_samples": 20,
            "generate_kwargs": {"max_new_tokens": 10, "min_new_tokens": 10},
        },
    });
    assert_eq!(tree(Backend::Pytorch, &["backend.model=org/m"]), expected);
}

#[test]
fn last_of_two_values_wins_with_or_without_plus_signs() {
    let args = [
        "--config-name",
        "text_generation",
        "backend.model=other",
        "+backend.model='org/m'",
        "++scenario.generate_kwargs.max_new_tokens=7",
        "backend.model_kwargs.revision=1e5",
        "scenario.reasoning=False",
        "backend.device_ids=[0,1]",
        "backend.device=cuda",
    ];
    let tree = tree(Backend::Optimum, &args);
    assert_eq!(tree["backend"]["model"], "org/m");
    assert_eq!(tree["backend"]["device_ids"], json!([0, 1]));
    let lengths = json!({"max_new_tokens": 7, "min_new_tokens": 7});
    assert_eq!(tree["scenario"]["generate_kwargs"], lengths);
}

#[test]
fn reasoning_lengthens_answers_unless_it_is_off_after_all() {
    let lengths = |params: &[&str]| {
        let args = [&["backend.model=m", "scenario.reasoning=True"], params].concat();
        let tree = tree(Backend::Optimum, &args);
        let kwargs = &tree["scenario"]["generate_kwargs"];
        (kwargs["min_new_tokens"].as_u64().unwrap(), kwargs["max_new_tokens"].as_u64().unwrap())
    };
    assert_eq!(lengths(&[]), (1, 8192));
    assert_eq!(lengths(&["scenario.reasoning_params.reasoning_effort=high"]), (1, 8192));
    assert_eq!(lengths(&["scenario.reasoning_params={enable_thinking: False}"]), (10, 10));
    assert_eq!(lengths(&["scenario.reasoning_params.reasoning_effort='off'"]), (10, 10));
    assert_eq!(lengths(&["scenario.generate_kwargs.max_new_tokens=50"]), (1, 50));
}

#[test]
fn one_length_limit_sets_the_other() {
    let lengths = |args: &[&str]| {
        let settings = parsed(Backend::Native, &[&["backend.model=m"], args].concat()).unwrap();
        [argument::MIN_NEW_TOKENS, argument::MAX_NEW_TOKENS].map(|key| settings.number(key))
    };
    assert_eq!(lengths(&["scenario.generate_kwargs.max_new_tokens=4"]), [Some(4); 2]);
    assert_eq!(lengths(&["scenario.generate_kwargs.min_new_tokens=12"]), [Some(12); 2]);
    assert_eq!(lengths(&["scenario.generate_kwargs.min_new_tokens=2"]), [Some(2), Some(10)]);
}

#[test]
fn map_is_merged_into_its_tree_and_quotes_make_strings() {
    let args = [
        "backend.model=m",
        "scenario.reasoning=True",
        "++scenario.reasoning_params.enable_thinking=True",
        "scenario.reasoning_params={effort: 'low, then high', n: [1, 2]}",
        "backend.model_kwargs.revision='12'",
    ];
    let tree = tree(Backend::Optimum, &args);
    let expected = json!({"enable_thinking": true, "effort": "low, then high", "n": [1, 2]});
    assert_eq!(tree["scenario"]["reasoning_params"], expected);
    assert_eq!(tree["backend"]["model_kwargs"], json!({"revision": "12"}));
}

#[test]
fn group_in_braces_equals_its_keys() {
    let args = [
        "backend.model=m",
        "scenario.generate_kwargs={max_new_tokens: 5, 'min_new_tokens': 2}",
        "+scenario.input_shapes={batch_size:2}",
    ];
    let tree = tree(Backend::Optimum, &args);
    let lengths = json!({"max_new_tokens": 5, "min_new_tokens": 2});
    assert_eq!(tree["scenario"]["generate_kwargs"], lengths);
    assert_eq!(tree["scenario"]["input_shapes"], json!({"batch_size": 2}));
}

#[test]
fn every_invalid_argument_is_named() {
    let cases: [(Backend, &[&str]); 19] = [
        (Backend::Optimum, &["--multirun", "-x", "--config-dir", "/cfg", "oops"]),
        (Backend::Optimum, &["hydra.run.dir=/x", "launcher=process", "+launcher.numactl=True"]),
        (Backend::Optimum, &["backend.modle=x", "+scenario.foo=1", "~backend.model"]),
        (Backend::Optimum, &["backend.intra_op_num_threads=2", "scenario.max_length=5"]),
        (Backend::Pytorch, &["backend.allow_tf32=True", "scenario.input_shapes.batch_size=2"]),
        (Backend::Pytorch, &["scenario.num_samples=-1", "scenario.reasoning=maybe"]),
        (Backend::Pytorch, &["scenario.reasoning_params.reasoning_effort=low"]),
        (Backend::Pytorch, &["scenario.generate_kwargs.top_p=0.5"]),
        (Backend::Optimum, &["backend.device=cpu", "backend.device_map=auto"]),
        (Backend::Optimum, &["--config-name", "nope"]),
        (Backend::Vllm, &["backend.device=cuda", "scenario.generate_kwargs.min_new_tokens=3"]),
        (Backend::Native, &["backend.device=cuda", "scenario.generate_kwargs.num_beams=2"]),
        (
            Backend::Native,
            &["backend.torch_dtype=auto", "scenario.system_prompt=x", "--config-name"],
        ),
        (Backend::Optimum, &["scenario.dataset_name=null", "backend.seed=4294967296"]),
        (
            Backend::Pytorch,
            &["scenario.reasoning=on", "scenario.reasoning_params.enable_thinking=off"],
        ),
        (Backend::Optimum, &["backend.model_kwargs={dtype: float16, token: x}"]),
        (Backend::Optimum, &["scenario.reasoning_params={a:'b}", "backend.model_kwargs.a=[1"]),
        (
            Backend::Optimum,
            &["scenario.generate_kwargs={max_length: 5, top_k: x}", "scenario={a:1}"],
        ),
        (Backend::Vllm, &["scenario.reasoning_params.a=1,2", "backend.allow_tf32=True"]),
    ];
    let said = cases.map(|(backend, args)| {
        let args = [&["backend.model=m"], args].concat();
        format!("{backend} {}\n  {}\n", args[1..].join(" "), parsed(backend, &args).unwrap_err())
    });
    insta::assert_snapshot!("refused", said.concat());
    let nothing = parsed(Backend::Native, &[]).unwrap_err();
    assert!(nothing.starts_with("no model is given"), "{nothing}");
}
