//! Arguments of the benchmark: Hydra's syntax, and the keys of each backend.
//!
//! The Python stacks ignore unknown keys, some without an error. Here every unknown key is refused
//! by name, before anything is loaded. The names are those of optimum-benchmark 0.6.

mod refused;
mod support;

use std::borrow::Cow;

use self::refused::is_below;
use self::support::{
    ALL, BATCHES, BEAMS, COMPILED, DEVICES, GPUS, LOCAL, QUANTISED, REPORTED, SERVED, TORCH, TYPES,
};
pub use self::{
    refused::{REFUSED, refusal, takes_value},
    support::{Backends, Support},
};

/// The option with the name of a configuration.
pub const CONFIG_NAME: &str = "--config-name";
/// Name of the default configuration.
pub const DEFAULT_CONFIG: &str = "text_generation";

/// The model.
pub const MODEL: &str = "backend.model";
/// The dataset.
pub const DATASET: &str = "scenario.dataset_name";
/// Number of prompts, as `-n`.
pub const NUM_SAMPLES: &str = "scenario.num_samples";
/// Prompts per run when neither `-n` nor [`NUM_SAMPLES`] says otherwise.
pub const DEFAULT_NUM_SAMPLES: u32 = 20;
/// Split of the dataset.
pub const SPLIT: &str = "scenario.dataset_split";
/// Configuration of the dataset.
pub const DATASET_CONFIG: &str = "scenario.dataset_config";
/// Column with the prompts.
pub const COLUMN: &str = "scenario.text_column_name";
/// Text before every prompt.
pub const PREFIX: &str = "scenario.prompt_prefix";
/// The system message.
pub const SYSTEM: &str = "scenario.system_prompt";
/// Whether to truncate prompts to the model's context.
pub const TRUNCATION: &str = "scenario.truncation";
/// Number of warm-up answers before the measured ones.
pub const WARMUP: &str = "scenario.warmup_runs";
/// The seed.
pub const SEED: &str = "backend.seed";
/// Keyword arguments of `from_pretrained`.
pub const MODEL_KWARGS: &str = "backend.model_kwargs";
/// Branch, tag or commit of the model.
pub const REVISION: &str = "backend.model_kwargs.revision";
/// The device.
pub const DEVICE: &str = "backend.device";
/// Placement of the model on several devices.
pub const DEVICE_MAP: &str = "backend.device_map";
/// Share of prompts that may fail.
pub const FAILED_SHARE: &str = "scenario.failed_share";
/// Prompts per forward pass.
pub const BATCH_SIZE: &str = "scenario.input_shapes.batch_size";
/// Whether to reason.
pub const REASONING: &str = "scenario.reasoning";
/// Keyword arguments of the chat template for reasoning.
pub const REASONING_PARAMS: &str = "scenario.reasoning_params";
/// Exact number of tokens in an answer of the leaderboard's task.
pub const ANSWER_TOKENS: u64 = 10;
/// Maximum number of tokens in an answer with reasoning, by the leaderboard's rule.
pub const REASONED_TOKENS: u64 = 8192;
/// Maximum number of tokens in an answer.
pub const MAX_NEW_TOKENS: &str = "scenario.generate_kwargs.max_new_tokens";
/// Minimum number of tokens in an answer.
pub const MIN_NEW_TOKENS: &str = "scenario.generate_kwargs.min_new_tokens";
/// Whether tokens are sampled.
pub const DO_SAMPLE: &str = "scenario.generate_kwargs.do_sample";
/// Temperature of sampling.
pub const TEMPERATURE: &str = "scenario.generate_kwargs.temperature";
/// Cumulative probability of the tokens to sample from.
pub const TOP_P: &str = "scenario.generate_kwargs.top_p";
/// Number of the most likely tokens to sample from.
pub const TOP_K: &str = "scenario.generate_kwargs.top_k";
/// Number of beams in a beam search.
pub const NUM_BEAMS: &str = "scenario.generate_kwargs.num_beams";
/// Penalty for repetitions.
pub const REPETITION_PENALTY: &str = "scenario.generate_kwargs.repetition_penalty";

/// A key, or the root of a tree of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// Name of the key or root.
    pub name: &'static str,
    /// Type of the value.
    pub kind: Kind,
    /// Backends that support it.
    pub backends: Backends,
}

/// Type of a key's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Any text.
    Text,
    /// A whole number above 0.
    Count,
    /// A whole number from 0.
    Whole,
    /// A number.
    Number,
    /// True or false.
    Bool,
    /// Numbers, separated by commas.
    Ids,
    /// One of these.
    OneOf(&'static [&'static str]),
    /// Any keys below this one, or all of them in braces.
    Tree,
}

const fn key(name: &'static str, kind: Kind, backends: Backends) -> Key {
    Key { name, kind, backends }
}

/// Every key, in the order of the guides, whose texts about them lie in `xtask`.
pub const KEYS: [Key; 42] = [
    key(MODEL, Kind::Text, ALL),
    key(DEVICE, Kind::OneOf(&["cpu", "cuda"]), DEVICES),
    key("backend.device_ids", Kind::Ids, GPUS),
    key("backend.torch_dtype", Kind::OneOf(&["auto", "bfloat16", "float16", "float32"]), TYPES),
    key(DEVICE_MAP, Kind::Text, GPUS),
    key("backend.task", Kind::OneOf(&["text-generation"]), ALL),
    key(SEED, Kind::Whole, ALL),
    key("backend.attn_implementation", Kind::Text, TORCH),
    key(MODEL_KWARGS, Kind::Tree, TORCH),
    key("backend.processor_kwargs", Kind::Tree, TORCH),
    key("backend.no_weights", Kind::OneOf(&["false"]), ALL),
    key("backend.timeout", Kind::Count, SERVED),
    key("backend.cache_implementation", Kind::Text, COMPILED),
    key("backend.allow_tf32", Kind::Bool, COMPILED),
    key("backend.torch_compile", Kind::Bool, COMPILED),
    key("backend.torch_compile_target", Kind::OneOf(&["forward", "model", "regions"]), COMPILED),
    key("backend.torch_compile_config", Kind::Tree, COMPILED),
    key("backend.quantization_config", Kind::Tree, QUANTISED),
    key(DATASET, Kind::Text, ALL),
    key(DATASET_CONFIG, Kind::Text, ALL),
    key(SPLIT, Kind::Text, ALL),
    key(COLUMN, Kind::Text, ALL),
    key(NUM_SAMPLES, Kind::Count, ALL),
    key(PREFIX, Kind::Text, ALL),
    key(SYSTEM, Kind::Text, ALL),
    key(TRUNCATION, Kind::Bool, LOCAL),
    key(BATCH_SIZE, Kind::Count, BATCHES),
    key(WARMUP, Kind::Whole, ALL),
    key(FAILED_SHARE, Kind::Number, ALL),
    key("scenario.latency", Kind::Bool, REPORTED),
    key("scenario.memory", Kind::Bool, REPORTED),
    key("scenario.energy", Kind::OneOf(&["true"]), ALL),
    key(REASONING, Kind::Bool, ALL),
    key(REASONING_PARAMS, Kind::Tree, ALL),
    key(MAX_NEW_TOKENS, Kind::Count, ALL),
    key(MIN_NEW_TOKENS, Kind::Count, ALL),
    key(DO_SAMPLE, Kind::Bool, ALL),
    key(TEMPERATURE, Kind::Number, ALL),
    key(TOP_P, Kind::Number, ALL),
    key(TOP_K, Kind::Whole, ALL),
    key(NUM_BEAMS, Kind::Count, BEAMS),
    key(REPETITION_PENALTY, Kind::Number, ALL),
];

/// Splits a Hydra override into key and unquoted value, without `+` or `++`. `None` without a `=`.
pub fn split(arg: &str) -> Option<(&str, Cow<'_, str>)> {
    split_quoted(arg).map(|(key, value)| (key, unquoted(value)))
}

/// [`split`] that keeps the quotes of the value, which mark it as text.
pub fn split_quoted(arg: &str) -> Option<(&str, &str)> {
    let plain = arg.strip_prefix('+').unwrap_or(arg);
    let plain = plain.strip_prefix('+').unwrap_or(plain);
    plain.split_once('=')
}

/// The value without Hydra's quotes.
pub fn unquoted(value: &str) -> Cow<'_, str> {
    let inside = |quote| value.strip_prefix(quote)?.strip_suffix(quote);
    let found = ['\'', '"'].into_iter().find_map(|quote| Some((quote, inside(quote)?)));
    found.map_or(Cow::Borrowed(value), |(quote, inside)| unescaped(inside, quote))
}

/// Removes escapes from the text between two of `quote`. Backslashes are escapes only before a
/// quote, including the closing one: two stand for one, and an odd one escapes the quote.
fn unescaped(inside: &str, quote: char) -> Cow<'_, str> {
    if !inside.contains('\\') {
        return Cow::Borrowed(inside);
    }
    let (mut text, mut backslashes) = (String::with_capacity(inside.len()), 0_usize);
    for character in inside.chars() {
        if character == '\\' {
            backslashes += 1;
            continue;
        }
        let kept = if character == quote { backslashes / 2 } else { backslashes };
        text.extend(std::iter::repeat_n('\\', kept));
        text.push(character);
        backslashes = 0;
    }
    text.extend(std::iter::repeat_n('\\', backslashes.div_ceil(2)));
    Cow::Owned(text)
}

/// The key of this name, or the tree that contains it.
pub fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name || key.kind == Kind::Tree && is_below(key.name, name))
}

#[cfg(test)]
mod properties;

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{KEYS, Kind, REFUSED, find, refusal, split, split_quoted, unquoted};

    #[test]
    fn overrides_split_at_the_first_equals_sign() {
        assert_eq!(split("a.b=c=d"), Some(("a.b", "c=d".into())));
        assert_eq!(split("++a='x y'"), Some(("a", "x y".into())));
        assert_eq!(split("+a="), Some(("a", "".into())));
        assert_eq!(split("--config-name"), None);
        assert_eq!(split_quoted("+a='1'"), Some(("a", "'1'")));
    }

    #[test]
    fn backslashes_escape_quotes_only() {
        for (quoted, value) in [
            (r"'it\'s'", "it's"),
            (r#"'a\"b'"#, r#"a\"b"#),
            (r"'C:\\x'", r"C:\\x"),
            (r"'C:\\'", r"C:\"),
            (r"'a\\\'b'", r"a\'b"),
            (r"it\'s", r"it\'s"),
            ("'", "'"),
        ] {
            assert_eq!(unquoted(quoted), value, "{quoted}");
        }
    }

    #[test]
    fn names_below_a_tree_are_found() {
        let name = |name| find(name).map(|key| key.name);
        assert_eq!(name("backend.model_kwargs.revision"), Some("backend.model_kwargs"));
        assert_eq!(name("backend.model_kwargs"), Some("backend.model_kwargs"));
        assert_eq!(name("backend.model_kwargs."), None);
        assert_eq!(name("backend.model_kwargs.a."), None);
        assert_eq!(name("backend.model_kwargs..a"), None);
        assert_eq!(name("backend.model.x"), None);
        assert_eq!(name("scenario"), None);
        assert!(refusal("hydra.run.dir").is_some());
        assert!(refusal("hydraulics").is_none());
    }

    #[test]
    fn keys_are_unique_and_not_refused() {
        let names: HashSet<_> = KEYS.iter().map(|key| key.name).collect();
        assert_eq!(names.len(), KEYS.len());
        for name in names {
            assert_eq!(refusal(name), None, "{name}");
        }
        for (name, _) in REFUSED {
            // Refused names may lie below a tree.
            let found = find(name);
            assert!(found.is_none_or(|key| key.kind == Kind::Tree && key.name != name), "{name}");
        }
    }
}
