//! What a dataset's README says of its configurations.

use anyhow::{Context as _, bail, ensure};
use contract::argument::DATASET_CONFIG;
use serde::Deserialize;
use serde_yaml_ng::Value;

/// The file.
pub(super) const CARD: &str = "README.md";

/// Keys of a configuration that change nothing about its rows.
const HARMLESS: [&str; 3] = ["version", "description", "drop_labels"];

/// One configuration.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct Config {
    config_name: String,
    #[serde(default)]
    default: bool,
    #[serde(default)]
    data_files: Option<Files>,
    #[serde(default)]
    data_dir: Option<String>,
    #[serde(flatten)]
    others: serde_yaml_ng::Mapping,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
enum Files {
    One(String),
    Some(Vec<String>),
    Splits(Vec<OfSplit>),
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
struct OfSplit {
    split: String,
    path: Paths,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
enum Paths {
    One(String),
    Some(Vec<String>),
}

/// Where a configuration's rows are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// The patterns of each split's files.
    Patterns(Vec<(String, Vec<String>)>),
    /// A folder in the dataset, whose names tell the splits.
    Folder(String),
}

/// Where the rows of the configuration `asked` are, or of the one that is taken when none is asked
/// for; none when the card has no configurations.
pub(super) fn place(card: &str, asked: Option<&str>) -> anyhow::Result<Option<Place>> {
    let configs = match front_matter(card) {
        Some(text) => configs(text)?,
        None => vec![],
    };
    if configs.is_empty() {
        return Ok(None);
    }
    let known = || configs.iter().map(|config| format!("`{}`", config.config_name));
    let known = || known().collect::<Vec<_>>().join(", ");
    let config = match (asked, configs.as_slice()) {
        (None, [only]) => only,
        (None, _) => configs
            .iter()
            .find(|config| config.default)
            .or_else(|| configs.iter().find(|config| config.config_name == "default"))
            .with_context(|| {
                format!(
                    "it has several configurations; choose one with `{DATASET_CONFIG}=`: {}",
                    known()
                )
            })?,
        (Some(asked), _) => {
            let found = configs.iter().find(|config| config.config_name == asked);
            found
                .with_context(|| format!("it has no configuration `{asked}`; it has {}", known()))?
        }
    };
    config.place().map(Some)
}

impl Config {
    fn place(&self) -> anyhow::Result<Place> {
        let Self { config_name, default: _, data_files, data_dir, others } = self;
        let keys = others.keys().filter_map(Value::as_str);
        if let Some(key) = keys.into_iter().find(|key| !HARMLESS.contains(key)) {
            bail!(
                "its configuration `{config_name}` sets `{key}`, which the `native` backend does not \
                 know; name one of its files instead"
            );
        }
        let train = |files: Vec<String>| vec![("train".to_owned(), files)];
        Ok(match data_files.clone() {
            None => Place::Folder(data_dir.clone().unwrap_or_default()),
            Some(_) if data_dir.is_some() => {
                bail!("its configuration `{config_name}` has `data_dir` beside `data_files`")
            }
            Some(Files::One(file)) => Place::Patterns(train(vec![file])),
            Some(Files::Some(files)) => Place::Patterns(train(files)),
            Some(Files::Splits(splits)) => {
                let splits = splits.into_iter().map(|OfSplit { split, path }| match path {
                    Paths::One(path) => (split, vec![path]),
                    Paths::Some(paths) => (split, paths),
                });
                Place::Patterns(splits.collect())
            }
        })
    }
}

/// What stands between the two lines `---` at the beginning.
fn front_matter(card: &str) -> Option<&str> {
    let text = card.trim_start().strip_prefix("---")?;
    let text = text.strip_prefix('\r').unwrap_or(text).strip_prefix('\n')?;
    let end = text.match_indices("\n---").map(|(at, _)| at).find(|at| {
        let after = &text[at + 4..];
        after.is_empty() || after.starts_with(['\r', '\n'])
    })?;
    Some(&text[..end])
}

fn configs(text: &str) -> anyhow::Result<Vec<Config>> {
    let whole: Value = serde_yaml_ng::from_str(text)
        .with_context(|| format!("its `{CARD}` does not begin with YAML that can be read"))?;
    let Some(configs) = whole.get("configs") else { return Ok(vec![]) };
    ensure!(configs.is_sequence(), "`configs` in its `{CARD}` is no list");
    let configs = Vec::<Config>::deserialize(configs);
    configs.with_context(|| format!("`configs` in its `{CARD}` are not what they should be"))
}

#[cfg(test)]
mod tests {
    use super::{Place, place};

    const USUAL: &str = "---\nlicense: mit\ndataset_info:\n  features:\n  - name: text\n    dtype: \
                         string\nconfigs:\n- config_name: default\n  data_files:\n  - split: train\n    \
                         path: data/train-*\n  - split: test\n    path: [a.csv, b.csv]\n---\n# About\n";

    #[test]
    fn the_only_configuration_is_taken_unasked() {
        let patterns = |split: &str, paths: &[&str]| {
            (split.to_owned(), paths.iter().map(|path| (*path).to_owned()).collect())
        };
        let expected = Place::Patterns(vec![
            patterns("train", &["data/train-*"]),
            patterns("test", &["a.csv", "b.csv"]),
        ]);
        assert_eq!(place(USUAL, None).unwrap(), Some(expected.clone()));
        assert_eq!(place(&USUAL.replace('\n', "\r\n"), Some("default")).unwrap(), Some(expected));
        let error = place(USUAL, Some("x")).unwrap_err().to_string();
        assert_eq!(error, "it has no configuration `x`; it has `default`");
        for none in ["", "# About\n", "---\nlicense: mit\n---\n", "--- \n"] {
            assert_eq!(place(none, None).unwrap(), None, "{none}");
        }
    }

    #[test]
    fn of_several_the_default_is_taken_or_one_must_be_chosen() {
        let card = |more: &str| {
            format!(
                "---\nconfigs:\n- config_name: a\n  data_files: a.csv\n- config_name: b\n{more}  \
                 data_dir: b\n---"
            )
        };
        let error = place(&card(""), None).unwrap_err().to_string();
        assert!(error.ends_with("choose one with `scenario.dataset_config=`: `a`, `b`"), "{error}");
        let chosen = place(&card("  default: true\n"), None).unwrap();
        assert_eq!(chosen, Some(Place::Folder("b".to_owned())));
        let error = place(&card("  sep: ';'\n"), Some("b")).unwrap_err().to_string();
        assert!(error.starts_with("its configuration `b` sets `sep`"), "{error}");
        let error = format!("{:#}", place("---\nconfigs: {a: 1}\n---\n", None).unwrap_err());
        assert!(error.contains("is no list"), "{error}");
        let error = format!("{:#}", place("---\na: [\n---\n", None).unwrap_err());
        assert!(error.contains("YAML"), "{error}");
    }
}
