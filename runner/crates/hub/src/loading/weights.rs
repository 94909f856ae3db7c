//! Which weights transformers takes, and whether they are whole.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    content::{Content, absent},
    fault::{Fault, Verdict, shown},
    files::{Files, Look, base},
    json,
    keywords::Keywords,
    safetensors, torch_file,
};

/// How a file in safetensors ends.
const SAFE: &str = ".safetensors";
/// How an index of parts ends, before a variant's word.
const INDEX: &str = ".index.json";

/// Weights whole or in parts, in the order in which they are looked for.
const SAFETENSORS: [&str; 2] = ["model.safetensors", "model.safetensors.index.json"];
const PYTORCH: [&str; 2] = ["pytorch_model.bin", "pytorch_model.bin.index.json"];

/// Checks the weights of the model with this configuration. The answer is warnings.
///
/// # Errors
/// When they cannot be loaded.
pub(super) fn check(files: &impl Files, keywords: &Keywords, config: &Value) -> Verdict {
    let (file, is_index) = chosen(files, keywords, config)?;
    if !is_index {
        return whole(files, &file).map(|()| vec![]);
    }
    let parts = match json::must(files, &file)? {
        Some(index) => parts(&file, &index)?,
        None => return Ok(vec![]),
    };
    if parts.is_empty() {
        return Ok(vec![format!("`{file}` names no part, so the weights would be random")]);
    }
    let parts: Vec<_> = parts
        .iter()
        .map(|part| keywords.place(part.strip_prefix("./").unwrap_or(part)))
        // Where the others lead is for nobody to follow.
        .filter(|part| !part.split('/').any(|name| name == ".." || name.is_empty()))
        .collect();
    let faults = parts.iter().filter_map(|part| Some((part, absent(part, &files.look(part))?)));
    let (missing, faults): (Vec<&String>, Vec<Fault>) = faults.unzip();
    if let Some(first) = faults.into_iter().next() {
        return match missing.as_slice() {
            [_] => Err(first),
            _ => Err(Fault { what: format!("no {}", shown(missing)), ..first }),
        };
    }
    parts.iter().try_for_each(|part| whole(files, part))?;
    Ok(vec![])
}

/// The file that is loaded, and whether it is an index of parts.
fn chosen(
    files: &impl Files,
    keywords: &Keywords,
    config: &Value,
) -> Result<(String, bool), Fault> {
    if let Some(file) = config["transformers_weights"].as_str() {
        return Ok((keywords.place(file), file.ends_with(INDEX)));
    }
    let mut wanted = Vec::new();
    if keywords.use_safetensors != Some(false) {
        wanted.extend(SAFETENSORS);
    }
    if keywords.use_safetensors != Some(true) {
        wanted.extend(PYTORCH);
    }
    let wanted: Vec<_> = wanted
        .into_iter()
        .map(|name| (keywords.place(&varied(name, keywords)), name.ends_with(INDEX)))
        .collect();
    match wanted.iter().find(|(name, _)| files.look(name).is_there()) {
        Some(found) => Ok(found.clone()),
        None => Err(none(files, wanted.iter().map(|(name, _)| name))),
    }
}

/// The name with the variant in it: `model.fp16.safetensors`.
fn varied(name: &str, keywords: &Keywords) -> String {
    match (&keywords.variant, name.rsplit_once('.')) {
        (Some(variant), Some((stem, end))) => format!("{stem}.{variant}.{end}"),
        _ => name.to_owned(),
    }
}

/// Why there are no weights: what is there instead.
fn none<'a>(files: &impl Files, mut wanted: impl Iterator<Item = &'a String> + Clone) -> Fault {
    let first = wanted.clone().next().map_or("", |name| name.as_str());
    let instead = |name: &String| match files.look(name) {
        Look::There(_) | Look::Missing => None,
        look => absent(name, &look),
    };
    if let Some(fault) = wanted.find_map(instead) {
        return fault;
    }
    let names: Vec<_> =
        files.names().into_iter().filter(|name| files.look(name).is_there()).collect();
    let top = |name: &&String| !name.contains('/');
    let ends = |name: &&String| name.ends_with(SAFE) || name.ends_with(".bin");
    let weights: Vec<_> = names.iter().filter(ends).collect();
    let is_part = |name: &&&String| part(name).is_some();
    if let Some(part) = weights.iter().copied().filter(top).find(|name| is_part(&name)) {
        return Fault::absent(format!(
            "`{part}` is one part of the weights, and the index that names all of them is missing"
        ));
    }
    if let Some((name, variant)) =
        weights.iter().filter_map(|name| Some((name, variant(name)?))).next()
    {
        return Fault::said(format!(
            "its only weights are the variant `{name}`; add `backend.model_kwargs.variant={variant}`"
        ));
    }
    if names.iter().any(|name| name.to_lowercase().ends_with(".gguf")) {
        return Fault::said(format!(
            "no `{first}`: it has GGUF files, which the `native` backend loads"
        ));
    }
    let found: BTreeSet<_> = weights.into_iter().collect();
    let instead = match found.is_empty() {
        true => String::new(),
        false => format!("; transformers does not load {}", shown(found)),
    };
    Fault::absent(format!("no weights, such as `{first}`{instead}"))
}

/// The number of parts that a name tells: `model-00001-of-00002.safetensors` is of 2.
pub(super) fn part(name: &str) -> Option<u32> {
    let stem = base(name).rsplit_once('.')?.0;
    let (before, count) = stem.rsplit_once("-of-")?;
    let number = before.rsplit_once('-')?.1;
    let digits = |text: &str| text.len() == 5 && text.bytes().all(|byte| byte.is_ascii_digit());
    (digits(number) && digits(count)).then(|| count.parse().ok())?
}

/// The variant that a name tells: `model.fp16.safetensors` is `fp16`.
fn variant(name: &str) -> Option<&str> {
    let inner = name.strip_prefix("model.").and_then(|rest| rest.strip_suffix(SAFE));
    let inner = inner
        .or_else(|| name.strip_prefix("pytorch_model.").and_then(|rest| rest.strip_suffix(".bin")));
    inner.filter(|variant| !variant.is_empty() && !variant.contains('/'))
}

/// The parts that an index names.
fn parts(name: &str, index: &Value) -> Result<BTreeSet<String>, Fault> {
    let broken =
        |what: &str| Fault::damaged(format!("`{name}` is not an index of weights: {what}"));
    let map = index["weight_map"].as_object().ok_or_else(|| broken("it has no `weight_map`"))?;
    if !index["metadata"].is_object() {
        return Err(broken("it has no `metadata`, which transformers needs"));
    }
    map.values()
        .map(|part| part.as_str().map(str::to_owned).ok_or_else(|| broken("a part is not a name")))
        .collect()
}

/// Checks one file of weights.
fn whole(files: &impl Files, name: &str) -> Result<(), Fault> {
    let look = files.look(name);
    let Look::There(size) = look else { return absent(name, &look).map_or(Ok(()), Err) };
    match Content::open(files, name, size)? {
        None => Ok(()),
        Some(content) if name.ends_with(SAFE) => safetensors::check(name, content),
        Some(content) => torch_file::check(name, content),
    }
}
