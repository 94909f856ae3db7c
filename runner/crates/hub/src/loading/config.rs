//! What the model is: its `config.json`.

use serde_json::Value;

use super::{code, fault::Fault, files::Files, json, keywords::Keywords};

/// The model's configuration.
pub(super) const CONFIG: &str = "config.json";

/// What an adapter of another model has instead.
const ADAPTER: &str = "adapter_config.json";

/// The name of the class that loads the task's models.
const LOADER: &str = "AutoModelForCausalLM";

/// Checks the configuration and the code that it names. What it holds, and the warnings.
///
/// # Errors
/// When it cannot be loaded.
pub(super) fn check(
    files: &impl Files,
    keywords: &Keywords,
) -> Result<(Value, Vec<String>), Fault> {
    let place = keywords.place(CONFIG);
    for name in [CONFIG, &place] {
        if !files.look(name).is_there() && files.look(ADAPTER).is_there() {
            return Err(Fault::said(format!(
                "it is an adapter (`{ADAPTER}`), not a whole model; merge it into its base model and \
                 save that"
            )));
        }
        json::must(files, name)?;
    }
    let Some(config) = json::must(files, &place)? else { return Ok((Value::Null, vec![])) };
    if !config.is_object() {
        return Err(Fault::damaged(format!("`{place}` does not hold a JSON object")));
    }
    if config["is_encoder_decoder"] == true {
        return Err(Fault::said(
            "it is an encoder-decoder model, and the task `text-generation` takes models that \
             continue a text; choose another model",
        ));
    }
    let mut warnings = own_code(files, keywords, &config)?;
    if config["model_type"].is_null() && config["auto_map"].is_null() {
        warnings.push(format!(
            "`{place}` has no `model_type`, so transformers guesses it by the name of the model"
        ));
    }
    Ok((config, warnings))
}

/// Checks the code that the configuration names for itself and the model.
fn own_code(files: &impl Files, keywords: &Keywords, config: &Value) -> Result<Vec<String>, Fault> {
    let named = |loader: &str| config["auto_map"][loader].as_str();
    if keywords.trust {
        let names = ["AutoConfig", LOADER].map(named).into_iter().flatten();
        return code::check(files, names);
    }
    if named("AutoConfig").is_none() {
        return Ok(vec![]);
    }
    match config["model_type"].as_str() {
        None => Err(Fault::said(
            "it needs code of its own repository, which runs only with \
             `backend.model_kwargs.trust_remote_code=True`; read that code before",
        )),
        Some(kind) => Ok(vec![format!(
            "it comes with code of its own, and loads without \
             `backend.model_kwargs.trust_remote_code=True` only if transformers knows its type `{kind}`"
        )]),
    }
}
