//! Loading invalid files, and generation with the smoke test's model.

mod tiny;

use std::{
    fs::{self, File},
    io::Write,
    path::Path,
};

use candle_core::{
    Device,
    quantized::{GgmlDType, QTensor, gguf_file},
};

use super::{Engine, Length, fit};
use crate::native::{
    generation::{Chat, Decoding, GenerationConfig, ModelInfo, Sampling},
    model_file::{self, ModelFile},
};

/// The Hub cache that `cargo xtask smoke` creates.
const SMOKE_CACHE: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/smoke/huggingface/hub");
const SMOKE_MODEL: &str = "smoke/SmolLM2-135M-Instruct-GGUF";

fn smoke_model() -> ModelFile {
    model_file::find(SMOKE_MODEL, Path::new(SMOKE_CACHE)).unwrap()
}

/// The model in the file at `path`.
fn at(path: &Path) -> ModelFile {
    model_file::find(path.to_str().unwrap(), path).unwrap()
}

/// Plain prompts and greedy decoding.
fn plain(min: u32, max: u32) -> GenerationConfig {
    let decoding = Decoding { repetition_penalty: 1.0, sampling: None, seed: 42 };
    GenerationConfig { length: Length { min, max }, truncation: false, chat: None, decoding }
}

fn load(generation: GenerationConfig) -> Engine {
    Engine::load(&smoke_model(), generation).unwrap()
}

#[test]
fn maximum_length_leaves_room_for_a_prompt() {
    let length = |min, max| Length { min, max };
    assert_eq!(fit(length(1, 99), 100).unwrap(), (length(1, 99), None));
    let (fits, note) = fit(length(1, 8192), 8192).unwrap();
    assert_eq!(fits, length(1, 6144));
    assert_eq!(note.unwrap(), "the model holds 8192 tokens: answers end after 6144, not 8192");
    let error = fit(length(76, 100), 100).unwrap_err().to_string();
    assert!(error.contains("answers of at least 76 leave no room for a prompt"), "{error}");
}

#[test]
fn invalid_gguf_file_is_an_error_with_its_path() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.gguf");
    for content in [&b""[..], b"GGUF", b"no model at all"] {
        fs::write(&path, content).unwrap();
        let error = format!("{:#}", Engine::load(&at(&path), plain(1, 1)).unwrap_err());
        assert!(error.contains(&path.display().to_string()), "{error}");
        assert!(error.contains("not a complete GGUF file"), "{error}");
    }
}

#[test]
#[ignore = "needs the smoke model: run `cargo xtask smoke` first"]
fn smoke_model_knows_the_capital_of_france() {
    let mut engine = load(plain(5, 5));
    let length = engine.model().length;
    let first = engine.generate("The capital of France is", length).unwrap();
    assert!(first.completion.contains("Paris"), "{first:?}");
    assert_eq!((first.prompt_tokens, first.completion_tokens), (5, 5));
    assert_eq!(
        engine.generate("The capital of France is", length).unwrap().completion,
        first.completion
    );
}

#[test]
#[ignore = "needs the smoke model: run `cargo xtask smoke` first"]
fn digits_are_single_tokens_and_answers_have_the_minimum_length() {
    let mut engine = load(plain(1, 30));
    assert_eq!(engine.tokenizer.encode("1234", true).unwrap().len(), 4);
    assert_eq!(
        engine.tokenizer.decode(&engine.tokenizer.encode("a b", true).unwrap()).unwrap(),
        "a b"
    );
    // The model would end this answer at once.
    let chat = "<|im_start|>user\nSay yes.<|im_end|>\n<|im_start|>assistant\nYes.";
    let free = engine.generate(chat, Length { min: 1, max: 30 }).unwrap();
    assert!(free.completion_tokens < 30, "{free:?}");
    let forced = engine.generate(chat, Length { min: 30, max: 30 }).unwrap();
    assert_eq!(forced.completion_tokens, 30);
}

/// Writes the smoke model with matrices of the type `kind`.
fn rewrite(kind: GgmlDType, to: &Path) {
    let mut file = File::open(smoke_model().path).unwrap();
    let content = gguf_file::Content::read(&mut file).unwrap();
    let mut tensors = vec![];
    for (name, info) in &content.tensor_infos {
        let stored = content.tensor(&mut file, name, &Device::Cpu).unwrap();
        let kind = if info.shape.rank() == 2 { kind } else { stored.dtype() };
        let values = stored.dequantize(&Device::Cpu).unwrap();
        tensors.push((&**name, QTensor::quantize(&values, kind).unwrap()));
    }
    let header: Vec<_> = content.metadata.iter().map(|(key, value)| (&**key, value)).collect();
    let tensors: Vec<_> = tensors.iter().map(|(name, tensor)| (*name, tensor)).collect();
    gguf_file::write(&mut File::create(to).unwrap(), &header, &tensors).unwrap();
}

#[test]
#[ignore = "needs the smoke model: run `cargo xtask smoke` first"]
fn half_precision_is_computed_in_f32() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.gguf");
    for kind in [GgmlDType::F16, GgmlDType::BF16] {
        rewrite(kind, &path);
        let mut engine = Engine::load(&at(&path), plain(5, 5)).unwrap();
        let ModelInfo { weights_stored, weights_computed, .. } = engine.model();
        assert!(weights_stored.contains(&format!("211 x {kind:?}")), "{weights_stored}");
        assert_eq!(weights_computed, "272 x F32");
        let answer = engine.generate("The capital of France is", engine.model().length).unwrap();
        assert!(answer.completion.contains("Paris"), "{answer:?}");
    }
}

#[test]
#[ignore = "needs the smoke model: run `cargo xtask smoke` first"]
fn truncated_model_is_an_error() {
    let whole = fs::read(smoke_model().path).unwrap();
    let mut cut = tempfile::NamedTempFile::new().unwrap();
    cut.write_all(&whole[..whole.len() / 2]).unwrap();
    let error = format!("{:#}", Engine::load(&at(cut.path()), plain(1, 1)).unwrap_err());
    assert!(error.contains("may be truncated"), "{error}");
    assert!(error.contains(&cut.path().display().to_string()), "{error}");
}

#[test]
#[ignore = "needs the smoke model: run `cargo xtask smoke` first"]
fn answer_longer_than_the_context_is_refused() {
    let mut engine = load(plain(1, 1));
    let error = engine.generate("Hello", Length { min: 9000, max: 9000 }).unwrap_err();
    assert!(error.to_string().contains("context of 8192 tokens"), "{error}");
}

#[test]
#[ignore = "needs the smoke model: run `cargo xtask smoke` first"]
fn long_prompt_is_cut_so_that_the_answer_fits() {
    let long = "word ".repeat(9000);
    let refused = load(plain(2, 2)).generate(&long, Length { min: 2, max: 2 }).unwrap_err();
    assert!(refused.to_string().contains("exceed the model's context"), "{refused}");
    let cut = GenerationConfig { truncation: true, ..plain(2, 8190) };
    let answer = load(cut).generate(&long, Length { min: 2, max: 2 }).unwrap();
    // The context has 8192 tokens, and an answer may have 8190 of them.
    assert_eq!((answer.prompt_tokens, answer.completion_tokens), (2, 2));
}

#[test]
#[ignore = "needs the smoke model: run `cargo xtask smoke` first"]
fn prompt_goes_through_the_files_chat_template() {
    let chat = GenerationConfig { chat: Some(Chat::default()), ..plain(1, 30) };
    let mut engine = load(chat.clone());
    let template = engine.template.as_ref().unwrap().render("Say yes.").unwrap();
    let expected = "<|im_start|>user\nSay yes.<|im_end|>\n<|im_start|>assistant\n";
    assert!(template.ends_with(expected), "{template}");
    let length = engine.model().length;
    let answer = engine.generate("Say yes.", length).unwrap();
    assert_eq!(
        answer.prompt_tokens,
        engine.tokenizer.encode(&template, false).unwrap().len() as u64
    );
    let unknown = Chat {
        parameters: [("reasoning_effort".to_owned(), "low".into())].into_iter().collect(),
        ..Chat::default()
    };
    let error =
        Engine::load(&smoke_model(), GenerationConfig { chat: Some(unknown), ..chat }).unwrap_err();
    assert!(
        format!("{error:#}").contains("`scenario.reasoning_params.reasoning_effort`"),
        "{error:#}"
    );
}

#[test]
#[ignore = "needs the smoke model: run `cargo xtask smoke` first"]
fn seed_alone_determines_the_samples() {
    let text = |seed| {
        let sampling = Some(Sampling { temperature: 1.0, top_k: 50, top_p: 1.0 });
        let decoding = Decoding { repetition_penalty: 1.0, sampling, seed };
        let mut engine = load(GenerationConfig { decoding, ..plain(8, 8) });
        engine.generate("Something else", engine.model().length).unwrap();
        engine.reset_seed();
        engine.generate("Once upon a time", engine.model().length).unwrap().completion
    };
    assert_eq!(text(1), text(1));
    assert_ne!(text(1), text(2));
}
