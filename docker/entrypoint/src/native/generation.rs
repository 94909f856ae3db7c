//! What an engine is asked for and tells: about its model, and about one answer.

use std::time::Duration;

/// A loaded model, for the report.
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
}

/// Bounds of an answer, in tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Length {
    /// The model may not end its answer before.
    pub(crate) min: u32,
    /// The answer is cut after.
    pub(crate) max: u32,
}

/// One answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Generation {
    /// The text that continues the prompt.
    pub(crate) text: String,
    /// Tokens read.
    pub(crate) prompt_tokens: u64,
    /// Tokens written.
    pub(crate) completion_tokens: u64,
    /// From the prompt's text to the first token.
    pub(crate) time_to_first_token: Duration,
    /// From the prompt's text to the last token.
    pub(crate) time: Duration,
}
