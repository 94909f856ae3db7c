//! The settings of the leaderboard's text generation task, and whether a run's files tell them.
//!
//! Facts of AIEnergyScore, commit a5b9a048ecd44aa087cdd5b575a17d705128c424, and of
//! optimum-benchmark, commit b263af468a9e9a9a3d1449039849727352955646: 10 tokens an answer are in
//! `energy_star/text_generation.yaml` of the latter and in `pytorch_validation.yaml` of the former,
//! truncation and batches of one prompt in both, and the scenario takes the likeliest token.
//! Reasoning is a task of its own in index.md.

use contract::{
    Backend,
    argument::{
        ANSWER_TOKENS, BATCH_SIZE, COLUMN, DO_SAMPLE, MAX_NEW_TOKENS, MIN_NEW_TOKENS, NUM_BEAMS,
        PREFIX, REASONING, REPETITION_PENALTY, SPLIT, TRUNCATION,
    },
    output::{RECORD, REPORT},
    summary::Run,
};
use reports::CONFIG;
use serde_json::{Value, json};

use super::{super::sanitize::sanitized, logs::RunLogs, rule::Rule};

/// What to do about a setting that is not told.
const AGAIN: &str = "run again with `aienergyscore run`, whose logs tell it";
/// What stands for prompts that go through no template.
const PLAIN_TEXT: &str = "plain text";

/// The arguments that the task sets. The defaults of a run are the same.
fn arguments() -> [(Rule, &'static str, Value); 10] {
    [
        (Rule::Dataset, SPLIT, json!("train")),
        (Rule::Dataset, COLUMN, json!("text")),
        (Rule::Batch, BATCH_SIZE, json!(1)),
        (Rule::Length, MIN_NEW_TOKENS, json!(ANSWER_TOKENS)),
        (Rule::Length, MAX_NEW_TOKENS, json!(ANSWER_TOKENS)),
        (Rule::Sampling, DO_SAMPLE, json!(false)),
        (Rule::Sampling, NUM_BEAMS, json!(1)),
        (Rule::Sampling, REPETITION_PENALTY, json!(1)),
        (Rule::Template, REASONING, json!(false)),
        (Rule::Truncation, TRUNCATION, json!(true)),
    ]
}

/// What the report of the `native` backend tells of them, by the keys of its `config`.
fn of_native() -> [(Rule, &'static str, Value); 4] {
    [
        (Rule::Length, "min_new_tokens", json!(ANSWER_TOKENS)),
        (Rule::Length, "max_new_tokens", json!(ANSWER_TOKENS)),
        (Rule::Sampling, "sampling", json!("greedy")),
        (Rule::Template, "prompt_format", json!(PLAIN_TEXT)),
    ]
}

/// Finds every setting that is not the task's, or is not told.
pub(super) fn check(run: &Run, logs: &RunLogs, found: &mut Vec<(Rule, String)>) {
    if run.backend == Backend::Native {
        for (rule, key, value) in of_native() {
            let told = at(logs, REPORT, &format!("config.{key}"));
            found.extend(differs(key, &value, &told).map(|why| (rule, why)));
        }
    } else {
        for (rule, argument, value) in arguments() {
            // optimum-benchmark's configuration has the same keys.
            let told: Vec<_> =
                [RECORD, CONFIG].iter().flat_map(|file| at(logs, file, argument)).collect();
            found.extend(differs(argument, &value, &told).map(|why| (rule, why)));
        }
        found.extend(text(logs).map(|why| (Rule::Template, why)));
    }
    found.extend(tokens(run).map(|why| (Rule::Length, why)));
    found.extend(cut(run).map(|why| (Rule::Truncation, why)));
}

/// What `file` has at the place `key`, and the file's name.
fn at<'a>(logs: &'a RunLogs, file: &str, key: &str) -> Vec<(&'static str, &'a Value)> {
    let pointer = format!("/{}", key.replace('.', "/"));
    let files = logs.told.iter().filter(|(name, _)| *name == file);
    files
        .filter_map(|(name, value)| Some((*name, value.pointer(&pointer)?)))
        .filter(|(_, value)| !value.is_null())
        .collect()
}

/// Why one of the values that are told of `name` is not the task's.
fn differs(name: &str, task: &Value, told: &[(&str, &Value)]) -> Option<String> {
    if told.is_empty() {
        return Some(format!("the logs do not tell `{name}`, and the task's is {task}; {AGAIN}"));
    }
    let is_the_tasks = |value: &Value| match (value.as_f64(), task.as_f64()) {
        (Some(one), Some(two)) => one.to_bits() == two.to_bits(),
        _ => value == task,
    };
    let (file, value) = told.iter().find(|(_, value)| !is_the_tasks(value))?;
    let value = sanitized(&value.to_string());
    Some(format!("`{name}` was {value} (`{file}`), and the task's is {task}; leave it out"))
}

/// Why the texts that the model got are not the dataset's. What stands before them is an argument
/// that the adapter alone takes.
fn text(logs: &RunLogs) -> Option<String> {
    let [(_, scenario)] = at(logs, RECORD, "scenario")[..] else {
        return Some(format!("the logs do not tell whether `{PREFIX}` was set; {AGAIN}"));
    };
    let key = PREFIX.rsplit('.').next()?;
    if let Some(prefix) = scenario.get(key).and_then(Value::as_str).filter(|text| !text.is_empty())
    {
        let prefix = sanitized(prefix);
        return Some(format!("`{prefix}` stood before every prompt; leave `{PREFIX}` out"));
    }
    let [(_, format)] = at(logs, RECORD, "prompt_format")[..] else {
        return Some(format!("the logs do not tell how the model got its prompts; {AGAIN}"));
    };
    (format != PLAIN_TEXT).then(|| {
        let format = sanitized(format.as_str().unwrap_or_default());
        format!(
            "the model got its prompts by way of its {format}, and the task's are {PLAIN_TEXT}; \
             leave `{REASONING}` out"
        )
    })
}

/// Why the answers are not as long as the task's.
fn tokens(run: &Run) -> Option<String> {
    let Run { prompts, completion_tokens, .. } = run;
    let Some(tokens) = completion_tokens else {
        return Some(format!("the logs do not count the tokens of the answers; {AGAIN}"));
    };
    (Some(*tokens) != prompts.checked_mul(ANSWER_TOKENS)).then(|| {
        let each = *tokens as f64 / *prompts as f64;
        format!(
            "{prompts} answers have {tokens} tokens, {each:.1} each, and the task's have \
             {ANSWER_TOKENS}; leave the settings of their length out"
        )
    })
}

/// Why the model did not read the whole dataset.
fn cut(run: &Run) -> Option<String> {
    match (run.prompts_cut, run.prompt_tokens_cut) {
        (Some(0), _) => None,
        (None, _) => Some(format!("the logs do not tell whether prompts were cut; {AGAIN}")),
        (Some(prompts), tokens) => Some(format!(
            "{prompts} prompts were cut, and {} of their tokens not read; choose a model that holds \
             them",
            tokens.unwrap_or_default()
        )),
    }
}
