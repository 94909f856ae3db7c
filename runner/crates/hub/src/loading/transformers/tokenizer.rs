//! Whether transformers can build a tokenizer from the model's files.

use serde_json::Value;

use super::code;
use crate::loading::{
    content::{Content, missing_fault},
    fault::{Fault, Verdict},
    files::{FileState, Files},
    json,
    keywords::Keywords,
};

/// A complete fast tokenizer.
const FAST: &str = "tokenizer.json";
/// The tokenizer's configuration.
const CONFIG: &str = "tokenizer_config.json";

/// Vocabulary files from which transformers builds a tokenizer without [`FAST`], if an image has the Python
/// package for it.
const NEED_A_PACKAGE: [&str; 6] = [
    "tokenizer.model",
    "spiece.model",
    "sentencepiece.bpe.model",
    "sentencepiece.model",
    "spm.model",
    "tekken.json",
];

/// Vocabulary files for which transformers alone is enough.
const VOCABULARIES: [&str; 14] = [
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "bpe.codes",
    "vocab-src.json",
    "vocab-tgt.json",
    "entity_vocab.json",
    "emoji.json",
    "byte_maps.json",
    "prophetnet.tokenizer",
    "vocab.pkl",
    "vocab.bin",
    "lyrics.json",
    "word_shape.json",
];

/// The two files of a byte-pair tokenizer, and the classes that need both.
const BYTE_PAIR_FILES: [&str; 2] = ["vocab.json", "merges.txt"];
const BYTE_PAIR_CLASSES: [&str; 5] =
    ["GPT2Tokenizer", "Qwen2Tokenizer", "RobertaTokenizer", "BartTokenizer", "CodeGenTokenizer"];

/// The class of a tokenizer that belongs to no model family.
const GENERIC: &str = "PreTrainedTokenizerFast";

/// Byte and character tokenizers, which need no vocabulary.
const NO_VOCABULARY: [&str; 4] =
    ["ByT5Tokenizer", "CanineTokenizer", "DiaTokenizer", "PerceiverTokenizer"];

/// Checks the tokenizer of the model with this configuration.
///
/// # Errors
/// When it cannot be loaded.
pub(super) fn check(files: &impl Files, keywords: &Keywords, model: &Value) -> Verdict {
    let config = json::optional(files, &keywords.path_of(CONFIG))?.unwrap_or_default();
    if keywords.trust {
        let own = [&config, model].map(|config| &config["auto_map"]["AutoTokenizer"]);
        // One class, or a pair of a Python one and a fast one.
        let classes = own.into_iter().find(|own| !own.is_null());
        if let Some(classes) = classes {
            let fast =
                classes.as_str().or_else(|| classes[1].as_str().or_else(|| classes[0].as_str()));
            return code::check(files, fast.into_iter());
        }
    }
    let fast = keywords.path_of(FAST);
    if let FileState::Present(size) = files.state(&fast) {
        if let Some(content) = Content::open(files, &fast, size)? {
            check_fast(&fast, content)?;
        }
        return Ok(vec![]);
    }
    let class = config["tokenizer_class"].as_str().or_else(|| model["tokenizer_class"].as_str());
    if class.is_some_and(|class| NO_VOCABULARY.contains(&class)) {
        return Ok(vec![]);
    }
    let there: Vec<_> = VOCABULARIES
        .into_iter()
        .chain(NEED_A_PACKAGE)
        .filter(|name| files.state(&keywords.path_of(name)).is_present())
        .collect();
    if class == Some(GENERIC) && !there.contains(&"tokenizer.model") {
        return Err(
            missing_fault(&fast, &files.state(&fast)).unwrap_or_else(|| Fault::missing(fast))
        );
    }
    let Some(first) = there.first() else {
        return Err(match files.state(&fast) {
            FileState::Missing => Fault::missing(format!("no tokenizer, such as `{fast}`")),
            state => missing_fault(&fast, &state).unwrap_or_else(|| Fault::missing(fast)),
        });
    };
    let plain = class.map(|class| class.trim_end_matches("Fast"));
    if plain.is_some_and(|class| BYTE_PAIR_CLASSES.contains(&class))
        && let Some(missing) = BYTE_PAIR_FILES.iter().find(|name| !there.contains(*name))
    {
        return Err(Fault::missing(format!("no `{}`", keywords.path_of(missing))));
    }
    for name in &there {
        if let FileState::Present(size) = files.state(&keywords.path_of(name)) {
            Content::open(files, &keywords.path_of(name), size)?;
        }
    }
    if there.iter().all(|name| NEED_A_PACKAGE.contains(name)) {
        return Ok(vec![format!(
            "its tokenizer is `{first}` alone, without `{FAST}`: that takes a Python package, such as \
             `sentencepiece`, which the image `cpu` does not have"
        )]);
    }
    Ok(vec![])
}

/// Checks the first and last bytes of a `tokenizer.json`, which may have many megabytes.
fn check_fast(name: &str, mut content: Content) -> Result<(), Fault> {
    let (size, edge) = (content.size, 64);
    let tail = content.read_at(size.saturating_sub(edge), edge).unwrap_or_default();
    let first = content.head.iter().find(|byte| !byte.is_ascii_whitespace());
    let last = tail.iter().rev().find(|byte| !byte.is_ascii_whitespace());
    match (first, last) {
        (Some(b'{'), Some(b'}')) => Ok(()),
        (Some(b'{'), _) => Err(Fault::corrupt(format!("`{name}` is truncated"))),
        _ => Err(Fault::corrupt(format!("`{name}` is not JSON"))),
    }
}
