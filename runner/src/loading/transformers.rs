//! What transformers needs of a model, in the order in which the adapter asks for it.

use super::{Files, Judged, Keywords, config, tokenizer, weights};

/// Judges a model for the backends `optimum` and `pytorch`.
///
/// # Errors
/// Why it cannot be loaded.
pub(crate) fn model(files: &impl Files, keywords: &Keywords) -> Judged {
    let (config, mut doubts) = config::check(files, keywords)?;
    if keywords.gguf.is_some() {
        return Ok(doubts);
    }
    doubts.extend(tokenizer::check(files, keywords, &config)?);
    doubts.extend(weights::check(files, keywords, &config)?);
    Ok(doubts)
}
