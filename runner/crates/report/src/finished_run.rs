//! A finished run, as read from its results folder.

use std::path::PathBuf;

use backend_reports::{Details, Numbers};
use contract::{host_meter::HostMeter, output::Completion, summary::Summary};

/// A run with a summary and without a recorded failure.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FinishedRun {
    /// The results folder, by the path that the user named.
    pub folder: PathBuf,
    /// Source of the summary's numbers.
    pub origin: Origin,
    /// The numbers of the run and how they were obtained.
    pub summary: Summary,
    /// The completion marker, if it exists.
    pub completion: Option<Completion>,
    /// The host's measurements during the run, and the file that contains them.
    pub meter: Option<(HostMeter, &'static str)>,
    /// Settings of the run, as far as its files have them.
    pub details: Details,
    /// Problems of the folder, in sentences.
    pub warnings: Vec<String>,
}

/// Source of a summary's numbers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Origin {
    /// The summary file.
    Summary,
    /// The backend's own report, since the folder has no usable summary. Each number has its file and key.
    Report(Box<Numbers>),
}

/// A folder whose run failed, is incomplete or cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Broken {
    /// The folder, by the path that the user named.
    pub folder: PathBuf,
    /// The error, on one line.
    pub reason: String,
}

impl FinishedRun {
    /// The summary's numbers, each with its file and key.
    pub(crate) fn numbers(&self) -> Numbers {
        match &self.origin {
            Origin::Summary => Numbers::in_summary(&self.summary),
            Origin::Report(numbers) => (**numbers).clone(),
        }
    }

    /// The benchmark's arguments: those after `--` in the command of the run, if the summary has it.
    pub(crate) fn arguments(&self) -> Option<&[String]> {
        let command = &self.summary.repeat.as_ref()?.command;
        let at = command.iter().position(|word| word == "--")?;
        Some(&command[at + 1..])
    }
}
