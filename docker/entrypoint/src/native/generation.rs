//! How an engine generates text, and what it tells about its model.

use std::fmt::{self, Write as _};

use contract::argument::{
    DO_SAMPLE, MAX_NEW_TOKENS, MIN_NEW_TOKENS, REASONING, REASONING_PARAMS, REPETITION_PENALTY,
    SEED, SYSTEM, TEMPERATURE, TOP_K, TOP_P, TRUNCATION,
};
use serde_json::{Map, Value};

use crate::{arguments::Settings, exit::Usage};

/// Default of `top_k`, like in transformers.
const DEFAULT_TOP_K: usize = 50;

/// A loaded model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ModelInfo {
    /// `general.architecture` of the GGUF header.
    pub(super) architecture: String,
    /// Number of tensors by type, as stored in the file.
    pub(super) weights_stored: String,
    /// Number of tensors by type, as used in the computation.
    pub(super) weights_computed: String,
    /// Number of threads that compute.
    pub(super) threads: usize,
    /// Whether the processor has the instructions of the fast kernels.
    pub(super) vector_kernels: bool,
    /// Context length: the most tokens of prompt and answer together.
    pub(super) context_length: usize,
    /// Limits of an answer, adapted to the context length.
    pub(super) length: Length,
    /// Note for the report, if the limits were adapted.
    pub(super) note: Option<String>,
}

/// How prompts are read and answered.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct GenerationConfig {
    /// Requested limits of an answer. The context length may be too small for them.
    pub(super) length: Length,
    /// Whether prompts that do not fit into the context are cut.
    pub(super) truncation: bool,
    /// Input of the chat template. Without it, prompts are plain text.
    pub(super) chat: Option<Chat>,
    /// How the next token is chosen.
    pub(super) decoding: Decoding,
}

/// Input of a chat template beside the prompt.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Chat {
    /// The system message.
    pub(super) system: Option<String>,
    /// Keyword arguments of the template.
    pub(super) parameters: Map<String, Value>,
}

/// How the next token is chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Decoding {
    /// Divides the logits of tokens that occurred before. 1 has no effect.
    pub(super) repetition_penalty: f32,
    /// How tokens are sampled. Without it, decoding is greedy.
    pub(super) sampling: Option<Sampling>,
    /// Seed of the sampling.
    pub(super) seed: u64,
}

/// How tokens are sampled.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Sampling {
    /// Divides the logits: a value above 1 makes unlikely tokens likelier.
    pub(super) temperature: f32,
    /// Samples from this number of the likeliest tokens. 0 is no limit.
    pub(super) top_k: usize,
    /// Samples from the likeliest tokens that have this probability together.
    pub(super) top_p: f32,
}

/// Limits of an answer, in tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Length {
    /// The model may not end its answer earlier.
    pub(super) min: u32,
    /// The answer is cut here.
    pub(super) max: u32,
}

impl GenerationConfig {
    /// The configuration in complete settings.
    pub(super) fn from_settings(settings: &Settings) -> Result<Self, Usage> {
        let whole = |key| settings.number(key).and_then(|number| number.try_into().ok());
        let is_on = |key| settings.get(key).and_then(Value::as_bool) == Some(true);
        let number =
            |key, default| settings.get(key).and_then(Value::as_f64).unwrap_or(default) as f32;
        let decoding = Decoding {
            repetition_penalty: number(REPETITION_PENALTY, 1.0),
            sampling: is_on(DO_SAMPLE).then(|| Sampling {
                temperature: number(TEMPERATURE, 1.0),
                top_k: whole(TOP_K).map_or(DEFAULT_TOP_K, |tokens: u32| tokens as usize),
                top_p: number(TOP_P, 1.0),
            }),
            seed: settings.number(SEED).unwrap_or_default(),
        };
        for (key, value) in [
            (REPETITION_PENALTY, Some(decoding.repetition_penalty)),
            (TEMPERATURE, decoding.sampling.map(|sampling| sampling.temperature)),
        ] {
            if let Some(value) = value.filter(|value| *value <= 0.0) {
                return Err(Usage(format!("`{key}={value}` needs a number above 0")));
            }
        }
        let parameters = || settings.get(REASONING_PARAMS).and_then(Value::as_object).cloned();
        Ok(Self {
            length: Length {
                min: whole(MIN_NEW_TOKENS).unwrap_or(u32::MAX),
                max: whole(MAX_NEW_TOKENS).unwrap_or(u32::MAX),
            },
            truncation: is_on(TRUNCATION),
            chat: is_on(REASONING).then(|| Chat {
                system: settings.text(SYSTEM).map(str::to_owned),
                parameters: parameters().unwrap_or_default(),
            }),
            decoding,
        })
    }

    /// The format of prompts, in the words of the Python stacks' record.
    pub(super) fn prompt_format(&self) -> String {
        let Some(Chat { system, parameters }) = &self.chat else { return "plain text".to_owned() };
        let mut text = "chat template".to_owned();
        for (key, value) in parameters {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let _ = write!(text, ", {key}={value}");
        }
        if let Some(system) = system {
            let _ = write!(text, ", system message {system}");
        }
        text
    }
}

impl fmt::Display for Decoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.sampling {
            None => f.write_str("greedy")?,
            Some(Sampling { temperature, top_k, top_p }) => {
                write!(f, "sampled: temperature {temperature}, top_k {top_k}, top_p {top_p}")?;
            }
        }
        if self.repetition_penalty != 1.0 {
            write!(f, ", repetition penalty {}", self.repetition_penalty)?;
        }
        Ok(())
    }
}

/// Why the model cannot read a prompt. Only that prompt fails, not the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct UnreadablePrompt(pub(super) String);

impl fmt::Display for UnreadablePrompt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for UnreadablePrompt {}

/// Separates an error that fails one prompt from one that fails the run.
pub(super) fn per_prompt<T>(
    result: anyhow::Result<T>,
) -> anyhow::Result<Result<T, UnreadablePrompt>> {
    match result {
        Ok(answer) => Ok(Ok(answer)),
        Err(error) => error.downcast().map(Err),
    }
}

#[cfg(test)]
mod tests {
    use super::{UnreadablePrompt, per_prompt};

    #[test]
    fn only_unreadable_prompts_fail_alone() {
        let unreadable = UnreadablePrompt("the tokenizer leaves no token of it".to_owned());
        let result = per_prompt::<()>(Err(unreadable.clone().into())).unwrap();
        assert_eq!(result, Err(unreadable));
        assert!(per_prompt::<()>(Err(anyhow::anyhow!("broken"))).is_err());
    }
}
