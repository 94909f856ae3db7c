//! The JSON files of a results folder that tell of its run, each read once.

use anyhow::anyhow;
use contract::output::{RECORD, REPORT};
use serde_json::Value;

use super::{folder::Folder, json};

/// optimum-benchmark's own configuration.
pub const CONFIG: &str = "benchmark_config.json";

/// The files, or why one of them cannot be read.
#[derive(Debug)]
pub struct Files<'a> {
    pub(crate) folder: &'a Folder,
    pub(crate) report: File,
    pub(crate) record: File,
    pub(crate) config: File,
}

/// The content of a file, if it exists.
type File = anyhow::Result<Option<Value>>;

/// The content of `file`, whose error is copied for every reader.
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

    /// The files with the run's settings by name, `null` for one that is missing or unreadable.
    pub fn settings(&self) -> [(&'static str, Value); 2] {
        [(RECORD, &self.record), (CONFIG, &self.config)]
            .map(|(name, file)| (name, value(file).ok().flatten().cloned().unwrap_or_default()))
    }

    /// Whether the backend's own report is missing.
    pub fn lack_report(&self) -> bool {
        matches!(self.report, Ok(None))
    }
}
