//! Reads one file of a dataset.

use std::{fs::File, path::Path};

use anyhow::Context as _;

use super::{column::Column, csv, json, parquet};

/// Size limit of a file that is read as a whole, in bytes.
const LARGEST: u64 = 2 << 30;

/// Format of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// Comma-separated values.
    Csv,
    /// JSON or JSON lines.
    Json,
    /// Parquet.
    Parquet,
}

impl Format {
    /// The format of a file, by the end of its name.
    pub(super) fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_lowercase().as_str() {
            "csv" => Some(Self::Csv),
            "json" | "jsonl" => Some(Self::Json),
            "parquet" => Some(Self::Parquet),
            _ => None,
        }
    }
}

/// The cells of a column of `file`, which was opened at `path`.
pub(super) fn read(
    path: &Path,
    file: File,
    format: Format,
    column: &str,
) -> anyhow::Result<Column> {
    let cells = || match format {
        Format::Csv => csv::column(&untrusted::bytes(file, LARGEST)?, column),
        Format::Json => json::column(&untrusted::bytes(file, LARGEST)?, column),
        Format::Parquet => parquet::column(file, column),
    };
    cells().with_context(|| format!("reading `{}`", path.display()))
}
