//! `aienergyscore report`: reads finished runs and writes the report.

use std::path::{Path, PathBuf};

use contract::env;
use host::{
    exit::Exit,
    machine::Host,
    output::terminal::{self, warn},
};
use hub::boundary::check_path;
use untrusted::escape;

use super::{
    output_file::OutputFile,
    read::{read, read_all},
    report::Report,
    sanitize::sanitized,
    submission::{self, ModelClass},
};
use crate::output::{csv, json, page, table};

/// The options of the command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Folders to read; none stands for the default results folder.
    pub folders: Vec<PathBuf>,
    /// Whether to read earlier results, too.
    pub previous: bool,
    /// The form of the report.
    pub output: Output,
    /// Whether to overwrite an existing file.
    pub overwrite: bool,
}

/// The form of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// A table in the terminal.
    Table,
    /// JSON on standard output.
    Json,
    /// CSV on standard output.
    Csv,
    /// An HTML page in this file.
    Page(PathBuf),
    /// An archive of the logs for the submission portal.
    Submission {
        /// The archive's path.
        archive: PathBuf,
        /// The class of the model, if it was given.
        class: Option<ModelClass>,
    },
}

/// Writes the report. A broken run gets a warning and does not stop the others.
///
/// # Errors
/// When the output file exists already or cannot be written.
pub fn run(request: &Request) -> anyhow::Result<Exit> {
    let Request { folders, previous, output, overwrite } = request;
    let host = Host::read()?;
    let folders = match &folders[..] {
        [] => vec![default_folder(&host)],
        named => named.to_vec(),
    };
    folders.iter().try_for_each(|folder| check_path("results folder", folder, &host))?;
    let open = |file: &Path| {
        // Only the parent is checked: a symlink in the place of the file itself is replaced.
        let parent = file.parent().unwrap_or(Path::new(""));
        check_path("folder of the report", parent, &host)?;
        OutputFile::open(file, *overwrite)
    };
    // Files are opened before anything is read, so that one in the way is reported at once.
    let page = match output {
        Output::Submission { archive, class } => {
            return submission::submit(&folders, *previous, *class, &open(archive)?);
        }
        Output::Page(file) => Some(open(file)?),
        Output::Table | Output::Json | Output::Csv => None,
    };
    let (runs, broken) = read_all(&folders, *previous, read);
    let report = Report::of(runs, broken);
    match (output, page) {
        (_, Some(page)) => {
            page.write(page::html(&report).as_bytes())?;
            terminal::say(format_args!("page: {}", page.shown()));
        }
        (Output::Json, _) => terminal::print(&json::text(&report))?,
        (Output::Csv, _) => terminal::print(&csv::text(&report)?)?,
        _ => terminal::print(&table::text(&report, terminal::width()))?,
    }
    if *output != Output::Table {
        for broken in &report.broken {
            let folder = sanitized(&broken.folder.to_string_lossy());
            warn(Some(format!("{folder} is left out: {}", escape(&broken.reason))));
        }
    }
    Ok(if report.runs.is_empty() { Exit::Failed } else { Exit::Success })
}

/// The folder that runs write to by default.
fn default_folder(host: &Host) -> PathBuf {
    host.env.get(env::RESULTS_DIR).map_or_else(|| "./results".into(), PathBuf::from)
}
