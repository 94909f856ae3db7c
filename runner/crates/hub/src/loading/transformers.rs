//! What transformers needs of a model, in the order in which the adapter asks for it.

use super::{config, fault::Verdict, files::Files, keywords::Keywords, tokenizer, weights};

/// Checks a model for the backends `optimum` and `pytorch`.
///
/// # Errors
/// Why it cannot be loaded.
pub fn model(files: &impl Files, keywords: &Keywords) -> Verdict {
    let (config, mut warnings) = config::check(files, keywords)?;
    if keywords.gguf.is_some() {
        return Ok(warnings);
    }
    warnings.extend(tokenizer::check(files, keywords, &config)?);
    warnings.extend(weights::check(files, keywords, &config)?);
    Ok(warnings)
}
