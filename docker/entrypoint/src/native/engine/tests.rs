//! Files that are no models, and the real model of the smoke test.

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

use super::{Engine, Length, fitting};
use crate::native::{
    generation::{About, Asked, Chat, Choice, Sampling},
    hub,
};

/// The Hub home that `cargo xtask smoke` makes.
const SMOKE_CACHE: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/smoke/huggingface/hub");
const SMOKE_MODEL: &str = "smoke/SmolLM2-135M-Instruct-GGUF";

fn smoke_model() -> hub::ModelFile {
    hub::find(SMOKE_MODEL, Path::new(SMOKE_CACHE)).unwrap()
}

/// The model in the file at `path`.
fn at(path: &Path) -> hub::ModelFile {
    hub::find(path.to_str().unwrap(), path).unwrap()
}

/// Plain prompts, always the likeliest token.
fn plain(min: u32, max: u32) -> Asked {
    let choice = Choice { repetition_penalty: 1.0, sampling: None, seed: 42 };
    Asked { length: Length { min, max }, truncation: false, chat: None, choice }
}

fn load(asked: Asked) -> Engine {
    Engine::load(&smoke_model(), asked).unwrap()
}

#[test]
fn an_answer_that_fills_the_model_is_limited_and_said() {
    let length = |min, max| Length { min, max };
    assert_eq!(fitting(length(1, 99), 100).unwrap(), (length(1, 99), None));
    let (fits, note) = fitting(length(1, 8192), 8192).unwrap();
    assert_eq!(fits, length(1, 6144));
    assert_eq!(note.unwrap(), "the model holds 8192 tokens: answers end after 6144, not 8192");
    let error = fitting(length(76, 100), 100).unwrap_err().to_string();
    assert!(error.contains("answers of at least 76 leave no room for a prompt"), "{error}");
}

#[test]
fn what_is_no_gguf_file_is_an_error_with_its_path() {
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
fn a_real_model_knows_the_capital_of_france() {
    let mut engine = load(plain(5, 5));
    let length = engine.about().length;
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
fn a_real_model_reads_digits_one_by_one_and_ends_only_after_the_minimum() {
    let mut engine = load(plain(1, 30));
    assert_eq!(engine.tokens.encode("1234", true).unwrap().len(), 4);
    assert_eq!(engine.tokens.decode(&engine.tokens.encode("a b", true).unwrap()).unwrap(), "a b");
    // The end of an answer in the chat's own format.
    let chat = "<|im_start|>user\nSay yes.<|im_end|>\n<|im_start|>assistant\nYes.";
    let free = engine.generate(chat, Length { min: 1, max: 30 }).unwrap();
    assert!(free.completion_tokens < 30, "{free:?}");
    let forced = engine.generate(chat, Length { min: 30, max: 30 }).unwrap();
    assert_eq!(forced.completion_tokens, 30);
}

/// Writes the real model with `kind` in its matrices.
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
fn halves_are_computed_with_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.gguf");
    for kind in [GgmlDType::F16, GgmlDType::BF16] {
        rewrite(kind, &path);
        let mut engine = Engine::load(&at(&path), plain(5, 5)).unwrap();
        let About { weights_stored, weights_computed, .. } = engine.about();
        assert!(weights_stored.contains(&format!("211 x {kind:?}")), "{weights_stored}");
        assert_eq!(weights_computed, "272 x F32");
        let answer = engine.generate("The capital of France is", engine.about().length).unwrap();
        assert!(answer.completion.contains("Paris"), "{answer:?}");
    }
}

#[test]
#[ignore = "needs the smoke model: run `cargo xtask smoke` first"]
fn a_truncated_model_is_an_error() {
    let whole = fs::read(smoke_model().path).unwrap();
    let mut cut = tempfile::NamedTempFile::new().unwrap();
    cut.write_all(&whole[..whole.len() / 2]).unwrap();
    let error = format!("{:#}", Engine::load(&at(cut.path()), plain(1, 1)).unwrap_err());
    assert!(error.contains("may be truncated"), "{error}");
    assert!(error.contains(&cut.path().display().to_string()), "{error}");
}

#[test]
#[ignore = "needs the smoke model: run `cargo xtask smoke` first"]
fn more_tokens_than_the_context_holds_are_refused() {
    let mut engine = load(plain(1, 1));
    let error = engine.generate("Hello", Length { min: 9000, max: 9000 }).unwrap_err();
    assert!(error.to_string().contains("context of 8192 tokens"), "{error}");
}

#[test]
#[ignore = "needs the smoke model: run `cargo xtask smoke` first"]
fn a_prompt_that_is_too_long_is_cut_where_the_answer_still_fits() {
    let long = "word ".repeat(9000);
    let refused = load(plain(2, 2)).generate(&long, Length { min: 2, max: 2 }).unwrap_err();
    assert!(refused.to_string().contains("exceed the model's context"), "{refused}");
    let cut = Asked { truncation: true, ..plain(2, 8190) };
    let answer = load(cut).generate(&long, Length { min: 2, max: 2 }).unwrap();
    // The whole answer that was asked for would fit behind it.
    assert_eq!((answer.prompt_tokens, answer.completion_tokens), (2, 2));
}

#[test]
#[ignore = "needs the smoke model: run `cargo xtask smoke` first"]
fn a_chat_template_of_the_file_makes_a_chat_of_the_prompt() {
    let chat = Asked { chat: Some(Chat::default()), ..plain(1, 30) };
    let mut engine = load(chat.clone());
    let template = engine.template.as_ref().unwrap().render("Say yes.").unwrap();
    let expected = "<|im_start|>user\nSay yes.<|im_end|>\n<|im_start|>assistant\n";
    assert!(template.ends_with(expected), "{template}");
    let length = engine.about().length;
    let answer = engine.generate("Say yes.", length).unwrap();
    assert_eq!(answer.prompt_tokens, engine.tokens.encode(&template, false).unwrap().len() as u64);
    let unknown = Chat {
        parameters: [("reasoning_effort".to_owned(), "low".into())].into_iter().collect(),
        ..Chat::default()
    };
    let error = Engine::load(&smoke_model(), Asked { chat: Some(unknown), ..chat }).unwrap_err();
    assert!(
        format!("{error:#}").contains("`scenario.reasoning_params.reasoning_effort`"),
        "{error:#}"
    );
}

#[test]
#[ignore = "needs the smoke model: run `cargo xtask smoke` first"]
fn samples_repeat_with_the_seed_alone() {
    let text = |seed| {
        let sampling = Some(Sampling { temperature: 1.0, top_k: 50, top_p: 1.0 });
        let choice = Choice { repetition_penalty: 1.0, sampling, seed };
        let mut engine = load(Asked { choice, ..plain(8, 8) });
        engine.generate("Something else", engine.about().length).unwrap();
        engine.begin_again();
        engine.generate("Once upon a time", engine.about().length).unwrap().completion
    };
    assert_eq!(text(1), text(1));
    assert_ne!(text(1), text(2));
}
