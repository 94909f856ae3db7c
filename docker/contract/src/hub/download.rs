//! Downloads without this program.

/// The commands of huggingface_hub that download a model, `ORG/NAME` or `ORG/NAME:FILE`, and a
/// dataset of the Hub.
pub fn hf_download(model: &str, revision: Option<&str>, dataset: Option<&str>) -> String {
    let (id, file) = model.split_once(':').unwrap_or((model, ""));
    let file = if file.is_empty() { String::new() } else { format!(" {file}") };
    let revision = revision.map(|revision| format!(" --revision {revision}")).unwrap_or_default();
    let dataset = dataset.filter(|id| !id.starts_with(['/', '.', '~']));
    let dataset = dataset.map(|id| format!(" and `hf download --repo-type dataset {id}`"));
    format!("`hf download {id}{file}{revision}`{}", dataset.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::hf_download;

    #[test]
    fn local_datasets_are_not_downloaded() {
        let full = hf_download("org/m:a.gguf", Some("v2"), Some("org/prompts"));
        let both = "`hf download org/m a.gguf --revision v2` and `hf download --repo-type dataset \
                    org/prompts`";
        assert_eq!(full, both);
        assert_eq!(hf_download("org/m", None, Some("./prompts.csv")), "`hf download org/m`");
    }
}
