//! Text to tokens and back, as the GGUF file says.

use anyhow::{Context, anyhow, ensure};
use candle_core::quantized::{gguf_file, tokenizer::TokenizerFromGguf};
use tokenizers::{
    Tokenizer,
    pre_tokenizers::{
        PreTokenizerWrapper, byte_level::ByteLevel, digits::Digits, sequence::Sequence,
    },
};

pub(super) struct Tokens {
    tokenizer: Tokenizer,
    end: Option<u32>,
}

impl Tokens {
    pub(super) fn of_gguf(content: &gguf_file::Content) -> anyhow::Result<Self> {
        let mut tokenizer =
            Tokenizer::from_gguf(content).context("its tokenizer is of a kind not known here")?;
        let header = |key: &str| content.metadata.get(key);
        let kind = header("tokenizer.ggml.pre").and_then(|kind| kind.to_string().ok());
        if kind.is_some_and(|kind| kind == "smollm") {
            tokenizer.with_pre_tokenizer(Some(smollm()));
        }
        let end = header("tokenizer.ggml.eos_token_id").and_then(|end| end.to_u32().ok());
        Ok(Self { tokenizer, end })
    }

    pub(super) fn encode(&self, text: &str) -> anyhow::Result<Vec<u32>> {
        let encoding = self.tokenizer.encode(text, true).map_err(|error| anyhow!(error))?;
        ensure!(!encoding.is_empty(), "the prompt `{text}` has no tokens");
        Ok(encoding.get_ids().to_vec())
    }

    pub(super) fn decode(&self, tokens: &[u32]) -> anyhow::Result<String> {
        self.tokenizer.decode(tokens, true).map_err(|error| anyhow!(error))
    }

    pub(super) fn is_end(&self, token: u32) -> bool {
        self.end == Some(token)
    }

    /// Makes the end of the text the least likely token.
    pub(super) fn forbid_end(&self, logits: &mut [f32]) {
        if let Some(logit) = self.end.and_then(|end| logits.get_mut(end as usize)) {
            *logit = f32::NEG_INFINITY;
        }
    }
}

/// SmolLM splits digits and adds no space in front; the library knows neither and would take its
/// default, which does.
fn smollm() -> PreTokenizerWrapper {
    let digits = Digits::new(true).into();
    let bytes = ByteLevel::new(false, true, true).into();
    Sequence::new(vec![digits, bytes]).into()
}
