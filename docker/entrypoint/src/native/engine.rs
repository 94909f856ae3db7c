//! Text generation with a quantised GGUF model on the CPU.

mod llama;
mod tokens;
mod weights;

use std::{
    collections::BTreeMap,
    fmt,
    fs::File,
    io::BufReader,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use candle_core::quantized::gguf_file;

use self::{
    llama::{Cache, Llama},
    tokens::Tokens,
    weights::Weights,
};
use super::generation::{About, Generation, Length};

/// A model in memory, ready to answer.
pub(crate) struct Engine {
    llama: Llama,
    tokens: Tokens,
    about: About,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("about", &self.about).finish_non_exhaustive()
    }
}

impl Engine {
    /// Reads the model in `path`.
    pub(crate) fn load(path: &Path) -> anyhow::Result<Self> {
        Self::read(path).with_context(|| format!("reading the model `{}`", path.display()))
    }

    fn read(path: &Path) -> anyhow::Result<Self> {
        let mut file = BufReader::new(File::open(path)?);
        let content = gguf_file::Content::read(&mut file).context(
            "it is not a complete GGUF file; if it was downloaded, remove it and download it again",
        )?;
        let mut weights = Weights::new(&content, &mut file);
        let llama = Llama::load(&mut weights)?;
        let tokens = Tokens::of_gguf(&content)?;
        let about = About {
            architecture: llama::ARCHITECTURE.to_owned(),
            weights_stored: count(weights.stored()),
            weights_computed: count(weights.computed()),
            threads: candle_core::utils::get_num_threads(),
            vector_kernels: candle_core::utils::with_avx() || candle_core::utils::with_neon(),
        };
        Ok(Self { llama, tokens, about })
    }

    /// What was loaded, for the report.
    pub(crate) fn about(&self) -> &About {
        &self.about
    }

    /// Continues `prompt`, always with the likeliest token.
    pub(crate) fn generate(&self, prompt: &str, length: Length) -> anyhow::Result<Generation> {
        let began = Instant::now();
        let prompt_tokens = self.tokens.encode(prompt)?;
        let Length { min, max } = length;
        let needed = prompt_tokens.len() + max as usize;
        let limit = self.llama.context_length();
        ensure!(
            needed <= limit,
            "{} prompt tokens and {max} new ones exceed the model's context of {limit} tokens; \
             lower `scenario.generate_kwargs.max_new_tokens`",
            prompt_tokens.len()
        );

        let mut cache = Cache::new(&self.llama);
        let mut logits = self.llama.forward(&prompt_tokens, &mut cache)?;
        let mut completion = Vec::new();
        let mut time_to_first_token = Duration::ZERO;
        loop {
            if completion.len() < min as usize {
                self.tokens.forbid_end(&mut logits);
            }
            let token = likeliest(&logits)?;
            if completion.is_empty() {
                time_to_first_token = began.elapsed();
            }
            completion.push(token);
            if completion.len() >= max as usize || self.tokens.is_end(token) {
                break;
            }
            logits = self.llama.forward(&[token], &mut cache)?;
        }
        Ok(Generation {
            text: self.tokens.decode(&completion)?,
            prompt_tokens: prompt_tokens.len() as u64,
            completion_tokens: completion.len() as u64,
            time_to_first_token,
            time: began.elapsed(),
        })
    }
}

/// `210 x Q4_1, 61 x F32`.
fn count(types: &BTreeMap<String, u32>) -> String {
    let counts: Vec<_> = types.iter().map(|(name, count)| format!("{count} x {name}")).collect();
    counts.join(", ")
}

/// Index of the highest value, the first of equals.
fn likeliest(logits: &[f32]) -> anyhow::Result<u32> {
    let mut best = 0;
    for (index, value) in logits.iter().enumerate() {
        if value.is_nan() {
            bail!("the model computed a value that is not a number; its file may be damaged");
        }
        if *value > logits[best] {
            best = index;
        }
    }
    Ok(u32::try_from(best)?)
}

#[cfg(test)]
mod tests {
    use std::{fs, io::Write, path::Path};

    use super::{Engine, Length, likeliest};
    use crate::native::hub;

    /// The Hub home that `cargo xtask smoke` makes.
    const SMOKE_CACHE: &str =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/smoke/huggingface/hub");
    const SMOKE_MODEL: &str = "smoke/SmolLM2-135M-Instruct-GGUF";

    fn smoke_model() -> hub::ModelFile {
        hub::find(SMOKE_MODEL, Path::new(SMOKE_CACHE)).unwrap()
    }

    #[test]
    fn the_first_of_the_likeliest_wins_and_no_number_is_an_error() {
        assert_eq!(likeliest(&[0.0, 2.0, 2.0, 1.0]).unwrap(), 1);
        assert!(likeliest(&[0.0, f32::NAN]).unwrap_err().to_string().contains("not a number"));
    }

    #[test]
    fn what_is_no_gguf_file_is_an_error_with_its_path() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.gguf");
        for content in [&b""[..], b"GGUF", b"no model at all"] {
            fs::write(&path, content).unwrap();
            let error = format!("{:#}", Engine::load(&path).unwrap_err());
            assert!(error.contains(&path.display().to_string()), "{error}");
            assert!(error.contains("not a complete GGUF file"), "{error}");
        }
    }

    #[test]
    #[ignore = "needs the smoke model: run `cargo xtask smoke` first"]
    fn a_real_model_knows_the_capital_of_france() {
        let engine = Engine::load(&smoke_model().path).unwrap();
        let length = Length { min: 5, max: 5 };
        let first = engine.generate("The capital of France is", length).unwrap();
        assert!(first.text.contains("Paris"), "{first:?}");
        assert_eq!((first.prompt_tokens, first.completion_tokens), (5, 5));
        assert_eq!(engine.generate("The capital of France is", length).unwrap().text, first.text);
    }

    #[test]
    #[ignore = "needs the smoke model: run `cargo xtask smoke` first"]
    fn a_real_model_reads_digits_one_by_one_and_ends_only_after_the_minimum() {
        let engine = Engine::load(&smoke_model().path).unwrap();
        assert_eq!(engine.tokens.encode("1234").unwrap().len(), 4);
        assert_eq!(engine.tokens.decode(&engine.tokens.encode("a b").unwrap()).unwrap(), "a b");
        // The end of an answer in the chat's own format.
        let chat = "<|im_start|>user\nSay yes.<|im_end|>\n<|im_start|>assistant\nYes.";
        let free = engine.generate(chat, Length { min: 1, max: 30 }).unwrap();
        assert!(free.completion_tokens < 30, "{free:?}");
        let forced = engine.generate(chat, Length { min: 30, max: 30 }).unwrap();
        assert_eq!(forced.completion_tokens, 30);
    }

    #[test]
    #[ignore = "needs the smoke model: run `cargo xtask smoke` first"]
    fn a_truncated_model_is_an_error() {
        let whole = fs::read(smoke_model().path).unwrap();
        let mut cut = tempfile::NamedTempFile::new().unwrap();
        cut.write_all(&whole[..whole.len() / 2]).unwrap();
        let error = format!("{:#}", Engine::load(cut.path()).unwrap_err());
        assert!(error.contains("may be truncated"), "{error}");
        assert!(error.contains(&cut.path().display().to_string()), "{error}");
    }

    #[test]
    #[ignore = "needs the smoke model: run `cargo xtask smoke` first"]
    fn more_tokens_than_the_context_holds_are_refused() {
        let engine = Engine::load(&smoke_model().path).unwrap();
        let error = engine.generate("Hello", Length { min: 9000, max: 9000 }).unwrap_err();
        assert!(error.to_string().contains("context of 8192 tokens"), "{error}");
    }
}
