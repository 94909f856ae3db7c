//! Reads a dataset of the Hub cache that has one split.

use std::{io, path::Path};

use anyhow::{Context as _, bail, ensure};
use contract::{
    argument::{DATASET_CONFIG, SPLIT},
    hub::data_files,
};
use untrusted::Refused;

use super::{
    column::Column,
    file::{self, Format},
};
use crate::native::hub;

/// Name of the dataset card.
const CARD: &str = "README.md";

/// Size limit of the card, in bytes.
const LARGEST: u64 = 32 << 20;

/// The cells of `column` in a split of the dataset `id`.
pub(super) fn column(
    id: &str,
    config: Option<&str>,
    split: &str,
    column: &str,
    cache: &Path,
) -> anyhow::Result<Column> {
    let download = format!("hf download --repo-type dataset {id}");
    let snapshot = hub::snapshot("datasets", id, &download, cache)?;
    let shown = snapshot.path.display();
    let mut files = snapshot.files().with_context(|| format!("reading the snapshot `{shown}`"))?;
    files.retain(|name| data_files::is_data_file(name));
    ensure!(
        !files.is_empty(),
        "`{shown}` has no file that ends in .{}",
        data_files::EXTENSIONS.join(", .")
    );
    if let Some(missing) = data_files::missing_shards(&files) {
        bail!("{missing}; download all of it");
    }
    let named = data_files::single_split(&files).map_err(anyhow::Error::msg)?;
    let card = match snapshot.open(CARD).and_then(|card| untrusted::bytes(card, LARGEST)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => vec![],
        card => card.with_context(|| format!("reading its `{CARD}`"))?,
    };
    let card = String::from_utf8_lossy(&card);
    let found = split_in_card(&card, &files, config)?.unwrap_or(named);
    ensure!(
        found == split,
        "it has no split `{split}`; it has `{found}`: ask for it with `{SPLIT}={found}`"
    );
    let mut cells = Column::new();
    for name in &files {
        let format = Format::of(Path::new(name));
        let format = format.with_context(|| format!("`{name}` is compressed; unpack it"))?;
        let path = snapshot.path.join(name);
        let shown = path.display();
        let file = match snapshot.open(name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                bail!("`{shown}` points to a blob that is not there; the download was not finished")
            }
            Err(error) if Refused::of(&error) == Some(Refused::Symlink) => bail!(
                "`{shown}` is a symlink to something other than a blob of its repo, which is not followed"
            ),
            file => file.with_context(|| format!("reading `{shown}`"))?,
        };
        cells.extend(file::read(&path, file, format, column)?);
    }
    Ok(cells)
}

/// The split that `card` assigns to `files`, if it describes any. Its YAML is only searched for
/// values, so a card that says more than the file names do is refused.
fn split_in_card<'a>(
    card: &'a str,
    files: &[String],
    config: Option<&str>,
) -> anyhow::Result<Option<&'a str>> {
    let header = card.strip_prefix("---").and_then(|rest| rest.split_once("\n---"));
    let header = header.map_or("", |(header, _)| header);
    let values = |key: &str| {
        let value = |line: &'a str| {
            let line = line.trim().trim_start_matches("- ");
            let value = line.strip_prefix(key)?.strip_prefix(':')?;
            Some(value.trim().trim_matches(['"', '\'']))
        };
        let mut values: Vec<_> = header.lines().filter_map(value).collect();
        values.sort_unstable();
        values.dedup();
        values
    };
    let (configs, splits) = (values("config_name"), values("split"));
    for (what, values) in [("configurations", &configs), ("splits", &splits)] {
        ensure!(
            values.len() <= 1,
            "its `{CARD}` describes several {what} (`{}`), and the `native` backend reads datasets of \
             one; give one of its files by its path",
            values.join("`, `")
        );
    }
    let only = configs.first().copied().unwrap_or("default");
    if let Some(config) = config.filter(|config| *config != only) {
        bail!("`{DATASET_CONFIG}={config}`: it has no such configuration; it has `{only}`");
    }
    let patterns = [values("path"), values("data_files")].concat();
    for pattern in patterns {
        let begin = pattern.split(['*', '?', '[']).next().unwrap_or_default();
        ensure!(
            files.iter().all(|file| file.starts_with(begin)),
            "its `{CARD}` describes rows in `{pattern}`, and others are here (`{}`), which the \
             `native` backend does not tell apart; give one of its files by its path",
            files.join("`, `")
        );
    }
    Ok(splits.first().copied())
}

#[cfg(test)]
mod tests {
    use super::split_in_card;

    const CARD: &str = "---\nlicense: mit\ndataset_info:\n  features:\n  - name: text\n    dtype: \
                         string\n  splits:\n  - name: train\nconfigs:\n- config_name: default\n  \
                         data_files:\n  - split: train\n    path: data/train-*\n---\n# split: no\n";

    fn split<'a>(card: &'a str, config: Option<&str>) -> Result<Option<&'a str>, String> {
        let files = ["data/train-00000-of-00001.parquet".to_owned()];
        split_in_card(card, &files, config).map_err(|error| error.to_string())
    }

    #[test]
    fn split_is_read_from_the_card() {
        for card in [CARD, &CARD.replace('\n', "\r\n")] {
            assert_eq!(split(card, None), Ok(Some("train")));
            assert_eq!(split(card, Some("default")), Ok(Some("train")));
        }
        let error = split(CARD, Some("x")).unwrap_err();
        assert!(error.ends_with("no such configuration; it has `default`"), "{error}");
        for nothing in ["", "# split: no\n", "---\nlicense: mit\n---\nsplit: no\n"] {
            assert_eq!(split(nothing, None), Ok(None), "{nothing}");
        }
    }

    #[test]
    fn several_splits_or_configurations_are_refused() {
        for (more, said) in [
            ("- config_name: small\n  data_files: data/train-*\n", "several configurations"),
            ("  - split: test\n    path: data/train-*\n", "several splits (`test`, `train`)"),
        ] {
            let card = CARD.replace("\n---\n#", &format!("\n{more}---\n#"));
            let error = split(&card, None).unwrap_err();
            assert!(error.contains(said) && error.contains("the `native` backend"), "{error}");
        }
        let error = split(&CARD.replace("data/train-*", "data/test.csv"), None).unwrap_err();
        assert!(error.contains("rows in `data/test.csv`"), "{error}");
    }
}
