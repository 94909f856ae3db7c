//! Whole runs of a tiny made-up model, and of broken ones.

use std::{
    fs::{self, File},
    os::unix::fs::FileExt as _,
    path::Path,
};

use candle_core::{
    Device, Tensor,
    quantized::{
        GgmlDType, QTensor,
        gguf_file::{self, Value},
    },
};
use serde_json::json;

use crate::native;

/// Embedding length, and size of every matrix.
const WIDTH: usize = 32;

/// Number of tokens that the model knows. The tokenizer knows one more, `c`.
const KNOWN: usize = 3;

/// Writes a Llama model with a context of 16 tokens and matrices of the type `kind`.
fn write(path: &Path, kind: GgmlDType) {
    let texts = |texts: &[&str]| {
        Value::Array(texts.iter().map(|text| Value::String((*text).to_owned())).collect())
    };
    let header = [
        ("general.architecture", Value::String("llama".to_owned())),
        ("llama.embedding_length", Value::U32(WIDTH as u32)),
        ("llama.feed_forward_length", Value::U32(WIDTH as u32)),
        ("llama.attention.head_count", Value::U32(1)),
        ("llama.attention.layer_norm_rms_epsilon", Value::F32(1e-5)),
        ("llama.block_count", Value::U32(1)),
        ("llama.context_length", Value::U32(16)),
        ("tokenizer.ggml.model", Value::String("gpt2".to_owned())),
        ("tokenizer.ggml.tokens", texts(&["<end>", "a", "b", "c"])),
        ("tokenizer.ggml.merges", texts(&[])),
        ("tokenizer.ggml.eos_token_id", Value::U32(0)),
    ];
    let square = [
        "blk.0.attn_q",
        "blk.0.attn_k",
        "blk.0.attn_v",
        "blk.0.attn_output",
        "blk.0.ffn_gate",
        "blk.0.ffn_up",
        "blk.0.ffn_down",
    ];
    let square = square.map(|name| (name, kind, vec![WIDTH, WIDTH]));
    let norms = ["blk.0.attn_norm", "blk.0.ffn_norm", "output_norm"];
    let norms = norms.map(|name| (name, GgmlDType::F32, vec![WIDTH]));
    let embedding = [("token_embd", kind, vec![KNOWN, WIDTH])];
    let tensors = embedding.into_iter().chain(square).chain(norms).map(|(name, kind, shape)| {
        let numbers =
            (0..shape.iter().product()).map(|at: usize| (at * 7 % 13) as f32 / 10.0 - 0.6);
        let numbers = Tensor::from_iter(numbers, &Device::Cpu).unwrap().reshape(shape).unwrap();
        (format!("{name}.weight"), QTensor::quantize(&numbers, kind).unwrap())
    });
    let tensors: Vec<_> = tensors.collect();
    let header: Vec<_> = header.iter().map(|(key, value)| (*key, value)).collect();
    let tensors: Vec<_> = tensors.iter().map(|(name, tensor)| (&**name, tensor)).collect();
    gguf_file::write(&mut File::create(path).unwrap(), &header, &tensors).unwrap();
}

/// Overwrites the beginning of a tensor.
fn spoil(path: &Path, tensor: &str, bytes: &[u8]) {
    let mut file = File::options().read(true).write(true).open(path).unwrap();
    let content = gguf_file::Content::read(&mut file).unwrap();
    let at = content.tensor_data_offset + content.tensor_infos[tensor].offset;
    file.write_all_at(bytes, at).unwrap();
}

/// The report of a run of the model at `path` with answers of two tokens.
fn report(path: &Path, prompts: &[&str]) -> anyhow::Result<serde_json::Value> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("p.jsonl");
    let rows = prompts.iter().map(|prompt| json!({ "text": prompt }).to_string() + "\n");
    fs::write(&file, rows.collect::<String>()).unwrap();
    let args = [
        format!("backend.model={}", path.display()),
        format!("scenario.dataset_name={}", file.display()),
        "scenario.generate_kwargs.max_new_tokens=2".to_owned(),
        format!("scenario.num_samples={}", prompts.len()),
    ];
    let variables = ["RESULTS_DIR", "HF_HUB_CACHE"].map(|name| (name, folder.path()));
    native::run(&args, &variables.into_iter().collect())?;
    let report = fs::read(folder.path().join("benchmark_report.json")).unwrap();
    Ok(serde_json::from_slice(&report).unwrap())
}

#[test]
fn nan_weights_fail_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.gguf");
    let half = [0x00, 0x7e];
    for (kind, nan) in [
        (GgmlDType::F32, &f32::NAN.to_le_bytes()[..]),
        (GgmlDType::F16, &half),
        (GgmlDType::BF16, &[0xc0, 0x7f]),
        (GgmlDType::Q8_0, &half),
        // Is converted to Q8_0 before the computation.
        (GgmlDType::Q4_1, &half),
    ] {
        write(&path, kind);
        assert_eq!(report(&path, &["ab"]).unwrap()["notes"], json!([]), "{kind:?}");
        spoil(&path, "blk.0.ffn_down.weight", nan);
        let error = format!("{:#}", report(&path, &["ab"]).unwrap_err());
        assert!(error.contains("no numbers (NaN)"), "{kind:?}: {error}");
    }
}

#[test]
fn unreadable_prompt_fails_alone_with_its_number() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.gguf");
    write(&path, GgmlDType::F32);
    let failed = "1 of 3 prompts failed";
    for (prompt, why) in [
        ("xyz", "the tokenizer leaves no token of it"),
        (
            "abc",
            "the tokenizer makes a token 3 of it, and the model knows 3: they do not belong together",
        ),
    ] {
        let report = report(&path, &["ab", prompt, "ba"]).unwrap();
        assert_eq!(report["notes"], json!([failed, format!("prompt 2 failed: {why}")]));
        assert_eq!(report["summary"]["prompts_failed"], 1);
    }
    let error = report(&path, &["xyz"]).unwrap_err().to_string();
    assert!(error.starts_with("none of the 1 prompts can be read"), "{error}");
}

#[test]
fn cut_prompts_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.gguf");
    write(&path, GgmlDType::F32);
    let report = report(&path, &["ab", &"ab".repeat(10)]).unwrap();
    let cut = "1 of 2 prompts were cut to 14 tokens, which is what the model holds beside its \
               answer: 6 tokens of them were not read";
    assert_eq!(report["notes"], json!([cut]));
    assert_eq!(report["summary"]["prompts_cut"], 1);
    assert_eq!(report["summary"]["prompt_tokens_cut"], 6);
}
