//! What is told of a repair.

use std::{collections::BTreeMap, fmt::Write as _, path::Path};

use serde_json::{Value, json};

use untrusted::escape;

use super::survey::{Closed, Foreign, Survey};
use crate::{
    engine::Engine,
    exit::Exit,
    give_back::{self, Entry, Failure, Outcome, sudo_line, sudo_search},
    host::Host,
    host_path::HostPath,
    shell::{CommandLine, Style},
    units,
};

/// Entries that are shown, of each kind.
const SHOWN: usize = 5;

/// A repair that would be done, or was.
#[derive(Debug)]
pub(super) struct Report<'a> {
    host: &'a Host,
    folder: &'a HostPath,
    before: Survey,
    /// What would run or ran, or why nothing can.
    how: Option<Result<CommandLine, String>>,
    /// What became of it.
    done: Option<Done>,
}

/// A repair that was done, as far as it could be.
#[derive(Debug, Default)]
struct Done {
    given_back: usize,
    /// Those that failed for good, with the reason of the last time.
    failed: BTreeMap<std::path::PathBuf, Failure>,
    /// Why a whole round failed.
    trouble: Option<String>,
    after: Survey,
}

impl<'a> Report<'a> {
    /// What would be done with `engine`, if there is anything to do.
    ///
    /// # Errors
    /// When the folder cannot be looked at.
    pub(super) fn new(
        host: &'a Host,
        folder: &'a HostPath,
        before: Survey,
        engine: &Option<anyhow::Result<Engine>>,
    ) -> anyhow::Result<Self> {
        let how = match engine {
            None => None,
            Some(Err(error)) => Some(Err(format!("{error:#}"))),
            Some(Ok(engine)) => {
                let inode = give_back::inode(folder)?;
                give_back::command(engine, host, folder, inode).map(Ok)
            }
        };
        Ok(Self { host, folder, before, how, done: None })
    }

    /// Adds what became of a round.
    pub(super) fn add_round(&mut self, outcome: anyhow::Result<Outcome>) {
        let done = self.done.get_or_insert_default();
        match outcome {
            Ok(Outcome { done: count, failed }) => {
                done.given_back += count;
                done.failed =
                    failed.into_iter().map(|failure| (failure.path.clone(), failure)).collect();
            }
            Err(error) => done.trouble = Some(format!("{error:#}")),
        }
    }

    /// Ends it with what is there now.
    pub(super) fn end(&mut self, after: Survey) {
        self.done.get_or_insert_default().after = after;
    }

    /// What is there now.
    fn now(&self) -> &Survey {
        self.done.as_ref().map_or(&self.before, |done| &done.after)
    }

    /// What it means to a script.
    pub(super) fn exit(&self) -> Exit {
        let trouble = self
            .done
            .as_ref()
            .is_some_and(|done| done.trouble.is_some() || !done.failed.is_empty());
        if self.now().is_fine() && !trouble { Exit::Success } else { Exit::Failed }
    }

    /// The line with `sudo` for what is foreign and not left alone on purpose.
    fn sudo(&self) -> Option<String> {
        let refused = |path: &Path| {
            let failure = self.done.as_ref().and_then(|done| done.failed.get(path));
            failure.is_some_and(|failure| failure.refused)
        };
        let foreign = self.now().foreign.iter().filter(|found| !refused(&found.path));
        let entries: Vec<Entry> = foreign.map(Foreign::entry).collect();
        let line = if self.now().closed.is_empty() { sudo_line } else { sudo_search };
        (!entries.is_empty()).then(|| line(self.host, self.folder, &entries))
    }

    /// As lines.
    pub(super) fn text(&self) -> String {
        let mut lines = Lines::default();
        let folder = self.folder.as_str();
        let Survey { entries, foreign, .. } = &self.before;
        if foreign.is_empty() {
            let rest = if self.before.is_fine() { "all yours" } else { "nothing to give back" };
            lines.add(format!("`{folder}`: {entries} entries, {rest}"));
        } else {
            lines.add(format!(
                "`{folder}`: {} of {entries} entries are not yours: {}",
                foreign.len(),
                kinds(foreign)
            ));
            lines.some(
                "  ",
                foreign,
                |Foreign { path, owner, is_folder, bytes, mode: _, group: _ }| {
                    let what = if *is_folder { "folder".to_owned() } else { units::bytes(*bytes) };
                    format!("uid {owner}, {what}: `{}`", shown(path))
                },
            );
        }
        if let Some(done) = &self.done {
            done.tell(&mut lines);
        }
        let Survey { left, closed, .. } = self.now();
        lines.some("left alone: ", left, |(path, why)| format!("`{}`: {why}", shown(path)));
        lines.some("cannot be looked into: ", closed, |Closed { path, error }| {
            format!("`{}`: {error}", shown(path))
        });
        let foreign_closed = closed.iter().any(|closed| {
            self.now().foreign.iter().any(|found| closed.path.starts_with(&found.path))
        });
        match &self.how {
            Some(Ok(command)) if self.done.is_none() => {
                if foreign_closed {
                    lines.add(
                        "what closed folders hold is given back once it can be seen".to_owned(),
                    );
                }
                lines.add("would run, with the entries on its standard input:".to_owned());
                lines.raw(&format!(
                    "  {}\n",
                    command.to_shell(Style::Concrete).replace('\n', "\n  ")
                ));
                lines.add("`--yes` runs it; nothing was changed yet".to_owned());
            }
            Some(Err(why)) => lines.add(format!("no engine can give them back: {why}")),
            _ => {}
        }
        if !matches!((&self.how, &self.done), (Some(Ok(_)), None))
            && let Some(sudo) = self.sudo()
        {
            lines.raw(&format!("this line does it with sudo:\n  {sudo}\n"));
        }
        lines.0
    }

    /// For machines.
    pub(super) fn json(&self) -> Value {
        let path = |path: &Path| path.to_string_lossy().into_owned();
        let foreign = |survey: &Survey| -> Vec<_> {
            let rows = survey.foreign.iter().map(|found| {
                json!({
                    "path": path(&found.path),
                    "uid": found.owner,
                    "folder": found.is_folder,
                    "bytes": found.bytes,
                })
            });
            rows.collect()
        };
        let now = self.now();
        let left: Vec<_> = now
            .left
            .iter()
            .map(|(left, why)| json!({ "path": path(left), "reason": why }))
            .collect();
        let closed: Vec<_> = now
            .closed
            .iter()
            .map(|closed| json!({ "path": path(&closed.path), "error": closed.error }))
            .collect();
        let failed: Vec<_> = self
            .done
            .iter()
            .flat_map(|done| done.failed.values())
            .map(|failure| json!({ "path": path(&failure.path), "error": failure.error }))
            .collect();
        let why = match &self.how {
            Some(Err(why)) => Some(why),
            _ => self.done.as_ref().and_then(|done| done.trouble.as_ref()),
        };
        json!({
            "path": self.folder,
            "entries": now.entries,
            "foreign": foreign(&self.before),
            "command": self.how.as_ref().and_then(|how| how.as_ref().ok()).map(CommandLine::argv),
            "given_back": self.done.as_ref().map(|done| done.given_back),
            "failed": failed,
            "error": why,
            "left_alone": left,
            "closed": closed,
            "sudo": self.sudo(),
            "all_yours": self.exit() == Exit::Success,
        })
    }
}

impl Done {
    fn tell(&self, lines: &mut Lines) {
        lines.add(format!("given back: {}", self.given_back));
        if let Some(trouble) = &self.trouble {
            lines.add(format!("failed: {trouble}"));
        }
        let failed: Vec<_> = self.failed.values().collect();
        lines.some("failed: ", &failed, |Failure { path, error, refused: _ }| {
            format!("`{}`: {error}", shown(path))
        });
    }
}

/// Folders, other entries, and bytes.
fn kinds(foreign: &[Foreign]) -> String {
    let folders = foreign.iter().filter(|found| found.is_folder).count();
    let bytes = foreign.iter().map(|found| found.bytes).sum();
    format!("{folders} folder(s), {} file(s), {}", foreign.len() - folders, units::bytes(bytes))
}

/// A path below the folder, the folder itself as a dot.
fn shown(path: &Path) -> String {
    if path.as_os_str().is_empty() { ".".to_owned() } else { path.to_string_lossy().into_owned() }
}

/// Lines under way.
#[derive(Debug, Default)]
struct Lines(String);

impl Lines {
    /// One line, whatever it holds.
    fn add(&mut self, line: String) {
        writeln!(self.0, "{}", escape(&line)).expect("a String takes all");
    }

    /// Text as it is: it is to be pasted.
    fn raw(&mut self, text: &str) {
        self.0.push_str(text);
    }

    /// A line for each of the first, and one for the others.
    fn some<T>(&mut self, begin: &str, all: &[T], line: impl Fn(&T) -> String) {
        for one in all.iter().take(SHOWN) {
            self.add(format!("{begin}{}", line(one)));
        }
        if all.len() > SHOWN {
            self.add(format!("{begin}and {} more", all.len() - SHOWN));
        }
    }
}

#[cfg(test)]
mod tests;
