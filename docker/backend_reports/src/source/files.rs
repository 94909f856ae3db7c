//! The JSON files of a results folder that tell of its run, each read once.

use contract::output::{RECORD, REPORT};
use serde_json::Value;

use super::{folder::Folder, json};

/// optimum-benchmark's own configuration.
pub const CONFIG: &str = "benchmark_config.json";

/// The files, or why one of them cannot be read.
#[derive(Debug)]
pub struct Files<'a> {
    pub(crate) folder: &'a Folder,
    pub(crate) report: anyhow::Result<Option<Value>>,
    pub(crate) record: anyhow::Result<Option<Value>>,
    pub(crate) config: anyhow::Result<Option<Value>>,
}

impl<'a> Files<'a> {
    /// Reads the files in `folder`.
    pub fn read(folder: &'a Folder) -> Self {
        let [report, record, config] =
            [REPORT, RECORD, CONFIG].map(|name| json::read(folder, name));
        Self { folder, report, record, config }
    }

    /// Whether the backend's own report is missing.
    pub fn lack_report(&self) -> bool {
        matches!(self.report, Ok(None))
    }
}
