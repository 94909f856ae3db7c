//! The prompts of a run out of a dataset: a file, or a dataset of the Hub cache that has one split.
//!
//! Of these the Python stacks take the same prompts in the same order (`docker/adapter/dataset.py`);
//! `tests/it/datasets.rs` compares the two. What only `datasets` can read is refused.

mod cached;
mod csv;
mod json;
mod parquet;

use std::{fs::File, io, path::Path};

use anyhow::{Context as _, bail, ensure};
use contract::{
    argument::{COLUMN, DATASET, DATASET_CONFIG, NUM_SAMPLES, SPLIT},
    hub::data_files::EXTENSIONS,
};
use untrusted::Refused;

use super::{hub, prompts::Prompts};
use crate::arguments::Settings;

/// Bytes of the largest file that is read as a whole.
const LARGEST: u64 = 2 << 30;

/// The column of one file: a cell per row, none where it is empty.
type Column = Vec<Option<String>>;

/// Reads the dataset that `settings` name; empty prompts are left out, as the stacks do.
pub(crate) fn load(settings: &Settings, name: &str, cache: &Path) -> anyhow::Result<Prompts> {
    let said = |key| settings.text(key).unwrap_or_default();
    let (split, column) = (said(SPLIT), said(COLUMN));
    let rows = rows(name, settings.text(DATASET_CONFIG), split, column, cache)
        .with_context(|| format!("reading the dataset `{DATASET}={name}`"))?;
    let texts = rows.into_iter().flatten().filter(|text| !is_blank(text)).collect();
    Prompts::of(texts, settings).with_context(|| {
        format!("the dataset `{name}` has no prompt in its column `{column}`, split `{split}`")
    })
}

/// What a file of rows is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Values with commas between.
    Csv,
    /// JSON, or an object per line.
    Json,
    /// Parquet.
    Parquet,
}

impl Kind {
    /// The kind of a file, by its name.
    fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_lowercase().as_str() {
            "csv" => Some(Self::Csv),
            "json" | "jsonl" => Some(Self::Json),
            "parquet" => Some(Self::Parquet),
            _ => None,
        }
    }
}

/// The cells of the column in the rows of a split.
fn rows(
    name: &str,
    config: Option<&str>,
    split: &str,
    column: &str,
    cache: &Path,
) -> anyhow::Result<Column> {
    ensure!(
        !split.is_empty() && split.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '.'),
        "`{SPLIT}={split}`: the `native` backend reads one whole split; choose how many of its prompts \
         run with `{NUM_SAMPLES}=`"
    );
    let path = Path::new(name);
    let kind = Kind::of(path);
    let file = match untrusted::file(path) {
        Ok(file) => file,
        Err(error) if is_no_file(&error) => {
            return Err(error).with_context(|| format!("opening `{name}`"));
        }
        Err(_) if path.is_dir() => bail!(
            "it is a folder, and the `native` backend reads a file, or a dataset of the Hub cache; \
             give one of its files"
        ),
        Err(_) => {
            ensure!(
                !name.starts_with(['.', '/', '~']) && kind.is_none() && hub::is_hub_id(name),
                "no such file or folder, and no Hub id of the form ORG/REPO; in a container only \
                 mounted ones are seen (the runner mounts a path that is given as `./NAME` or `/NAME`)"
            );
            return cached::column(name, config, split, column, cache);
        }
    };
    let kind =
        kind.with_context(|| format!("`{name}`: a file must end in .{}", EXTENSIONS.join(", .")))?;
    if let Some(config) = config {
        bail!(
            "`{DATASET_CONFIG}={config}`: the dataset is a file, which has no configurations; leave it \
             out"
        );
    }
    // Whatever the split is called, the file is the whole.
    read(path, Ok(file), kind, column)
}

/// Whether something is there that no program should read: neither a file nor a folder.
fn is_no_file(error: &io::Error) -> bool {
    Refused::of(error).is_some_and(|why| why != Refused::NotAFile(untrusted::Kind::Folder))
}

/// The cells of a column of `file`, which is at `path`.
fn read(path: &Path, file: io::Result<File>, kind: Kind, column: &str) -> anyhow::Result<Column> {
    let file = match file {
        Err(error) if error.kind() == io::ErrorKind::NotFound => bail!(
            "`{}` points to a blob that is not there; the download was not finished",
            path.display()
        ),
        Err(error) if Refused::of(&error) == Some(Refused::Symlink) => bail!(
            "`{}` is a symlink to something other than a blob of its repo, which is not followed",
            path.display()
        ),
        file => file,
    };
    let cells = || match kind {
        Kind::Csv => csv::column(&untrusted::bytes(file?, LARGEST)?, column),
        Kind::Json => json::column(&untrusted::bytes(file?, LARGEST)?, column),
        Kind::Parquet => parquet::column(file?, column),
    };
    cells().with_context(|| format!("reading `{}`", path.display()))
}

/// That there is no such column.
fn no_column<'a>(column: &str, others: impl Iterator<Item = &'a str>) -> anyhow::Error {
    let others: Vec<_> = others.map(|other| format!("`{other}`")).collect();
    anyhow::anyhow!(
        "it has no column `{column}`; it has {}: choose one with `{COLUMN}=`",
        others.join(", ")
    )
}

/// That the column does not hold texts.
fn no_texts(column: &str, what: &str) -> anyhow::Error {
    anyhow::anyhow!(
        "its column `{column}` holds {what}, not texts; choose another with `{COLUMN}=`"
    )
}

/// Whether Python would strip everything: its spaces are Unicode's, and four separators.
fn is_blank(text: &str) -> bool {
    text.chars().all(|c| c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c))
}

/// A text without the mark of its encoding.
fn utf8(bytes: &[u8]) -> anyhow::Result<&str> {
    let text = std::str::from_utf8(bytes).context(
        "it is not UTF-8; save it as that, as with `iconv --from-code LATIN1 --to-code UTF-8`",
    )?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
