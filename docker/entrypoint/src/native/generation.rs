//! What an engine is asked for, and tells about its model.

use std::fmt::{self, Write as _};

use serde_json::{Map, Value};

/// A loaded model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct About {
    /// `general.architecture` of the GGUF header.
    pub(crate) architecture: String,
    /// Tensors by type, as the file has them.
    pub(crate) weights_stored: String,
    /// Tensors by type, as they are computed with.
    pub(crate) weights_computed: String,
    /// Threads that compute.
    pub(crate) threads: usize,
    /// Whether this processor has the instructions that the fast kernels need.
    pub(crate) vector_kernels: bool,
    /// Tokens that it holds, prompt and answer together.
    pub(crate) holds: usize,
    /// Bounds of an answer, as it can hold one.
    pub(crate) length: Length,
    /// What a reader of the numbers must know.
    pub(crate) note: Option<String>,
}

/// How prompts are read and answered.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Asked {
    /// Bounds of an answer, which the model may be too small for.
    pub(crate) length: Length,
    /// Whether prompts are cut that the model cannot hold.
    pub(crate) truncation: bool,
    /// How prompts go through the model's chat template; plain text if none.
    pub(crate) chat: Option<Chat>,
    /// How the next token is chosen.
    pub(crate) choice: Choice,
}

/// What a chat template is given beside the prompt.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Chat {
    /// The system message.
    pub(crate) system: Option<String>,
    /// Keywords of the template.
    pub(crate) parameters: Map<String, Value>,
}

/// How the next token is chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Choice {
    /// What a token that was there before loses; 1 is nothing.
    pub(crate) repetition_penalty: f32,
    /// How tokens are sampled; always the likeliest one if none.
    pub(crate) sampling: Option<Sampling>,
    /// Seed of the sampling.
    pub(crate) seed: u64,
}

/// How tokens are sampled.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Sampling {
    /// Above 1 the unlikely become likelier.
    pub(crate) temperature: f32,
    /// So many of the likeliest tokens; 0 is all.
    pub(crate) top_k: usize,
    /// The likeliest tokens that have this share together.
    pub(crate) top_p: f32,
}

impl Asked {
    /// What the model sees of a prompt, in the words of the Python stacks' record.
    pub(crate) fn format(&self) -> String {
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

impl Choice {
    /// In words, for the report.
    pub(crate) fn text(&self) -> String {
        let mut text = match self.sampling {
            None => "greedy".to_owned(),
            Some(Sampling { temperature, top_k, top_p }) => {
                format!("sampled: temperature {temperature}, top_k {top_k}, top_p {top_p}")
            }
        };
        if self.repetition_penalty != 1.0 {
            let _ = write!(text, ", repetition penalty {}", self.repetition_penalty);
        }
        text
    }
}

/// Bounds of an answer, in tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Length {
    /// The model may not end its answer before.
    pub(crate) min: u32,
    /// The answer is cut after.
    pub(crate) max: u32,
}

/// Why the model cannot read a prompt: that prompt fails, and no other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unreadable(pub(crate) String);

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unreadable {}
