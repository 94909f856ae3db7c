//! Tables of models and datasets with their verdicts. The verdicts of transformers and `datasets` were
//! compared with the image `cpu`, those about GGUF with the image `smoke`.

use contract::Backend;

use super::{
    FileState, Keywords, Verdict, dataset, native,
    testing::{FakeFiles, gguf, safetensors, torch_file, words},
    transformers,
};

const POINTER: &str = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n";
const LINK: &str = "../../blobs/0123456789012345678901234567890123456789";
const INDEX: &str = "model.safetensors.index.json";
const PARTS: [&str; 2] = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];

/// A model without weights.
fn bare() -> FakeFiles {
    FakeFiles::of(&[
        ("config.json", r#"{"model_type": "llama"}"#),
        ("tokenizer.json", "{\"a\": 1}\n"),
        ("tokenizer_config.json", "{}"),
    ])
}

fn weights() -> Vec<u8> {
    safetensors(r#""__metadata__":{"format":"pt"},"#, 100)
}

fn whole() -> FakeFiles {
    bare().and(&[("model.safetensors", weights())])
}

fn in_parts() -> FakeFiles {
    let map = format!(r#"{{"a": "{}", "b": "{}"}}"#, PARTS[0], PARTS[1]);
    let index = format!(r#"{{"metadata": {{}}, "weight_map": {map}}}"#);
    bare().and(&[(INDEX, index)]).and(&PARTS.map(|part| (part, weights())))
}

fn torch() -> FakeFiles {
    bare().and(&[("pytorch_model.bin", torch_file())])
}

fn cut(bytes: &[u8]) -> Vec<u8> {
    bytes[..bytes.len() / 2].to_vec()
}

/// Renders each case and its verdict on two lines.
fn table(lines: Vec<(&str, Verdict)>) -> String {
    let line = |(name, verdict): &(&str, Verdict)| format!("{name}\n    {}", words(verdict));
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
    let fp16 = || bare().and(&[("model.fp16.safetensors", weights())]);
    let only = |name: &str| plain(bare().and(&[(name, weights())]));
    insta::assert_snapshot!(table(vec![
        ("whole", plain(whole())),
        ("in parts", plain(in_parts())),
        ("PyTorch's own format", plain(torch())),
        (
            "beside an index of absent parts",
            plain(whole().and(&[("pytorch_model.bin.index.json", index_of_bin)]))
        ),
        (
            "beside a dangling symlink",
            plain(whole().with_state("onnx/m.onnx", FileState::Dangling))
        ),
        ("a part is absent", plain(in_parts().without(&PARTS[1..]))),
        ("parts without an index", plain(in_parts().without(&[INDEX]))),
        ("one of two parts", plain(in_parts().without(&[INDEX, PARTS[1]]))),
        (
            "an index of absent parts beside a whole file",
            plain(torch().and(&[(INDEX, index_of_bin)]))
        ),
        (
            "an index whose names begin with a dot",
            plain(whole().without(&["model.safetensors"]).and(&[
                (INDEX, br#"{"metadata": {}, "weight_map": {"a": "./a.safetensors"}}"#.to_vec()),
                ("a.safetensors", weights()),
            ])),
        ),
        ("an index that is cut", plain(in_parts().and(&[(INDEX, r#"{"weight_map": {"#)]))),
        (
            "an index without metadata",
            plain(in_parts().and(&[(INDEX, r#"{"weight_map": {"a": "b"}}"#)]))
        ),
        ("an index without a map", plain(in_parts().and(&[(INDEX, r#"{"metadata": {}}"#)]))),
        (
            "an index without parts",
            plain(in_parts().and(&[(INDEX, r#"{"metadata": {}, "weight_map": {}}"#)]))
        ),
        ("no weights", plain(bare())),
        ("a variant alone", plain(fp16())),
        ("a variant that is asked for", with(variant(), fp16())),
        ("consolidated", only("consolidated.safetensors")),
        ("arguments of a training", only("training_args.bin")),
        ("in a folder", only("sub/model.safetensors")),
        ("in other letters", only("MODEL.safetensors")),
        ("GGUF", plain(bare().and(&[("m.gguf", gguf("llama"))]))),
        ("dangling", plain(bare().with_state("model.safetensors", FileState::Dangling))),
        (
            "out of the container",
            plain(bare().with_state("model.safetensors", FileState::OutsideMount))
        ),
        (
            "hidden",
            plain(
                bare().with_state("model.safetensors", FileState::Hidden("/hub/.no_exist".into()))
            )
        ),
        (
            "hidden beside another format",
            plain(torch().with_state("model.safetensors", FileState::Hidden(String::new())))
        ),
        ("safetensors ruled out", with(safe(false), whole())),
        ("safetensors alone", with(safe(true), torch())),
        (
            "a subfolder that is there",
            with(
                sub(),
                whole().and(&[
                    ("sub/config.json", b"{\"model_type\": \"llama\"}".to_vec()),
                    ("sub/tokenizer.json", b"{}".to_vec()),
                    ("sub/model.safetensors", weights()),
                ])
            )
        ),
        ("a subfolder that is not", with(sub(), whole())),
        (
            "named by the configuration",
            plain(bare().and(&[
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
    let safe = |bytes: Vec<u8>| plain(bare().and(&[("model.safetensors", bytes)]));
    let torch = |bytes: Vec<u8>| plain(bare().and(&[("pytorch_model.bin", bytes)]));
    let more = |mut bytes: Vec<u8>| {
        bytes.extend([0; 10]);
        bytes
    };
    let html = || b"<!DOCTYPE html>".to_vec();
    insta::assert_snapshot!(table(vec![
        ("empty", safe(vec![])),
        ("half", safe(cut(&weights()))),
        ("most", safe(weights()[..weights().len() - 1].to_vec())),
        ("seven bytes", safe(vec![1; 7])),
        ("more", safe(more(weights()))),
        ("a page", safe(html())),
        ("a pointer", safe(POINTER.into())),
        ("a link as text", safe(LINK.into())),
        ("without metadata", safe(safetensors("", 9))),
        ("of numpy", safe(safetensors(r#""__metadata__":{"format":"np"},"#, 9))),
        ("of nobody", safe(safetensors(r#""__metadata__":{},"#, 9))),
        ("a part that is cut", plain(in_parts().and(&[(PARTS[1], cut(&weights()))]))),
        ("PyTorch, empty", torch(vec![])),
        ("PyTorch, cut", torch(torch_file()[..30].to_vec())),
        ("PyTorch, more", torch(more(torch_file()))),
        ("PyTorch, old", torch(vec![0x80, 2])),
        ("PyTorch, a page", torch(html())),
        ("PyTorch, a pointer", torch(POINTER.into())),
    ]));
}

#[test]
fn configuration_and_tokenizer_must_be_readable() {
    let config = |text: &str| plain(whole().and(&[("config.json", text)]));
    let none = || whole().without(&["tokenizer.json", "tokenizer_config.json"]);
    let tokens = |files: &[(&str, &str)]| plain(none().and(files));
    let class = |name: &str| format!(r#"{{"tokenizer_class": "{name}"}}"#);
    let of = |name: &str, files: &[(&str, &str)]| {
        plain(none().and(&[("tokenizer_config.json", class(name))]).and(files))
    };
    insta::assert_snapshot!(table(vec![
        ("no configuration", plain(whole().without(&["config.json"]))),
        ("an adapter", plain(FakeFiles::of(&[("adapter_config.json", "{}")]))),
        ("cut", config("{")),
        ("empty", config("")),
        ("a list", config("[]")),
        ("a link as text", config(LINK)),
        ("numbers of Python", config(r#"{"model_type": "mamba2", "limit": [0.0, Infinity]}"#)),
        ("no type", config("{}")),
        ("encoder and decoder", config(r#"{"model_type": "t5", "is_encoder_decoder": true}"#)),
        ("no tokenizer", tokens(&[])),
        ("a tokenizer alone", tokens(&[("tokenizer.json", "{}")])),
        ("a tokenizer that is cut", tokens(&[("tokenizer.json", "{\"a\": ")])),
        ("an empty tokenizer", tokens(&[("tokenizer.json", "")])),
        ("a pointer", tokens(&[("tokenizer.json", POINTER)])),
        ("its configuration alone", of("LlamaTokenizer", &[])),
        ("its configuration cut", plain(whole().and(&[("tokenizer_config.json", "{")]))),
        ("bytes", of("ByT5Tokenizer", &[])),
        ("words", of("BertTokenizer", &[("vocab.txt", "a")])),
        ("pairs", of("GPT2Tokenizer", &[("vocab.json", "{}"), ("merges.txt", "#")])),
        ("pairs without merges", of("GPT2TokenizerFast", &[("vocab.json", "{}")])),
        ("of no model, without the whole", of("PreTrainedTokenizerFast", &[("vocab.txt", "a")])),
        ("sentences", tokens(&[("tokenizer.model", "x")])),
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
    let named = || whole().and(&[("config.json", config)]);
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
        ("there", trusted(code())),
        ("not run", plain(named())),
        ("not run, without a type", plain(whole().and(&[("config.json", untyped)]))),
        ("the configuration's is missing", trusted(code().without(&["configuration_x.py"]))),
        ("the model's is missing", trusted(code().without(&["modeling_x.py"]))),
        ("the tokenizer's is missing", trusted(whole().and(&[("tokenizer_config.json", tokens)]))),
        ("the tokenizer's is not run", plain(whole().and(&[("tokenizer_config.json", tokens)]))),
        ("of another repo", trusted(whole().and(&[("config.json", other)]))),
    ]));
}

#[test]
fn native_backend_needs_one_complete_gguf_file() {
    let one = |name: &str, bytes: Vec<u8>| native::check(&FakeFiles::of(&[(name, bytes)]), None);
    let llama = || gguf("llama");
    let two = || FakeFiles::of(&[("a.gguf", llama()), ("q/b.gguf", llama())]);
    let most = llama()[..llama().len() - 1].to_vec();
    insta::assert_snapshot!(table(vec![
        ("one", one("m.gguf", llama())),
        ("in capital letters", one("MODEL.GGUF", llama())),
        ("in a folder", one("q/m.gguf", llama())),
        ("more bytes", one("m.gguf", [llama(), vec![0; 9]].concat())),
        ("several", native::check(&two(), None)),
        ("one of several", native::check(&two(), Some("q/b.gguf"))),
        ("another name", native::check(&two(), Some("A.gguf"))),
        ("none", native::check(&whole(), None)),
        ("one of two parts", one("m-00001-of-00002.gguf", llama())),
        ("one of one part", one("m-00001-of-00001.gguf", llama())),
        (
            "both parts",
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
        ("most of it", one("m.gguf", most)),
        ("half of it", one("m.gguf", cut(&llama()))),
        ("its magic alone", one("m.gguf", b"GGUF".to_vec())),
        ("a text", one("m.gguf", b"hello".to_vec())),
        ("a pointer", one("m.gguf", POINTER.into())),
        ("another architecture", one("m.gguf", gguf("qwen2"))),
        ("a version of the future", one("m.gguf", b"GGUF\x09\0\0\0".to_vec())),
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
        ("one of two files", cached(&files(&[(shard, PARQUET)]))),
        ("parquet, cut", cached(&files(&[("train.parquet", &PARQUET[..9])]))),
        ("parquet, a page", cached(&files(&[("train.parquet", b"<html></html>")]))),
        ("a pointer", cached(&files(&[("train.parquet", POINTER.as_bytes())]))),
        ("a link as text", cached(&files(&[("p.csv", LINK.as_bytes())]))),
        ("empty", cached(&files(&[("train.jsonl", b"")]))),
        ("an empty file beside", cached(&beside)),
        ("a README alone", cached(&files(&[("README.md", b"# x")]))),
        ("a README alone, of the user", local(&files(&[("README.md", b"# x")]))),
        ("a hidden file", local(&files(&[(".p.csv", b"text")]))),
        ("dangling", cached(&FakeFiles::default().with_state("p.csv", FileState::Dangling))),
        ("lines of text", cached(&text)),
        ("lines of text, of the user", local(&text)),
        ("a folder, native", dataset::check_folder(&text, Backend::Native, false)),
        ("one split, native", dataset::check_folder(&one_split, Backend::Native, true)),
        ("two splits, native", dataset::check_folder(&two_splits, Backend::Native, true)),
        ("two kinds", cached(&two_kinds)),
        ("two kinds, of the user", local(&two_kinds)),
        ("a file", one("p.csv", b"text")),
        ("a file that is empty", one("p.csv", b"")),
        ("a file that is a pointer", one("p.jsonl", POINTER.as_bytes())),
        ("a file that is cut", one("P.PARQUET", &PARQUET[..9])),
    ]));
}
