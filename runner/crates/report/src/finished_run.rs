//! A finished run as read from its results folder.

use std::path::PathBuf;

use backend_reports::{Details, Numbers};
use contract::{host_meter::HostMeter, output::Completion, summary::Summary};

/// A run that succeeded, as far as its files tell.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FinishedRun {
    /// The results folder, by the path that the user named.
    pub folder: PathBuf,
    /// Where the numbers of the summary come from.
    pub origin: Origin,
    pub summary: Summary,
    /// The completion marker, if it exists.
    pub completion: Option<Completion>,
    /// The host's measurements during the run, and the file that contains them.
    pub meter: Option<(HostMeter, &'static str)>,
    /// Settings of the run that its files name.
    pub details: Details,
    /// Problems of the folder, in sentences.
    pub warnings: Vec<String>,
}

/// Where the numbers of a summary come from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Origin {
    /// The summary file.
    Summary,
    /// The backend's own files: there was no summary to read.
    Report(Box<Numbers>),
}

/// A folder without a readable run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Broken {
    pub folder: PathBuf,
    /// The error that made it unreadable.
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

    /// The benchmark's arguments, if the summary has the command of the run.
    pub(crate) fn arguments(&self) -> Option<&[String]> {
        let command = &self.summary.repeat.as_ref()?.command;
        let at = command.iter().position(|word| word == "--")?;
        Some(&command[at + 1..])
    }
}
