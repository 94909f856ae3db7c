//! `aienergyscore report`: reads, has it rendered, and writes.

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
    figures::Figures,
    groups::groups,
    output_file::OutputFile,
    plain::plain,
    read::read_all,
    record::Runs,
    submission::{self, ModelClass},
};
use crate::output::{csv, json, page, table};

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The folders; none means the one that runs write to.
    pub folders: Vec<PathBuf>,
    /// Whether earlier results count, too.
    pub previous: bool,
    /// In which form.
    pub output: Output,
    /// Whether a file that is there may be written over.
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
    /// A page in this file.
    Page(PathBuf),
    /// The logs in this archive.
    Submission {
        /// The archive.
        archive: PathBuf,
        /// The class of the model, if it was given.
        class: Option<ModelClass>,
    },
}

/// Makes the report. Runs that are broken are told and stop nothing.
///
/// # Errors
/// When a file is in the way or cannot be written.
pub fn run(request: &Request) -> anyhow::Result<Exit> {
    let Request { folders, previous, output, overwrite } = request;
    let folders = if folders.is_empty() { vec![usual_folder()] } else { folders.clone() };
    let host = Host::read()?;
    folders.iter().try_for_each(|folder| check_path("results folder", folder, &host))?;
    let target = match output {
        Output::Page(file) | Output::Submission { archive: file, .. } => {
            // A symlink in the place of the file itself is replaced.
            let parent = file.parent().unwrap_or(Path::new(""));
            check_path("folder of the report", parent, &host)?;
            Some(OutputFile::open(file, *overwrite)?)
        }
        Output::Table | Output::Json | Output::Csv => None,
    };
    let all = read_all(&folders, *previous);
    let figures: Vec<_> = all.runs.iter().map(Figures::of).collect();
    let groups = groups(&all, &figures);
    match (output, &target) {
        (Output::Submission { class, .. }, Some(target)) => {
            return submission::submit(&all, &figures, *class, target);
        }
        (_, Some(target)) => {
            target.write(page::html(&all, &figures, &groups).as_bytes())?;
            terminal::say(format_args!("page: {}", target.shown()));
        }
        (Output::Json, None) => terminal::print(&json::text(&all, &figures, &groups))?,
        (Output::Csv, None) => terminal::print(&csv::text(&all, &figures)?)?,
        (_, None) => {
            terminal::print(&table::text(&all, &figures, &groups, terminal::width()))?;
        }
    }
    if *output != Output::Table {
        say_broken(&all);
    }
    Ok(if all.runs.is_empty() { Exit::Failed } else { Exit::Success })
}

/// Where runs leave their results unless told otherwise.
fn usual_folder() -> PathBuf {
    let named = std::env::var_os(env::RESULTS_DIR).filter(|folder| !folder.is_empty());
    named.map_or_else(|| PathBuf::from("./results"), PathBuf::from)
}

fn say_broken(all: &Runs) {
    for broken in &all.broken {
        let folder = plain(&broken.folder.to_string_lossy());
        warn(Some(format!("{folder} is left out: {}", escape(&broken.reason))));
    }
}
