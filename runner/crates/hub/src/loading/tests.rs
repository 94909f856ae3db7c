//! Tables of models and datasets with their verdicts. The verdicts of transformers and `datasets` were
//! compared with the image `cpu`, those about GGUF with the image `smoke`.

use contract::Backend;

use super::{
    FileState, Keywords, Verdict, dataset, native,
    testing::{FakeFiles, gguf, render, safetensors, torch_file},
    transformers,
};

const POINTER: &str = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n";
const LINK: &str = "../../blobs/0123456789012345678901234567890123456789";
const INDEX: &str = "model.safetensors.index.json";
const SHARDS: [&str; 2] = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];

/// A model without weights.
fn without_weights() -> FakeFiles {
    FakeFiles::of(&[
        ("config.json", r#"{"model_type": "llama"}"#),
        ("tokenizer.json", "{\"a\": 1}\n"),
        ("tokenizer_config.json", "{}"),
    ])
}

fn weights() -> Vec<u8> {
    safetensors(r#""__metadata__":{"format":"pt"},"#, 100)
}

fn complete() -> FakeFiles {
    without_weights().and(&[("model.safetensors", weights())])
}

fn sharded() -> FakeFiles {
    let map = format!(r#"{{"a": "{}", "b": "{}"}}"#, SHARDS[0], SHARDS[1]);
    let index = format!(r#"{{"metadata": {{}}, "weight_map": {map}}}"#);
    without_weights().and(&[(INDEX, index)]).and(&SHARDS.map(|part| (part, weights())))
}

fn torch() -> FakeFiles {
    without_weights().and(&[("pytorch_model.bin", torch_file())])
}

fn truncate(bytes: &[u8]) -> Vec<u8> {
    bytes[..bytes.len() / 2].to_vec()
}

/// Renders each case and its verdict on two lines.
fn table(lines: Vec<(&str, Verdict)>) -> String {
    let line = |(name, verdict): &(&str, Verdict)| format!("{name}\n    {}", render(verdict));
    lines.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn plain(files: FakeFiles) -> Verdict {
    transformers::check(&files, &Keywords::default())
}

#[test]
fn transformers_loads_the_first_weights_that_exist() {
    let index_of_bin = r#"{"metadata": {}, "weight_map": {"a": "pytorch_model-1.bin"}}"#;
    let with = |keywords: Keywords, files: FakeFiles| transformers::check(&files, &keywords);
    let variant = || Keywords { variant: Some("fp16".to_owned()), ..Keywords::default() };
    let safe = |only| Keywords { use_safetensors: Some(only), ..Keywords::default() };
    let sub = || Keywords { subfolder: Some("sub".to_owned()), ..Keywords::default() };
    let fp16 = || without_weights().and(&[("model.fp16.safetensors", weights())]);
    let only = |name: &str| plain(without_weights().and(&[(name, weights())]));
    insta::assert_snapshot!(table(vec![
        ("one file", plain(complete())),
        ("sharded", plain(sharded())),
        ("PyTorch's own format", plain(torch())),
        (
            "beside an index of missing shards",
            plain(complete().and(&[("pytorch_model.bin.index.json", index_of_bin)]))
        ),
        (
            "beside a dangling symlink",
            plain(complete().with_state("onnx/m.onnx", FileState::Dangling))
        ),
        ("a shard is missing", plain(sharded().without(&SHARDS[1..]))),
        ("shards without an index", plain(sharded().without(&[INDEX]))),
        ("one of two shards", plain(sharded().without(&[INDEX, SHARDS[1]]))),
        (
            "an index of missing shards beside a complete file",
            plain(torch().and(&[(INDEX, index_of_bin)]))
        ),
        (
            "an index with paths that begin with `./`",
            plain(complete().without(&["model.safetensors"]).and(&[
                (INDEX, br#"{"metadata": {}, "weight_map": {"a": "./a.safetensors"}}"#.to_vec()),
                ("a.safetensors", weights()),
            ])),
        ),
        ("a truncated index", plain(sharded().and(&[(INDEX, r#"{"weight_map": {"#)]))),
        (
            "an index without metadata",
            plain(sharded().and(&[(INDEX, r#"{"weight_map": {"a": "b"}}"#)]))
        ),
        ("an index without a weight map", plain(sharded().and(&[(INDEX, r#"{"metadata": {}}"#)]))),
        (
            "an index without shards",
            plain(sharded().and(&[(INDEX, r#"{"metadata": {}, "weight_map": {}}"#)]))
        ),
        ("no weights", plain(without_weights())),
        ("only a variant", plain(fp16())),
        ("the requested variant", with(variant(), fp16())),
        ("consolidated", only("consolidated.safetensors")),
        ("training arguments", only("training_args.bin")),
        ("in a folder", only("sub/model.safetensors")),
        ("in upper case", only("MODEL.safetensors")),
        ("GGUF", plain(without_weights().and(&[("m.gguf", gguf("llama"))]))),
        ("dangling", plain(without_weights().with_state("model.safetensors", FileState::Dangling))),
        (
            "outside of the mount",
            plain(without_weights().with_state("model.safetensors", FileState::OutsideMount))
        ),
        (
            "hidden",
            plain(
                without_weights()
                    .with_state("model.safetensors", FileState::Hidden("/hub/.no_exist".into()))
            )
        ),
        (
            "hidden beside another format",
            plain(torch().with_state("model.safetensors", FileState::Hidden(String::new())))
        ),
        ("safetensors disabled", with(safe(false), complete())),
        ("safetensors required", with(safe(true), torch())),
        (
            "a subfolder",
            with(
                sub(),
                complete().and(&[
                    ("sub/config.json", b"{\"model_type\": \"llama\"}".to_vec()),
                    ("sub/tokenizer.json", b"{}".to_vec()),
                    ("sub/model.safetensors", weights()),
                ])
            )
        ),
        ("a missing subfolder", with(sub(), complete())),
        (
            "named by the configuration",
            plain(without_weights().and(&[
                (
                    "config.json",
                    br#"{"model_type": "llama", "transformers_weights": "x.safetensors"}"#.to_vec()
                ),
                ("x.safetensors", weights()),
            ]))
        ),
    ]));
}

#[test]
fn weights_must_be_complete() {
    let safe = |bytes: Vec<u8>| plain(without_weights().and(&[("model.safetensors", bytes)]));
    let torch = |bytes: Vec<u8>| plain(without_weights().and(&[("pytorch_model.bin", bytes)]));
    let more = |mut bytes: Vec<u8>| {
        bytes.extend([0; 10]);
        bytes
    };
    let html = || b"<!DOCTYPE html>".to_vec();
    insta::assert_snapshot!(table(vec![
        ("empty", safe(vec![])),
        ("half of the file", safe(truncate(&weights()))),
        ("all but one byte", safe(weights()[..weights().len() - 1].to_vec())),
        ("seven bytes", safe(vec![1; 7])),
        ("too long", safe(more(weights()))),
        ("an HTML page", safe(html())),
        ("an LFS pointer", safe(POINTER.into())),
        ("the text of a symlink", safe(LINK.into())),
        ("without metadata", safe(safetensors("", 9))),
        ("of NumPy", safe(safetensors(r#""__metadata__":{"format":"np"},"#, 9))),
        ("without a format", safe(safetensors(r#""__metadata__":{},"#, 9))),
        ("a truncated shard", plain(sharded().and(&[(SHARDS[1], truncate(&weights()))]))),
        ("PyTorch, empty", torch(vec![])),
        ("PyTorch, truncated", torch(torch_file()[..30].to_vec())),
        ("PyTorch, too long", torch(more(torch_file()))),
        ("PyTorch, old format", torch(vec![0x80, 2])),
        ("PyTorch, an HTML page", torch(html())),
        ("PyTorch, an LFS pointer", torch(POINTER.into())),
    ]));
}

#[test]
fn configuration_and_tokenizer_must_be_readable() {
    let config = |text: &str| plain(complete().and(&[("config.json", text)]));
    let none = || complete().without(&["tokenizer.json", "tokenizer_config.json"]);
    let tokens = |files: &[(&str, &str)]| plain(none().and(files));
    let class = |name: &str| format!(r#"{{"tokenizer_class": "{name}"}}"#);
    let of = |name: &str, files: &[(&str, &str)]| {
        plain(none().and(&[("tokenizer_config.json", class(name))]).and(files))
    };
    insta::assert_snapshot!(table(vec![
        ("no configuration", plain(complete().without(&["config.json"]))),
        ("an adapter", plain(FakeFiles::of(&[("adapter_config.json", "{}")]))),
        ("truncated", config("{")),
        ("empty", config("")),
        ("a list", config("[]")),
        ("the text of a symlink", config(LINK)),
        (
            "numbers that only Python accepts",
            config(r#"{"model_type": "mamba2", "limit": [0.0, Infinity]}"#)
        ),
        ("no model type", config("{}")),
        ("encoder and decoder", config(r#"{"model_type": "t5", "is_encoder_decoder": true}"#)),
        ("no tokenizer", tokens(&[])),
        ("only a tokenizer", tokens(&[("tokenizer.json", "{}")])),
        ("a truncated tokenizer", tokens(&[("tokenizer.json", "{\"a\": ")])),
        ("an empty tokenizer", tokens(&[("tokenizer.json", "")])),
        ("an LFS pointer", tokens(&[("tokenizer.json", POINTER)])),
        ("only its configuration", of("LlamaTokenizer", &[])),
        ("its configuration truncated", plain(complete().and(&[("tokenizer_config.json", "{")]))),
        ("a byte tokenizer", of("ByT5Tokenizer", &[])),
        ("a word tokenizer", of("BertTokenizer", &[("vocab.txt", "a")])),
        ("byte pairs", of("GPT2Tokenizer", &[("vocab.json", "{}"), ("merges.txt", "#")])),
        ("byte pairs without merges", of("GPT2TokenizerFast", &[("vocab.json", "{}")])),
        (
            "a generic class without a fast tokenizer",
            of("PreTrainedTokenizerFast", &[("vocab.txt", "a")])
        ),
        ("SentencePiece", tokens(&[("tokenizer.model", "x")])),
        (
            "hidden",
            plain(none().with_state("tokenizer.json", FileState::Hidden("/hub/.no_exist".into())))
        ),
    ]));
}

#[test]
fn remote_code_must_be_present() {
    let config = r#"{"model_type": "xx", "auto_map":
        {"AutoConfig": "configuration_x.X", "AutoModelForCausalLM": "modeling_x.X"}}"#;
    let named = || complete().and(&[("config.json", config)]);
    let code = || {
        named()
            .and(&[("configuration_x.py", "class X: pass\n"), ("modeling_x.py", "class X: pass\n")])
    };
    let trusted = |files: FakeFiles| {
        transformers::check(&files, &Keywords { trust: true, ..Keywords::default() })
    };
    let tokens = r#"{"auto_map": {"AutoTokenizer": ["tok_x.X", null]}}"#;
    let other = r#"{"auto_map": {"AutoConfig": "org/code--configuration_x.X"}}"#;
    let untyped = r#"{"auto_map": {"AutoConfig": "configuration_x.X"}}"#;
    insta::assert_snapshot!(table(vec![
        ("present", trusted(code())),
        ("not run", plain(named())),
        ("not run, without a type", plain(complete().and(&[("config.json", untyped)]))),
        ("the configuration's code is missing", trusted(code().without(&["configuration_x.py"]))),
        ("the model's code is missing", trusted(code().without(&["modeling_x.py"]))),
        (
            "the tokenizer's code is missing",
            trusted(complete().and(&[("tokenizer_config.json", tokens)]))
        ),
        (
            "the tokenizer's code is not run",
            plain(complete().and(&[("tokenizer_config.json", tokens)]))
        ),
        ("of another repo", trusted(complete().and(&[("config.json", other)]))),
    ]));
}

#[test]
fn native_backend_needs_one_complete_gguf_file() {
    let one = |name: &str, bytes: Vec<u8>| native::check(&FakeFiles::of(&[(name, bytes)]), None);
    let llama = || gguf("llama");
    let two = || FakeFiles::of(&[("a.gguf", llama()), ("q/b.gguf", llama())]);
    let most = llama()[..llama().len() - 1].to_vec();
    insta::assert_snapshot!(table(vec![
        ("one file", one("m.gguf", llama())),
        ("in upper case", one("MODEL.GGUF", llama())),
        ("in a folder", one("q/m.gguf", llama())),
        ("too long", one("m.gguf", [llama(), vec![0; 9]].concat())),
        ("several files", native::check(&two(), None)),
        ("one of several files", native::check(&two(), Some("q/b.gguf"))),
        ("another name", native::check(&two(), Some("A.gguf"))),
        ("none", native::check(&complete(), None)),
        ("one of two shards", one("m-00001-of-00002.gguf", llama())),
        ("one of one shard", one("m-00001-of-00001.gguf", llama())),
        (
            "both shards",
            native::check(
                &FakeFiles::of(&[("m-00001-of-00002.gguf", ""), ("m-00002-of-00002.gguf", "")]),
                None
            )
        ),
        (
            "dangling",
            native::check(&FakeFiles::default().with_state("m.gguf", FileState::Dangling), None)
        ),
        ("empty", one("m.gguf", vec![])),
        ("all but one byte", one("m.gguf", most)),
        ("half of the file", one("m.gguf", truncate(&llama()))),
        ("only its magic", one("m.gguf", b"GGUF".to_vec())),
        ("a text file", one("m.gguf", b"hello".to_vec())),
        ("an LFS pointer", one("m.gguf", POINTER.into())),
        ("another architecture", one("m.gguf", gguf("qwen2"))),
        ("a newer version", one("m.gguf", b"GGUF\x09\0\0\0".to_vec())),
    ]));
}

#[test]
fn dataset_needs_readable_data_files() {
    const PARQUET: &[u8] = b"PAR1 the rows PAR1";
    let files = |files: &[(&str, &[u8])]| FakeFiles::of(files);
    let cached = |files: &FakeFiles| dataset::check_folder(files, Backend::Optimum, true);
    let local = |files: &FakeFiles| dataset::check_folder(files, Backend::Pytorch, false);
    let two_kinds = files(&[("a.csv", b"text"), ("b.parquet", PARQUET)]);
    let text = files(&[("train.txt", b"hello")]);
    let one_split =
        files(&[("data/train-00000-of-00001.parquet", PARQUET), ("config.json", b"{}")]);
    let two_splits = files(&[("train.csv", b"text"), ("test.csv", b"text")]);
    let one = |name: &str, bytes: &[u8]| dataset::check_file(&files(&[(name, bytes)]), name);
    let shard = "data/train-00000-of-00002.parquet";
    let beside = files(&[("train.csv", b"text"), ("extra.parquet", b"")]);
    insta::assert_snapshot!(table(vec![
        ("CSV", cached(&files(&[("p.csv", b"text\nhello")]))),
        ("parquet", cached(&files(&[("data/train-00000-of-00001.parquet", PARQUET)]))),
        ("one of two shards", cached(&files(&[(shard, PARQUET)]))),
        ("parquet, truncated", cached(&files(&[("train.parquet", &PARQUET[..9])]))),
        ("parquet, an HTML page", cached(&files(&[("train.parquet", b"<html></html>")]))),
        ("an LFS pointer", cached(&files(&[("train.parquet", POINTER.as_bytes())]))),
        ("the text of a symlink", cached(&files(&[("p.csv", LINK.as_bytes())]))),
        ("empty", cached(&files(&[("train.jsonl", b"")]))),
        ("an empty file beside", cached(&beside)),
        ("only a README", cached(&files(&[("README.md", b"# x")]))),
        ("only a README, local", local(&files(&[("README.md", b"# x")]))),
        ("a hidden file", local(&files(&[(".p.csv", b"text")]))),
        ("dangling", cached(&FakeFiles::default().with_state("p.csv", FileState::Dangling))),
        ("a text file", cached(&text)),
        ("a text file, local", local(&text)),
        ("a folder, native", dataset::check_folder(&text, Backend::Native, false)),
        ("one split, native", dataset::check_folder(&one_split, Backend::Native, true)),
        ("two splits, native", dataset::check_folder(&two_splits, Backend::Native, true)),
        ("two formats", cached(&two_kinds)),
        ("two formats, local", local(&two_kinds)),
        ("a file", one("p.csv", b"text")),
        ("an empty file", one("p.csv", b"")),
        ("an LFS pointer as a file", one("p.jsonl", POINTER.as_bytes())),
        ("a truncated file", one("P.PARQUET", &PARQUET[..9])),
    ]));
}
