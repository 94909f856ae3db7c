//! The model's `config.json`.

use serde_json::Value;

use super::code;
use crate::loading::{
    fault::{Fault, Verdict},
    files::Files,
    json,
    keywords::Keywords,
};

/// The file name of the model's configuration.
const CONFIG: &str = "config.json";

/// The configuration of an adapter (LoRA), which is not a whole model.
const ADAPTER: &str = "adapter_config.json";

/// The transformers class that loads models for text generation.
const LOADER: &str = "AutoModelForCausalLM";

/// Reads the configuration and checks the code that it names. Returns the configuration and warnings.
///
/// # Errors
/// When it cannot be loaded.
pub(super) fn check(
    files: &impl Files,
    keywords: &Keywords,
) -> Result<(Value, Vec<String>), Fault> {
    let path = keywords.path_of(CONFIG);
    for name in [CONFIG, &path] {
        if !files.state(name).is_present() && files.state(ADAPTER).is_present() {
            return Err(Fault::explained(format!(
                "it is an adapter (`{ADAPTER}`), not a whole model; merge it into its base model and \
                 save that"
            )));
        }
        json::required(files, name)?;
    }
    let Some(config) = json::required(files, &path)? else { return Ok((Value::Null, vec![])) };
    if !config.is_object() {
        return Err(Fault::corrupt(format!("`{path}` does not hold a JSON object")));
    }
    if config["is_encoder_decoder"] == true {
        return Err(Fault::explained(
            "it is an encoder-decoder model, and the task `text-generation` takes models that \
             continue a text; choose another model",
        ));
    }
    let mut warnings = own_code(files, keywords, &config)?;
    if config["model_type"].is_null() && config["auto_map"].is_null() {
        warnings.push(format!(
            "`{path}` has no `model_type`, so transformers guesses it by the name of the model"
        ));
    }
    Ok((config, warnings))
}

/// Checks the Python code that `auto_map` names for the configuration and the model.
fn own_code(files: &impl Files, keywords: &Keywords, config: &Value) -> Verdict {
    let named = |loader: &str| config["auto_map"][loader].as_str();
    if keywords.trust {
        let names = ["AutoConfig", LOADER].map(named).into_iter().flatten();
        return code::check(files, names);
    }
    if named("AutoConfig").is_none() {
        return Ok(vec![]);
    }
    match config["model_type"].as_str() {
        None => Err(Fault::explained(
            "it needs code of its own repository, which runs only with \
             `backend.model_kwargs.trust_remote_code=True`; read that code before",
        )),
        Some(kind) => Ok(vec![format!(
            "it comes with code of its own, and loads without \
             `backend.model_kwargs.trust_remote_code=True` only if transformers knows its type `{kind}`"
        )]),
    }
}
