//! Text generation with a quantised GGUF model on the CPU.

mod chat;
mod choice;
mod llama;
mod tokens;
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
    choice::Chooser,
    llama::{Cache, Llama},
    tokens::Tokens,
    weights::Weights,
};
use super::{
    generation::{About, Asked, Length, Unreadable},
    hub::ModelFile,
};

/// A model in memory, ready to answer.
pub(crate) struct Engine {
    llama: Llama,
    tokens: Tokens,
    about: About,
    asked: Asked,
    template: Option<Template>,
    chooser: Chooser,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("about", &self.about).finish_non_exhaustive()
    }
}

impl Engine {
    /// Reads the model in `file`, to answer as was asked for.
    pub(crate) fn load(file: &ModelFile, asked: Asked) -> anyhow::Result<Self> {
        Self::read(&file.file, asked)
            .with_context(|| format!("reading the model `{}`", file.path.display()))
    }

    fn read(file: &File, mut asked: Asked) -> anyhow::Result<Self> {
        let mut file = BufReader::new(file.try_clone()?);
        let content = gguf_file::Content::read(&mut file).context(
            "it is not a complete GGUF file; if it was downloaded, remove it and download it again",
        )?;
        // What is wrong with the arguments is told before the weights are read.
        let template = match &asked.chat {
            Some(chat) => Some(Template::of_gguf(&content, chat.clone())?),
            None => None,
        };
        let mut weights = Weights::new(&content, &mut file);
        let llama = Llama::load(&mut weights)?;
        let tokens = Tokens::of_gguf(&content)?;
        let holds = llama.context_length();
        let (length, note) = fitting(asked.length, holds)?;
        asked.length = length;
        let about = About {
            architecture: llama::ARCHITECTURE.to_owned(),
            weights_stored: count(weights.stored()),
            weights_computed: count(weights.computed()),
            threads: candle_core::utils::get_num_threads(),
            vector_kernels: candle_core::utils::with_avx() || candle_core::utils::with_neon(),
            holds,
            length,
            note,
        };
        let chooser = Chooser::new(asked.choice);
        Ok(Self { llama, tokens, about, asked, template, chooser })
    }

    /// What was loaded.
    pub(crate) fn about(&self) -> &About {
        &self.about
    }

    /// Lets the seed count from the next answer on.
    pub(crate) fn begin_again(&mut self) {
        self.chooser = Chooser::new(self.asked.choice);
    }

    /// Answers `prompt`.
    pub(crate) fn generate(&mut self, prompt: &str, length: Length) -> anyhow::Result<Answer> {
        let began = Instant::now();
        let whole = self.read_prompt(prompt)?;
        let limit = self.about.holds;
        let mut seen = whole.clone();
        if self.asked.truncation {
            seen.truncate(limit - self.asked.length.max as usize);
        }
        let prompt_tokens = seen.len();
        let Length { min, max } = length;
        ensure!(
            prompt_tokens + max as usize <= limit,
            Unreadable(format!(
                "{prompt_tokens} prompt tokens and {max} new ones exceed the model's context of \
                 {limit} tokens; lower `{MAX_NEW_TOKENS}`, or leave `scenario.truncation=False` out"
            ))
        );

        let mut cache = Cache::new(&self.llama);
        let mut logits = self.llama.forward(&seen, &mut cache)?;
        let mut time_to_first_token = Duration::ZERO;
        loop {
            let written = seen.len() - prompt_tokens;
            if written < min as usize {
                self.tokens.forbid_end(&mut logits);
            }
            let token = self.chooser.choose(&mut logits, &seen)?;
            if written == 0 {
                time_to_first_token = began.elapsed();
            }
            seen.push(token);
            if written + 1 >= max as usize || self.tokens.is_end(token) {
                break;
            }
            logits = self.llama.forward(&[token], &mut cache)?;
        }
        let completion = &seen[prompt_tokens..];
        Ok(Answer {
            prompt: prompt.to_owned(),
            completion: self.tokens.decode(completion)?,
            prompt_tokens: prompt_tokens as u64,
            prompt_tokens_cut: (whole.len() - prompt_tokens) as u64,
            completion_tokens: completion.len() as u64,
            time_to_first_token_seconds: time_to_first_token.as_secs_f64(),
            seconds: began.elapsed().as_secs_f64(),
        })
    }

    /// The tokens of a prompt.
    fn read_prompt(&self, prompt: &str) -> anyhow::Result<Vec<u32>> {
        let tokens = match &self.template {
            Some(template) => self.tokens.encode(&template.render(prompt)?, false)?,
            None => self.tokens.encode(prompt, true)?,
        };
        let known = self.llama.vocabulary();
        if let Some(token) = tokens.iter().find(|token| **token as usize >= known) {
            bail!(Unreadable(format!(
                "the tokenizer makes a token {token} of it, and the model knows {known}: they do not \
                 belong together"
            )));
        }
        Ok(tokens)
    }
}

/// Bounds that leave room for a prompt, a quarter of what the model holds, and what is to be said of
/// it: the same as with the Python stacks.
fn fitting(asked: Length, holds: usize) -> anyhow::Result<(Length, Option<String>)> {
    if (asked.max as usize) < holds {
        return Ok((asked, None));
    }
    let longest = holds - (holds / 4).max(1);
    ensure!(
        asked.min as usize <= longest,
        "the model holds {holds} tokens, and answers of at least {} leave no room for a prompt; lower \
         `{MAX_NEW_TOKENS}`, and `min_new_tokens`, which is the same unless it is given",
        asked.min
    );
    let note =
        format!("the model holds {holds} tokens: answers end after {longest}, not {}", asked.max);
    Ok((Length { max: u32::try_from(longest)?, ..asked }, Some(note)))
}

/// `210 x Q4_1, 61 x F32`.
fn count(types: &BTreeMap<String, u32>) -> String {
    let counts: Vec<_> = types.iter().map(|(name, count)| format!("{count} x {name}")).collect();
    counts.join(", ")
}

#[cfg(test)]
mod tests;
