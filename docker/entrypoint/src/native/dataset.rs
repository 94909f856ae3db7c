//! Prompts of a dataset: a file, or a dataset of the Hub cache that has one split.
//!
//! The Python stacks take the same prompts in the same order (`docker/adapter/dataset.py`), which
//! `tests/it/datasets.rs` checks. Formats that only the `datasets` library reads are refused.

mod cached;
mod column;
mod csv;
mod file;
mod json;
mod parquet;

use std::{io, path::Path};

use anyhow::{Context as _, bail, ensure};
use contract::{
    argument::{COLUMN, DATASET, DATASET_CONFIG, NUM_SAMPLES, SPLIT},
    hub::data_files::EXTENSIONS,
};
use untrusted::Refused;

use self::{column::Column, file::Format};
use super::{hub, prompts::Prompts};
use crate::arguments::Settings;

/// Reads the prompts of the dataset `name`. Like in the Python stacks, blank prompts are left out.
pub(super) fn load_dataset(
    settings: &Settings,
    name: &str,
    cache: &Path,
) -> anyhow::Result<Prompts> {
    let value = |key| settings.text(key).unwrap_or_default();
    let (split, column) = (value(SPLIT), value(COLUMN));
    let cells = cells(name, settings.text(DATASET_CONFIG), split, column, cache)
        .with_context(|| format!("reading the dataset `{DATASET}={name}`"))?;
    let texts = cells.into_iter().flatten().filter(|text| !is_blank(text)).collect();
    Prompts::of_dataset(texts, settings).with_context(|| {
        format!("the dataset `{name}` has no prompt in its column `{column}`, split `{split}`")
    })
}

/// The cells of `column` in a split of the dataset `name`.
fn cells(
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
    let format = Format::of(path);
    let file = match untrusted::file(path) {
        Ok(file) => file,
        Err(error) if is_special_file(&error) => {
            return Err(error).with_context(|| format!("opening `{name}`"));
        }
        Err(_) if path.is_dir() => bail!(
            "it is a folder, and the `native` backend reads a file, or a dataset of the Hub cache; \
             give one of its files"
        ),
        Err(_) => {
            ensure!(
                !name.starts_with(['.', '/', '~']) && format.is_none() && hub::is_hub_id(name),
                "no such file or folder, and no Hub id of the form ORG/REPO; in a container only \
                 mounted ones are seen (the runner mounts a path that is given as `./NAME` or `/NAME`)"
            );
            return cached::column(name, config, split, column, cache);
        }
    };
    let format = format
        .with_context(|| format!("`{name}`: a file must end in .{}", EXTENSIONS.join(", .")))?;
    if let Some(config) = config {
        bail!(
            "`{DATASET_CONFIG}={config}`: the dataset is a file, which has no configurations; leave it \
             out"
        );
    }
    // A file is one split, so any name of it is accepted.
    file::read(path, file, format, column)
}

/// Whether opening was refused because of a FIFO, a device or the like.
fn is_special_file(error: &io::Error) -> bool {
    Refused::of(error).is_some_and(|why| why != Refused::NotAFile(untrusted::Kind::Folder))
}

/// Whether Python's `str.strip` would leave nothing: it strips Unicode spaces and four separators.
fn is_blank(text: &str) -> bool {
    text.chars().all(|c| c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c))
}

#[cfg(test)]
mod tests;
