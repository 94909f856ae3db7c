//! The JSON files of a results folder, each read once.

use anyhow::anyhow;
use contract::output::{RECORD, REPORT};
use serde_json::Value;

use super::{folder::Folder, json};

/// Configuration of optimum-benchmark.
pub const CONFIG: &str = "benchmark_config.json";

/// The files, each with its value or read error.
#[derive(Debug)]
pub struct Files<'a> {
    pub(crate) folder: &'a Folder,
    pub(crate) report: File,
    pub(crate) record: File,
    pub(crate) config: File,
}

/// Value of a file, if it exists, or the error.
type File = anyhow::Result<Option<Value>>;

/// Value of `file`. Its error is returned on every use.
pub(crate) fn value(file: &File) -> anyhow::Result<Option<&Value>> {
    file.as_ref().map(Option::as_ref).map_err(|error| anyhow!("{error:#}"))
}

impl<'a> Files<'a> {
    /// Reads the files in `folder`.
    pub fn read(folder: &'a Folder) -> Self {
        let [report, record, config] =
            [REPORT, RECORD, CONFIG].map(|name| json::read(folder, name));
        Self { folder, report, record, config }
    }

    /// Files with the run's settings by name; `null` for a missing or unreadable one.
    pub fn settings(&self) -> [(&'static str, Value); 2] {
        [(RECORD, &self.record), (CONFIG, &self.config)]
            .map(|(name, file)| (name, value(file).ok().flatten().cloned().unwrap_or_default()))
    }

    /// Whether the backend's own report is missing.
    pub fn lack_report(&self) -> bool {
        matches!(self.report, Ok(None))
    }
}
