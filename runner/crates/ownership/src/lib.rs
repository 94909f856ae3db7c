//! `aienergyscore reclaim`: gives root-owned files in a results folder to the user. A short-lived
//! container changes the owners and can do nothing else.

#![warn(clippy::print_stderr, clippy::print_stdout)]

mod container;
pub mod folders;
mod protected;
mod report;
mod scan;
mod sudo;

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
    protected::why_protected,
    scan::why_skipped,
    sudo::sudo_line,
};
use self::{
    report::{Reclaimed, Report},
    scan::Scan,
};

/// The options of `reclaim`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Folder whose entries are to belong to the user.
    pub folder: PathBuf,
    /// Whether to change owners, and not only to show what would change.
    pub apply: bool,
    /// Engine that runs the container.
    pub engine: EngineChoice,
    /// Whether to print JSON.
    pub json: bool,
}

/// Shows which owners would change in the folder, or changes them.
///
/// # Errors
/// When the folder is protected, not found or unreadable.
pub fn run(request: &Request) -> anyhow::Result<Exit> {
    let host = Host::read()?;
    let folder = folder(&request.folder, &host)?;
    let ids = Ids::of_this_machine(&host);
    let scan = || Scan::of(folder.as_path(), &ids);
    let mut report = Report::new(&host, &folder, scan()?);
    if !report.before.foreign.is_empty() {
        if host.uid == 0 {
            let why = "you are root, who would get everything; run this as the user whose folder \
                       it is";
            return Err(Usage(why.to_owned()).into());
        }
        let command = find_engine(request.engine, &host)
            .and_then(|engine| container::command(&engine, &host, &folder, &ids, false));
        if let (true, Ok(command)) = (request.apply, &command) {
            let answer = container::run(command, &[]);
            report.reclaimed = Some(Reclaimed { answer, after: scan()? });
        }
        report.command = Some(command);
    }
    terminal::print(&if request.json { json_text(&report.json()) } else { report.text() })?;
    Ok(report.exit())
}

/// The folder, with symlinks in its path resolved.
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
    if let Some(why) = why_protected(&real, host.home.as_deref()) {
        return Err(Usage(format!("`{shown}` {why}; name the folder of the results")).into());
    }
    Ok(HostPath::new("folder", &real, &host.cwd)?)
}
