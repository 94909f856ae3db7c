//! `aienergyscore reclaim`: makes what containers of root's left in a results folder the user's,
//! through a short-lived container that changes owners and can do nothing else.

#![warn(clippy::print_stderr, clippy::print_stdout)]

mod container;
pub mod folders;
mod protected;
mod report;
mod sudo;
mod survey;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use engine::EngineChoice;
use host::{
    exit::{Exit, Usage},
    machine::Host,
    output::{json_text::json_text, terminal},
    paths::host_path::HostPath,
    users::subids::Ids,
};
use hub::boundary::check_path;

pub use self::{
    container::{Failure, find_engine, reclaim_listed},
    protected::protected_behind,
    sudo::sudo_line,
    survey::leave,
};
use self::{
    report::{Done, Report},
    survey::Survey,
};

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The folder.
    pub folder: PathBuf,
    /// Whether to do it, and not to show it.
    pub really: bool,
    /// What may run the container.
    pub engine: EngineChoice,
    /// Whether to print JSON.
    pub as_json: bool,
}

/// Shows what would make everything in the folder the user's, or does it.
///
/// # Errors
/// When the folder is not one to reclaim, or cannot be looked at.
pub fn run(request: &Request) -> anyhow::Result<Exit> {
    let host = Host::read()?;
    let folder = folder(&request.folder, &host)?;
    let ids = Ids::of_this_machine(&host);
    let look = || Survey::take(folder.as_path(), &ids);
    let mut report = Report::new(&host, &folder, look()?);
    if !report.before.foreign.is_empty() {
        if host.uid == 0 {
            let why = "you are root, who would get everything; run this as the user whose folder \
                       it is";
            return Err(Usage(why.to_owned()).into());
        }
        let command = find_engine(request.engine, &host)
            .and_then(|engine| container::command(&engine, &host, &folder, &ids, false));
        if let (true, Ok(command)) = (request.really, &command) {
            let answer = container::ask(command, &[]);
            report.done = Some(Done { answer, after: look()? });
        }
        report.command = Some(command);
    }
    terminal::print(&if request.as_json { json_text(&report.json()) } else { report.text() })?;
    Ok(report.exit())
}

/// The folder itself, symlinks to it followed.
fn folder(path: &Path, host: &Host) -> anyhow::Result<HostPath> {
    check_path("folder", path, host)?;
    let real = host.cwd.join(path);
    let shown = real.display();
    let real = match real.canonicalize() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(
                Usage(format!("there is no `{shown}`; name the folder of the results")).into()
            );
        }
        found => found.with_context(|| format!("looking for `{shown}`"))?,
    };
    if !fs::metadata(&real).is_ok_and(|data| data.is_dir()) {
        return Err(Usage(format!("`{shown}` is no folder; name the folder of the results")).into());
    }
    if let Some(why) = protected::protected(&real, host.home.as_deref()) {
        return Err(Usage(format!("`{shown}` {why}; name the folder of the results")).into());
    }
    Ok(HostPath::new("folder", &real, &host.cwd)?)
}
