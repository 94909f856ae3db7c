//! Whether a tokenizer can be made of the files that are there.

use serde_json::Value;

use super::{
    code,
    content::{Content, absent},
    fault::Fault,
    files::{Files, Look},
    json,
    keywords::Keywords,
};

/// The whole tokenizer.
const WHOLE: &str = "tokenizer.json";
/// What the tokenizer is.
const CONFIG: &str = "tokenizer_config.json";

/// The files of which transformers makes tokenizers without [`WHOLE`].
const VOCABULARIES: [&str; 20] = [
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "tokenizer.model",
    "spiece.model",
    "sentencepiece.bpe.model",
    "sentencepiece.model",
    "spm.model",
    "tekken.json",
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

/// Vocabularies that take a library which not every image has.
const OF_LIBRARIES: [&str; 6] = [
    "tokenizer.model",
    "spiece.model",
    "sentencepiece.bpe.model",
    "sentencepiece.model",
    "spm.model",
    "tekken.json",
];

/// What a tokenizer of byte pairs is made of, and which ones those are.
const PAIR: [&str; 2] = ["vocab.json", "merges.txt"];
const PAIRED: [&str; 5] =
    ["GPT2Tokenizer", "Qwen2Tokenizer", "RobertaTokenizer", "BartTokenizer", "CodeGenTokenizer"];

/// The tokenizer of no model in particular.
const GENERIC: &str = "PreTrainedTokenizerFast";

/// Tokenizers of bytes or characters, which need no vocabulary.
const WITHOUT: [&str; 4] =
    ["ByT5Tokenizer", "CanineTokenizer", "DiaTokenizer", "PerceiverTokenizer"];

/// Checks the tokenizer of the model with this configuration. The answer is warnings.
///
/// # Errors
/// When it cannot be loaded.
pub(super) fn check(
    files: &impl Files,
    keywords: &Keywords,
    model: &Value,
) -> Result<Vec<String>, Fault> {
    let config = json::if_there(files, &keywords.place(CONFIG))?.unwrap_or_default();
    if keywords.trust {
        let own = [&config, model].map(|config| &config["auto_map"]["AutoTokenizer"]);
        // A pair: one in Python, and a fast one.
        let classes = own.into_iter().find(|own| !own.is_null());
        if let Some(classes) = classes {
            let fast =
                classes.as_str().or_else(|| classes[1].as_str().or_else(|| classes[0].as_str()));
            return code::check(files, fast.into_iter());
        }
    }
    let whole = keywords.place(WHOLE);
    if let Look::There(size) = files.look(&whole) {
        if let Some(content) = Content::open(files, &whole, size)? {
            check_whole(&whole, content)?;
        }
        return Ok(vec![]);
    }
    let class = config["tokenizer_class"].as_str().or_else(|| model["tokenizer_class"].as_str());
    if class.is_some_and(|class| WITHOUT.contains(&class)) {
        return Ok(vec![]);
    }
    let there: Vec<_> = VOCABULARIES
        .into_iter()
        .filter(|name| files.look(&keywords.place(name)).is_there())
        .collect();
    if class == Some(GENERIC) && !there.contains(&"tokenizer.model") {
        return Err(absent(&whole, &files.look(&whole)).unwrap_or_else(|| Fault::absent(whole)));
    }
    let Some(first) = there.first() else {
        return Err(match files.look(&whole) {
            Look::Missing => Fault::absent(format!("no tokenizer, such as `{whole}`")),
            look => absent(&whole, &look).unwrap_or_else(|| Fault::absent(whole)),
        });
    };
    let plain = class.map(|class| class.trim_end_matches("Fast"));
    if plain.is_some_and(|class| PAIRED.contains(&class))
        && let Some(missing) = PAIR.iter().find(|name| !there.contains(*name))
    {
        return Err(Fault::absent(format!("no `{}`", keywords.place(missing))));
    }
    for name in &there {
        if let Look::There(size) = files.look(&keywords.place(name)) {
            Content::open(files, &keywords.place(name), size)?;
        }
    }
    if there.iter().all(|name| OF_LIBRARIES.contains(name)) {
        return Ok(vec![format!(
            "its tokenizer is `{first}` alone, without `{WHOLE}`: that takes a Python package, such as \
             `sentencepiece`, which the image `cpu` does not have"
        )]);
    }
    Ok(vec![])
}

/// Checks the ends of a whole tokenizer, which may have many megabytes.
fn check_whole(name: &str, mut content: Content) -> Result<(), Fault> {
    let (size, edge) = (content.size, 64);
    let tail = content.at(size.saturating_sub(edge), edge).unwrap_or_default();
    let first = content.head.iter().find(|byte| !byte.is_ascii_whitespace());
    let last = tail.iter().rev().find(|byte| !byte.is_ascii_whitespace());
    match (first, last) {
        (Some(b'{'), Some(b'}')) => Ok(()),
        (Some(b'{'), _) => Err(Fault::damaged(format!("`{name}` is truncated"))),
        _ => Err(Fault::damaged(format!("`{name}` is not JSON"))),
    }
}
