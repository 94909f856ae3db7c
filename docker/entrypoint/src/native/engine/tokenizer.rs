//! Converts text to tokens and back, with the tokenizer in the GGUF file.

use anyhow::{Context, anyhow, ensure};
use candle_core::quantized::{gguf_file, tokenizer::TokenizerFromGguf};
use tokenizers::{
    Tokenizer,
    pre_tokenizers::{
        PreTokenizerWrapper, byte_level::ByteLevel, digits::Digits, sequence::Sequence,
    },
};

use crate::native::generation::UnreadablePrompt;

/// The tokenizer of a model.
pub(super) struct ModelTokenizer {
    tokenizer: Tokenizer,
    end_tokens: Vec<u32>,
}

/// Header keys of the tokens that end an answer or a turn of a chat.
const END_TOKENS: [&str; 3] =
    ["tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"];

impl ModelTokenizer {
    pub(super) fn of_gguf(content: &gguf_file::Content) -> anyhow::Result<Self> {
        let mut tokenizer =
            Tokenizer::from_gguf(content).context("its tokenizer is of a kind not known here")?;
        let header = |key: &str| content.metadata.get(key);
        let kind = header("tokenizer.ggml.pre").and_then(|kind| kind.to_string().ok());
        if kind.is_some_and(|kind| kind == "smollm") {
            tokenizer.with_pre_tokenizer(Some(smollm()));
        }
        let end_tokens =
            END_TOKENS.into_iter().filter_map(|key| header(key)?.to_u32().ok()).collect();
        Ok(Self { tokenizer, end_tokens })
    }

    /// The tokens of a text. Begin and end tokens are added if `add_special_tokens`.
    pub(super) fn encode(&self, text: &str, add_special_tokens: bool) -> anyhow::Result<Vec<u32>> {
        let encoding =
            self.tokenizer.encode(text, add_special_tokens).map_err(|error| anyhow!(error))?;
        ensure!(
            !encoding.is_empty(),
            UnreadablePrompt("the tokenizer leaves no token of it".to_owned())
        );
        Ok(encoding.get_ids().to_vec())
    }

    pub(super) fn decode(&self, tokens: &[u32]) -> anyhow::Result<String> {
        self.tokenizer.decode(tokens, true).map_err(|error| anyhow!(error))
    }

    pub(super) fn is_end(&self, token: u32) -> bool {
        self.end_tokens.contains(&token)
    }

    /// Makes it impossible to choose an end token.
    pub(super) fn forbid_end(&self, logits: &mut [f32]) {
        for end in &self.end_tokens {
            if let Some(logit) = logits.get_mut(*end as usize) {
                *logit = f32::NEG_INFINITY;
            }
        }
    }
}

/// SmolLM's pre-tokenizer: it splits digits and adds no leading space. candle does not know it and
/// falls back to a default that differs.
fn smollm() -> PreTokenizerWrapper {
    let digits = Digits::new(true).into();
    let bytes = ByteLevel::new(false, true, true).into();
    Sequence::new(vec![digits, bytes]).into()
}
