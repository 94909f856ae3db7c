//! What transformers needs of a model, checked in the order in which it loads the parts.

mod code;
mod config;
mod tokenizer;
mod weights;

use crate::loading::{fault::Verdict, files::Files, keywords::Keywords};

/// Checks a model for the backends `optimum` and `pytorch`.
///
/// # Errors
/// Why it cannot be loaded.
pub fn check(files: &impl Files, keywords: &Keywords) -> Verdict {
    let (config, mut warnings) = config::check(files, keywords)?;
    if keywords.gguf.is_some() {
        return Ok(warnings);
    }
    warnings.extend(tokenizer::check(files, keywords, &config)?);
    warnings.extend(weights::check(files, keywords, &config)?);
    Ok(warnings)
}
