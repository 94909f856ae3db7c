//! Which weights transformers loads, and whether they are complete.

mod safetensors;
mod torch_file;

use std::collections::BTreeSet;

use serde_json::Value;

use crate::loading::{
    content::{Content, missing_fault},
    fault::{Fault, Verdict, list_names},
    files::{FileState, Files, shard_total},
    json,
    keywords::Keywords,
};

/// The extension of safetensors files.
const SAFE: &str = ".safetensors";
/// The ending of an index that lists the shards.
const INDEX: &str = ".index.json";

/// One file or the index of its shards, in the order in which transformers looks for them.
const SAFETENSORS: [&str; 2] = ["model.safetensors", "model.safetensors.index.json"];
const PYTORCH: [&str; 2] = ["pytorch_model.bin", "pytorch_model.bin.index.json"];

/// Checks the weights of the model with this configuration.
///
/// # Errors
/// When they cannot be loaded.
pub(super) fn check(files: &impl Files, keywords: &Keywords, config: &Value) -> Verdict {
    let (file, is_index) = select(files, keywords, config)?;
    if !is_index {
        return check_file(files, &file).map(|()| vec![]);
    }
    let shards = match json::required(files, &file)? {
        Some(index) => shards(&file, &index)?,
        None => return Ok(vec![]),
    };
    if shards.is_empty() {
        return Ok(vec![format!("`{file}` names no part, so the weights would be random")]);
    }
    let shards: Vec<_> = shards
        .iter()
        .map(|shard| keywords.path_of(shard.strip_prefix("./").unwrap_or(shard)))
        // Paths out of the folder are not opened.
        .filter(|shard| !shard.split('/').any(|name| name == ".." || name.is_empty()))
        .collect();
    let faults =
        shards.iter().filter_map(|shard| Some((shard, missing_fault(shard, &files.state(shard))?)));
    let (missing, faults): (Vec<&String>, Vec<Fault>) = faults.unzip();
    if let Some(first) = faults.into_iter().next() {
        return match missing.as_slice() {
            [_] => Err(first),
            _ => Err(Fault { message: format!("no {}", list_names(missing)), ..first }),
        };
    }
    shards.iter().try_for_each(|shard| check_file(files, shard))?;
    Ok(vec![])
}

/// The file that transformers loads, and whether it is an index of shards.
fn select(
    files: &impl Files,
    keywords: &Keywords,
    config: &Value,
) -> Result<(String, bool), Fault> {
    if let Some(file) = config["transformers_weights"].as_str() {
        return Ok((keywords.path_of(file), file.ends_with(INDEX)));
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
        .map(|name| (keywords.path_of(&with_variant(name, keywords)), name.ends_with(INDEX)))
        .collect();
    match wanted.iter().find(|(name, _)| files.state(name).is_present()) {
        Some(found) => Ok(found.clone()),
        None => Err(no_weights(files, wanted.iter().map(|(name, _)| name))),
    }
}

/// The name with the variant, such as `model.fp16.safetensors`.
fn with_variant(name: &str, keywords: &Keywords) -> String {
    match (&keywords.variant, name.rsplit_once('.')) {
        (Some(variant), Some((stem, end))) => format!("{stem}.{variant}.{end}"),
        _ => name.to_owned(),
    }
}

/// The reason why no weights are found, by the files that exist instead.
fn no_weights<'a>(
    files: &impl Files,
    mut wanted: impl Iterator<Item = &'a String> + Clone,
) -> Fault {
    let first = wanted.clone().next().map_or("", |name| name.as_str());
    let instead = |name: &String| match files.state(name) {
        FileState::Present(_) | FileState::Missing => None,
        state => missing_fault(name, &state),
    };
    if let Some(fault) = wanted.find_map(instead) {
        return fault;
    }
    let names: Vec<_> =
        files.names().into_iter().filter(|name| files.state(name).is_present()).collect();
    let top = |name: &&String| !name.contains('/');
    let ends = |name: &&String| name.ends_with(SAFE) || name.ends_with(".bin");
    let weights: Vec<_> = names.iter().filter(ends).collect();
    let is_shard = |name: &&String| shard_total(name).is_some();
    if let Some(shard) = weights.iter().copied().filter(top).find(is_shard) {
        return Fault::missing(format!(
            "`{shard}` is one part of the weights, and the index that names all of them is missing"
        ));
    }
    if let Some((name, variant)) =
        weights.iter().filter_map(|name| Some((name, variant(name)?))).next()
    {
        return Fault::explained(format!(
            "its only weights are the variant `{name}`; add `backend.model_kwargs.variant={variant}`"
        ));
    }
    if names.iter().any(|name| name.to_lowercase().ends_with(".gguf")) {
        return Fault::explained(format!(
            "no `{first}`: it has GGUF files, which the `native` backend loads"
        ));
    }
    let found: BTreeSet<_> = weights.into_iter().collect();
    let instead = match found.is_empty() {
        true => String::new(),
        false => format!("; transformers does not load {}", list_names(found)),
    };
    Fault::missing(format!("no weights, such as `{first}`{instead}"))
}

/// The variant in a file name: `fp16` for `model.fp16.safetensors`.
fn variant(name: &str) -> Option<&str> {
    let inner = name.strip_prefix("model.").and_then(|rest| rest.strip_suffix(SAFE));
    let inner = inner
        .or_else(|| name.strip_prefix("pytorch_model.").and_then(|rest| rest.strip_suffix(".bin")));
    inner.filter(|variant| !variant.is_empty() && !variant.contains('/'))
}

/// The shards that an index lists.
fn shards(name: &str, index: &Value) -> Result<BTreeSet<String>, Fault> {
    let broken =
        |what: &str| Fault::corrupt(format!("`{name}` is not an index of weights: {what}"));
    let map = index["weight_map"].as_object().ok_or_else(|| broken("it has no `weight_map`"))?;
    if !index["metadata"].is_object() {
        return Err(broken("it has no `metadata`, which transformers needs"));
    }
    map.values()
        .map(|shard| {
            shard.as_str().map(str::to_owned).ok_or_else(|| broken("a part is not a name"))
        })
        .collect()
}

/// Checks one file of weights.
fn check_file(files: &impl Files, name: &str) -> Result<(), Fault> {
    let state = files.state(name);
    let FileState::Present(size) = state else {
        return missing_fault(name, &state).map_or(Ok(()), Err);
    };
    match Content::open(files, name, size)? {
        None => Ok(()),
        Some(content) if name.ends_with(SAFE) => safetensors::check(name, content),
        Some(content) => torch_file::check(name, content),
    }
}
