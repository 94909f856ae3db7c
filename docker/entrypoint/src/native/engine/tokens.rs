//! Text to tokens and back, as the GGUF file says.

use super::super::generation::Unreadable;
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
    ends: Vec<u32>,
}

/// Keys of the header that name tokens which end an answer, or a turn in a chat.
const ENDS: [&str; 3] =
    ["tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"];

impl Tokens {
    pub(super) fn of_gguf(content: &gguf_file::Content) -> anyhow::Result<Self> {
        let mut tokenizer =
            Tokenizer::from_gguf(content).context("its tokenizer is of a kind not known here")?;
        let header = |key: &str| content.metadata.get(key);
        let kind = header("tokenizer.ggml.pre").and_then(|kind| kind.to_string().ok());
        if kind.is_some_and(|kind| kind == "smollm") {
            tokenizer.with_pre_tokenizer(Some(smollm()));
        }
        let ends = ENDS.into_iter().filter_map(|key| header(key)?.to_u32().ok()).collect();
        Ok(Self { tokenizer, ends })
    }

    /// The tokens of a text; what a model wants before and after it is added if that is `bare`.
    pub(super) fn encode(&self, text: &str, bare: bool) -> anyhow::Result<Vec<u32>> {
        let encoding = self.tokenizer.encode(text, bare).map_err(|error| anyhow!(error))?;
        ensure!(!encoding.is_empty(), Unreadable("the tokenizer leaves no token of it".to_owned()));
        Ok(encoding.get_ids().to_vec())
    }

    pub(super) fn decode(&self, tokens: &[u32]) -> anyhow::Result<String> {
        self.tokenizer.decode(tokens, true).map_err(|error| anyhow!(error))
    }

    pub(super) fn is_end(&self, token: u32) -> bool {
        self.ends.contains(&token)
    }

    /// Makes the end of the text the least likely token.
    pub(super) fn forbid_end(&self, logits: &mut [f32]) {
        for end in &self.ends {
            if let Some(logit) = logits.get_mut(*end as usize) {
                *logit = f32::NEG_INFINITY;
            }
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
