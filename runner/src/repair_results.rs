//! `aienergyscore repair-results`: makes what containers of another user left in a results folder
//! the user's.

mod report;
mod survey;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::Context as _;

use self::{report::Report, survey::Survey};
use crate::{
    boundary::check_named,
    engine::Engine,
    exit::{Exit, Usage},
    give_back::{self, Entry, protected},
    host::Host,
    host_path::HostPath,
    json_text::json_text,
    options::EngineChoice,
    subids::Ids,
    terminal,
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
/// When the folder is none that should be repaired, or cannot be looked at.
pub fn run(request: &Request) -> anyhow::Result<Exit> {
    let host = Host::read()?;
    let folder = folder(&request.folder, &host)?;
    let ids = Ids::of_this_machine(&host);
    let look = || Survey::take(folder.as_path(), &ids);
    let before = look()?;
    if host.uid == 0 && !before.foreign.is_empty() {
        return Err(Usage(
            "you are root, who would get everything; run this as the user whose folder it is"
                .to_owned(),
        )
        .into());
    }
    let engine = match before.foreign.is_empty() {
        true => None,
        false => Some(give_back::find_engine(request.engine, &host)),
    };
    let mut report = Report::new(&host, &folder, before, &engine)?;
    if let (true, Some(Ok(engine))) = (request.really, &engine) {
        repair(engine, &host, &folder, &mut report, look)?;
    }
    terminal::print(&if request.as_json { json_text(&report.json()) } else { report.text() })?;
    Ok(report.exit())
}

/// Rounds after which no more is tried: each may open one more level of folders, and a container
/// that still runs may write without end.
const ROUNDS: usize = 64;

/// Gives back what is seen to be foreign, and looks again: a folder that is open by then may hold
/// more. Ends when a round gives nothing back.
fn repair(
    engine: &Engine,
    host: &Host,
    folder: &HostPath,
    report: &mut Report<'_>,
    look: impl Fn() -> anyhow::Result<Survey>,
) -> anyhow::Result<()> {
    let mut found = look()?;
    for _ in 0..ROUNDS {
        let entries: Vec<Entry> = found.foreign.iter().map(survey::Foreign::entry).collect();
        let outcome = give_back::give_back(engine, host, folder, &entries);
        found = look()?;
        let goes_on = outcome.as_ref().is_ok_and(|outcome| outcome.done > 0);
        report.add_round(outcome);
        if !goes_on || found.foreign.is_empty() {
            break;
        }
    }
    report.end(found);
    Ok(())
}

/// The folder itself, links to it followed.
fn folder(path: &Path, host: &Host) -> anyhow::Result<HostPath> {
    check_named("folder", path, host)?;
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
    if let Some(why) = protected(&real, host.home.as_deref()) {
        return Err(Usage(format!("`{shown}` {why}; name the folder of the results")).into());
    }
    Ok(HostPath::new("folder", &real, &host.cwd)?)
}
