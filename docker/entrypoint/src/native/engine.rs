//! Text generation with a quantised GGUF model on the CPU.

mod chat;
mod llama;
mod sampler;
mod tokenizer;
mod weights;

use std::{
    collections::BTreeMap,
    fmt,
    fs::File,
    io::BufReader,
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use backend_reports::report::Answer;
use candle_core::quantized::gguf_file;
use contract::argument::MAX_NEW_TOKENS;

use self::{
    chat::Template,
    llama::{Cache, Llama},
    sampler::Sampler,
    tokenizer::ModelTokenizer,
    weights::Weights,
};
use super::{
    generation::{GenerationConfig, Length, ModelInfo, UnreadablePrompt},
    model_file::ModelFile,
};

/// A loaded model, ready to generate text.
pub(super) struct Engine {
    llama: Llama,
    tokenizer: ModelTokenizer,
    model: ModelInfo,
    generation: GenerationConfig,
    template: Option<Template>,
    sampler: Sampler,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("model", &self.model).finish_non_exhaustive()
    }
}

impl Engine {
    /// Loads the model in `file`.
    pub(super) fn load(file: &ModelFile, generation: GenerationConfig) -> anyhow::Result<Self> {
        Self::read(&file.file, generation)
            .with_context(|| format!("reading the model `{}`", file.path.display()))
    }

    fn read(file: &File, mut generation: GenerationConfig) -> anyhow::Result<Self> {
        let mut file = BufReader::new(file.try_clone()?);
        let content = gguf_file::Content::read(&mut file).context(
            "it is not a complete GGUF file; if it was downloaded, remove it and download it again",
        )?;
        // Invalid arguments are reported before the slow reading of the weights.
        let template = match &generation.chat {
            Some(chat) => Some(Template::of_gguf(&content, chat.clone())?),
            None => None,
        };
        let mut weights = Weights::new(&content, &mut file);
        let llama = Llama::load(&mut weights)?;
        let tokenizer = ModelTokenizer::of_gguf(&content)?;
        let context_length = llama.context_length();
        let (length, note) = fit(generation.length, context_length)?;
        generation.length = length;
        let model = ModelInfo {
            architecture: llama::ARCHITECTURE.to_owned(),
            weights_stored: count(weights.stored()),
            weights_computed: count(weights.computed()),
            threads: candle_core::utils::get_num_threads(),
            vector_kernels: candle_core::utils::with_avx() || candle_core::utils::with_neon(),
            context_length,
            length,
            note,
        };
        let sampler = Sampler::new(generation.decoding);
        Ok(Self { llama, tokenizer, model, generation, template, sampler })
    }

    /// The loaded model.
    pub(super) fn model(&self) -> &ModelInfo {
        &self.model
    }

    /// Restarts the random numbers of the sampling from the seed.
    pub(super) fn reset_seed(&mut self) {
        self.sampler = Sampler::new(self.generation.decoding);
    }

    /// Generates the answer to `prompt`.
    pub(super) fn generate(&mut self, prompt: &str, length: Length) -> anyhow::Result<Answer> {
        let began = Instant::now();
        let whole = self.encode(prompt)?;
        let limit = self.model.context_length;
        let mut tokens = whole.clone();
        if self.generation.truncation {
            tokens.truncate(limit - self.generation.length.max as usize);
        }
        let prompt_tokens = tokens.len();
        let Length { min, max } = length;
        ensure!(
            prompt_tokens + max as usize <= limit,
            UnreadablePrompt(format!(
                "{prompt_tokens} prompt tokens and {max} new ones exceed the model's context of \
                 {limit} tokens; lower `{MAX_NEW_TOKENS}`, or leave `scenario.truncation=False` out"
            ))
        );

        let mut cache = Cache::new(&self.llama);
        let mut logits = self.llama.forward(&tokens, &mut cache)?;
        let mut time_to_first_token = Duration::ZERO;
        loop {
            let written = tokens.len() - prompt_tokens;
            if written < min as usize {
                self.tokenizer.forbid_end(&mut logits);
            }
            let token = self.sampler.next(&mut logits, &tokens)?;
            if written == 0 {
                time_to_first_token = began.elapsed();
            }
            tokens.push(token);
            if written + 1 >= max as usize || self.tokenizer.is_end(token) {
                break;
            }
            logits = self.llama.forward(&[token], &mut cache)?;
        }
        let completion = &tokens[prompt_tokens..];
        Ok(Answer {
            prompt: prompt.to_owned(),
            completion: self.tokenizer.decode(completion)?,
            prompt_tokens: prompt_tokens as u64,
            prompt_tokens_cut: (whole.len() - prompt_tokens) as u64,
            completion_tokens: completion.len() as u64,
            time_to_first_token_seconds: time_to_first_token.as_secs_f64(),
            seconds: began.elapsed().as_secs_f64(),
        })
    }

    /// The tokens of a prompt, after the chat template.
    fn encode(&self, prompt: &str) -> anyhow::Result<Vec<u32>> {
        let tokens = match &self.template {
            Some(template) => self.tokenizer.encode(&template.render(prompt)?, false)?,
            None => self.tokenizer.encode(prompt, true)?,
        };
        let known = self.llama.vocabulary();
        if let Some(token) = tokens.iter().find(|token| **token as usize >= known) {
            bail!(UnreadablePrompt(format!(
                "the tokenizer makes a token {token} of it, and the model knows {known}: they do not \
                 belong together"
            )));
        }
        Ok(tokens)
    }
}

/// Lowers the maximum length so that a quarter of the context is left for the prompt, like the
/// Python stacks. Also returns a note about it.
fn fit(requested: Length, context_length: usize) -> anyhow::Result<(Length, Option<String>)> {
    if (requested.max as usize) < context_length {
        return Ok((requested, None));
    }
    let longest = context_length - (context_length / 4).max(1);
    ensure!(
        requested.min as usize <= longest,
        "the model holds {context_length} tokens, and answers of at least {} leave no room for a prompt; lower \
         `{MAX_NEW_TOKENS}`, and `min_new_tokens`, which is the same unless it is given",
        requested.min
    );
    let note = format!(
        "the model holds {context_length} tokens: answers end after {longest}, not {}",
        requested.max
    );
    Ok((Length { max: u32::try_from(longest)?, ..requested }, Some(note)))
}

/// Formats the number of tensors by type, such as `210 x Q4_1, 61 x F32`.
fn count(types: &BTreeMap<String, u32>) -> String {
    let counts: Vec<_> = types.iter().map(|(name, count)| format!("{count} x {name}")).collect();
    counts.join(", ")
}

#[cfg(test)]
mod tests;
