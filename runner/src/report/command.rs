//! `aienergyscore report`: reads, has it rendered, and writes.

use std::path::PathBuf;

use contract::env;

use untrusted::escape;

use super::{
    csv,
    figures::Figures,
    groups::groups,
    json,
    new_file::{not_in_the_way, write_new},
    page,
    plain::plain,
    read::read_all,
    record::Runs,
    submission::{self, ModelClass},
    table,
};
use crate::{
    exit::Exit,
    terminal::{self, warn},
};

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
    if let Output::Page(file) | Output::Submission { archive: file, .. } = output {
        not_in_the_way(file, *overwrite)?;
    }
    let all = read_all(&folders, *previous);
    let figures: Vec<_> = all.runs.iter().map(Figures::of).collect();
    let groups = groups(&all, &figures);
    match output {
        Output::Table => terminal::print(&table::text(&all, &figures, &groups, terminal::width()))?,
        Output::Json => terminal::print(&json::text(&all, &figures, &groups))?,
        Output::Csv => terminal::print(&csv::text(&all, &figures)?)?,
        Output::Page(file) => {
            let page = page::html(&all, &figures, &groups);
            write_new(file, page.as_bytes(), *overwrite)?;
            terminal::say(format_args!("page: {}", file.display()));
        }
        Output::Submission { archive, class } => {
            return submission::submit(&all, &figures, *class, archive, *overwrite);
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
