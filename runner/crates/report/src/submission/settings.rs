//! The settings of the leaderboard's text generation task, compared with those of a run.
//!
//! AIEnergyScore, commit a5b9a048ecd44aa087cdd5b575a17d705128c424, has them in
//! `pytorch_validation.yaml`; optimum-benchmark, commit b263af468a9e9a9a3d1449039849727352955646, in
//! `energy_star/text_generation.yaml`: answers of 10 tokens, truncation, batches of one prompt. Its
//! scenario takes the likeliest token. Reasoning is a task of its own in index.md.

use contract::{
    Backend,
    argument::{
        ANSWER_TOKENS, BATCH_SIZE, COLUMN, DO_SAMPLE, MAX_NEW_TOKENS, MIN_NEW_TOKENS, NUM_BEAMS,
        PREFIX, REASONING, REPETITION_PENALTY, SPLIT, TRUNCATION,
    },
    summary::Run,
};
use serde_json::{Value, json};

use super::{logs::RunLogs, rule::Rule};
use crate::sanitize::sanitized;

/// The hint for a setting that the logs do not name.
const AGAIN: &str = "run again with `aienergyscore run`, whose logs tell it";
/// Format of prompts without a chat template.
const PLAIN_TEXT: &str = "plain text";

/// The arguments that the task fixes, with its values. They are the defaults of a run.
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

/// Finds every setting that differs from the task's, or that the logs do not name.
pub(super) fn check(run: &Run, logs: &RunLogs, found: &mut Vec<(Rule, String)>) {
    // The `native` backend violates the task itself, and has none of these settings.
    if run.backend != Backend::Native {
        for (rule, argument, value) in arguments() {
            found.extend(differs(argument, &value, &named(logs, argument)).map(|why| (rule, why)));
        }
        found.extend(text(logs).map(|why| (Rule::Template, why)));
    }
    found.extend(tokens(run).map(|why| (Rule::Length, why)));
    found.extend(cut(run).map(|why| (Rule::Truncation, why)));
}

/// The values of the setting `key`, each with its file. The record of a run and optimum-benchmark's
/// configuration have the same keys.
fn named<'a>(logs: &'a RunLogs, key: &str) -> Vec<(&'static str, &'a Value)> {
    let pointer = format!("/{}", key.replace('.', "/"));
    let files = logs.settings.iter();
    let values = files.filter_map(|(name, file)| Some((*name, file.pointer(&pointer)?)));
    values.filter(|(_, value)| !value.is_null()).collect()
}

/// The reason why one of the `values` of a setting differs from the task's value.
fn differs(name: &str, task: &Value, values: &[(&str, &Value)]) -> Option<String> {
    if values.is_empty() {
        return Some(format!("the logs do not tell `{name}`, and the task's is {task}; {AGAIN}"));
    }
    let is_same = |value: &Value| match (value.as_f64(), task.as_f64()) {
        (Some(one), Some(two)) => one.to_bits() == two.to_bits(),
        _ => value == task,
    };
    let (file, value) = values.iter().find(|(_, value)| !is_same(value))?;
    let value = sanitized(&value.to_string());
    Some(format!("`{name}` was {value} (`{file}`), and the task's is {task}; leave it out"))
}

/// The reason why the model's input differs from the texts of the dataset. Only the record of a run names
/// a prefix.
fn text(logs: &RunLogs) -> Option<String> {
    let [(_, record), _] = &logs.settings;
    let value = |key: &str| record.get(key).filter(|value| !value.is_null());
    let Some(scenario) = value("scenario") else {
        return Some(format!("the logs do not tell whether `{PREFIX}` was set; {AGAIN}"));
    };
    let key = PREFIX.rsplit('.').next()?;
    if let Some(prefix) = scenario.get(key).and_then(Value::as_str).filter(|text| !text.is_empty())
    {
        let prefix = sanitized(prefix);
        return Some(format!("`{prefix}` stood before every prompt; leave `{PREFIX}` out"));
    }
    let Some(format) = value("prompt_format") else {
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

/// The reason why the length of the answers differs from the task's.
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

/// The reason why the model did not read every prompt completely.
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
