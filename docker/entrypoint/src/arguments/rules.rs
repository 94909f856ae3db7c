//! Rules about several arguments: defaults that depend on others, and contradictions.

use contract::{
    Backend, DEFAULT_NUM_SAMPLES,
    argument::{
        self, ANSWER_TOKENS, COLUMN, DATASET, DEVICE, DEVICE_MAP, DO_SAMPLE, FAILED_SHARE,
        MAX_NEW_TOKENS, MIN_NEW_TOKENS, MODEL, MODEL_KWARGS, NUM_SAMPLES, PREFIX, REASONED_TOKENS,
        REASONING, REASONING_PARAMS, SEED, SPLIT, SYSTEM, TEMPERATURE, TOP_K, TOP_P,
    },
};
use serde_json::{Value, json};

use super::settings::Settings;

/// The largest seed that NumPy takes.
const MOST_SEED: u64 = u32::MAX as u64;

const THINKING: &str = "enable_thinking";
const DEVICE_IDS: &str = "backend.device_ids";
const TORCH_COMPILE: &str = "backend.torch_compile";

/// Keys that have no effect unless another key is true. A stack would silently ignore them.
const NEEDS: [(&str, &str); 7] = [
    (REASONING_PARAMS, REASONING),
    (SYSTEM, REASONING),
    (TEMPERATURE, DO_SAMPLE),
    (TOP_P, DO_SAMPLE),
    (TOP_K, DO_SAMPLE),
    ("backend.torch_compile_target", TORCH_COMPILE),
    ("backend.torch_compile_config", TORCH_COMPILE),
];

/// Sets the defaults that depend on other arguments, and returns every violated rule. `given` are
/// the names on the command line.
pub(super) fn complete(settings: &mut Settings, given: &[&str]) -> Vec<String> {
    let mut faults = Vec::new();
    if settings.get(MODEL).is_none() {
        faults.push(format!(
            "no model is given; add `{MODEL}=ORG/REPO` for a repo of the Hub, or a path that is \
             visible here"
        ));
    }
    if settings.get(NUM_SAMPLES).is_none() {
        settings.set(NUM_SAMPLES, json!(DEFAULT_NUM_SAMPLES));
    }
    lengths(settings, &mut faults);
    for key in [DATASET, SPLIT, COLUMN, PREFIX, SYSTEM] {
        if given.contains(&key) && settings.get(key).is_none() {
            faults.push(format!("`{key}` needs a value"));
        }
    }
    if let Some(seed) = settings.number(SEED).filter(|seed| *seed > MOST_SEED) {
        faults.push(format!("`{SEED}={seed}` is more than {MOST_SEED}, the last seed there is"));
    }
    if let Some(share) = settings.get(FAILED_SHARE).and_then(Value::as_f64)
        && !(0.0..=1.0).contains(&share)
    {
        faults.push(format!("`{FAILED_SHARE}={share}` is no share, which is a number from 0 to 1"));
    }
    if let Some(value) = settings.get(REASONING_PARAMS).and_then(|all| all.get(THINKING))
        && !value.is_boolean()
    {
        // Chat templates test it for truth, and every string but the empty one is true.
        faults.push(format!("`{REASONING_PARAMS}.{THINKING}` needs `True` or `False`"));
    }
    for name in names_of(settings, MODEL_KWARGS) {
        if let Some(why) = argument::refusal(&name) {
            faults.push(format!("`{name}` is refused: {why}"));
        }
    }
    // A vLLM server always uses the chat template, which takes a system message.
    let served = settings.backend == Backend::Vllm;
    for (key, needed) in NEEDS.into_iter().filter(|(key, _)| !(served && *key == SYSTEM)) {
        let name = given.iter().find(|name| **name == key || is_below(key, name));
        if let Some(name) = name
            && settings.get(needed) != Some(&Value::Bool(true))
        {
            faults.push(format!("`{name}` changes nothing without `{needed}=True`"));
        }
    }
    let on_cpu = settings.text(DEVICE) == Some("cpu");
    for key in [DEVICE_MAP, DEVICE_IDS] {
        if on_cpu && given.contains(&key) && settings.get(key).is_some() {
            faults.push(format!("`{key}` is for GPUs, and `{DEVICE}=cpu` is given"));
        }
    }
    faults
}

/// Full names of the keys in a tree.
fn names_of(settings: &Settings, tree: &str) -> Vec<String> {
    let keys = settings.get(tree).and_then(Value::as_object);
    keys.into_iter().flat_map(|keys| keys.keys()).map(|key| format!("{tree}.{key}")).collect()
}

/// Sets the minimum and maximum length of an answer. Like in optimum-benchmark, one of them sets
/// the other, unless the model reasons and ends its answers itself.
fn lengths(settings: &mut Settings, faults: &mut Vec<String>) {
    let reasons = reasons(settings);
    let (min, max) = (settings.number(MIN_NEW_TOKENS), settings.number(MAX_NEW_TOKENS));
    let max = max.unwrap_or_else(|| {
        let default = if reasons { REASONED_TOKENS } else { ANSWER_TOKENS };
        default.max(min.unwrap_or_default())
    });
    let min = min.unwrap_or(if reasons { 1 } else { max });
    if min > max {
        faults.push(format!("`{MIN_NEW_TOKENS}={min}` is more than `{MAX_NEW_TOKENS}={max}`"));
    }
    settings.set(MAX_NEW_TOKENS, json!(max));
    settings.set(MIN_NEW_TOKENS, json!(min));
}

/// Whether the model reasons: reasoning is on, and no parameter turns it off again.
fn reasons(settings: &Settings) -> bool {
    let parameter = |name: &str| settings.get(&format!("{REASONING_PARAMS}.{name}"));
    let is_off = |value: Option<&Value>| value == Some(&Value::Bool(false));
    settings.get(REASONING) == Some(&Value::Bool(true))
        && !is_off(parameter(THINKING))
        && !is_off(parameter("reasoning"))
        && parameter("reasoning_effort").and_then(Value::as_str) != Some("off")
}

fn is_below(root: &str, name: &str) -> bool {
    name.strip_prefix(root).is_some_and(|rest| rest.starts_with('.'))
}
