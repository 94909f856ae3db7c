//! The output of `reclaim`: entries of other owners in a folder, and the result of changing them.

use std::{collections::BTreeSet, fmt::Write as _};

use contract::reclaim::{Answer, Failed};
use host::{
    exit::Exit,
    machine::Host,
    output::units,
    paths::host_path::HostPath,
    shell::{CommandLine, Style},
};
use serde_json::{Value, json};
use untrusted::escape;

use super::{
    container::errors,
    scan::{ForeignEntry, Scan, Skipped},
    sudo::sudo_line,
};

/// Maximum number of entries that a list shows.
const MAX_LISTED: usize = 5;

/// The report on one folder.
#[derive(Debug)]
pub(super) struct Report<'a> {
    host: &'a Host,
    folder: &'a HostPath,
    /// Owners in the folder before any change.
    pub(super) before: Scan,
    /// The engine's command, or the error if no engine can run it. `None` if no owner needs to change.
    pub(super) command: Option<anyhow::Result<CommandLine>>,
    /// Result of the command, if it ran.
    pub(super) reclaimed: Option<Reclaimed>,
}

/// Result of the engine's command.
#[derive(Debug)]
pub(super) struct Reclaimed {
    /// The entrypoint's answer.
    pub(super) answer: anyhow::Result<Answer>,
    /// Owners in the folder after the change.
    pub(super) after: Scan,
}

impl Reclaimed {
    /// Entries whose owner did not change, each with the reason.
    fn failed(&self) -> Vec<Failed> {
        let errors = self.answer.as_ref().map(errors).unwrap_or_default();
        let failed = self.after.foreign.iter().map(|ForeignEntry { path, owner, .. }| {
            let error = errors.get(path.as_str());
            let still_foreign = || format!("it belongs to uid {owner} afterwards");
            let error = error.map_or_else(still_foreign, |error| (*error).to_owned());
            Failed { path: path.clone(), error }
        });
        failed.collect()
    }
}

impl<'a> Report<'a> {
    /// Report on a folder before any change.
    pub(super) const fn new(host: &'a Host, folder: &'a HostPath, before: Scan) -> Self {
        Self { host, folder, before, command: None, reclaimed: None }
    }

    /// Owners in the folder now.
    fn now(&self) -> &Scan {
        self.reclaimed.as_ref().map_or(&self.before, |reclaimed| &reclaimed.after)
    }

    /// Exit status of the command.
    pub(super) fn exit(&self) -> Exit {
        let has_failed = self.reclaimed.as_ref().is_some_and(|reclaimed| reclaimed.answer.is_err());
        if self.now().is_all_yours() && !has_failed { Exit::Success } else { Exit::Failed }
    }

    /// The `sudo` command that changes the same owners. `None` if none needs to change.
    fn sudo(&self) -> Option<String> {
        let owners: BTreeSet<u32> = self.now().foreign.iter().map(|found| found.owner).collect();
        let folder = self.folder.as_path().to_owned();
        (!owners.is_empty()).then(|| sudo_line(self.host.uid, &[folder], &owners))
    }

    /// The report as text.
    pub(super) fn text(&self) -> String {
        let mut lines = Lines::default();
        let folder = self.folder.as_str();
        let Scan { entries, foreign, .. } = &self.before;
        if foreign.is_empty() {
            let rest = if self.before.is_all_yours() { "all yours" } else { "nothing to reclaim" };
            lines.add(format!("`{folder}`: {entries} entries, {rest}"));
        } else {
            lines.add(format!(
                "`{folder}`: {} of {entries} entries are not yours: {}",
                foreign.len(),
                counts(foreign)
            ));
            lines.list("  ", foreign, |ForeignEntry { path, owner, is_folder, bytes }| {
                let what = if *is_folder { "folder".to_owned() } else { units::bytes(*bytes) };
                format!("uid {owner}, {what}: `{}`", display_path(path))
            });
        }
        if let Some(reclaimed) = &self.reclaimed {
            match &reclaimed.answer {
                Ok(answer) => lines.add(format!("reclaimed: {}", answer.reclaimed)),
                Err(error) => lines.add(format!("failed: {error:#}")),
            }
            lines.list("failed: ", &reclaimed.failed(), failure);
        }
        let Scan { skipped, unreadable, .. } = self.now();
        lines.list("left alone: ", skipped, |Skipped { path, reason }| {
            format!("`{}`: {reason}", display_path(path))
        });
        lines.list("cannot be looked into: ", unreadable, failure);
        match &self.command {
            Some(Ok(command)) if self.reclaimed.is_none() => {
                let command = command.to_shell(Style::Concrete).replace('\n', "\n  ");
                lines.raw(&format!("would run:\n  {command}\n"));
                lines.add("nothing was changed yet; `--yes` runs it".to_owned());
                return lines.0;
            }
            Some(Err(why)) => lines.add(format!("no engine can reclaim them: {why:#}")),
            _ => {}
        }
        if let Some(sudo) = self.sudo() {
            lines.raw(&format!("with sudo instead:\n  {sudo}\n"));
        }
        lines.0
    }

    /// The report as JSON.
    pub(super) fn json(&self) -> Value {
        let now = self.now();
        let failed = self.reclaimed.as_ref().map(Reclaimed::failed).unwrap_or_default();
        let answer = self.reclaimed.as_ref().map(|reclaimed| &reclaimed.answer);
        let command = self.command.as_ref();
        let why = command
            .and_then(|command| command.as_ref().err())
            .or_else(|| answer?.as_ref().err())
            .map(|error| format!("{error:#}"));
        json!({
            "path": self.folder,
            "entries": now.entries,
            "foreign": self.before.foreign,
            "command": command.and_then(|command| Some(command.as_ref().ok()?.argv())),
            "reclaimed": answer.and_then(|answer| Some(answer.as_ref().ok()?.reclaimed)),
            "failed": failed,
            "error": why,
            "left_alone": now.skipped,
            "closed": now.unreadable,
            "sudo": self.sudo(),
            "all_yours": self.exit() == Exit::Success,
        })
    }
}

/// Number of folders, of other entries, and their size, as text.
fn counts(foreign: &[ForeignEntry]) -> String {
    let folders = foreign.iter().filter(|found| found.is_folder).count();
    let bytes = foreign.iter().map(|found| found.bytes).sum();
    format!("{folders} folder(s), {} file(s), {}", foreign.len() - folders, units::bytes(bytes))
}

/// An entry and its error, as text.
fn failure(Failed { path, error }: &Failed) -> String {
    format!("`{}`: {error}", display_path(path))
}

/// The path below the folder, as shown to the user. The folder itself is a dot.
fn display_path(path: &str) -> &str {
    if path.is_empty() { "." } else { path }
}

/// Text of a report, built line by line.
#[derive(Debug, Default)]
struct Lines(String);

impl Lines {
    /// Appends one line, with control characters escaped.
    fn add(&mut self, line: String) {
        writeln!(self.0, "{}", escape(&line)).expect("a String takes all");
    }

    /// Appends text as it is, for a command that is already quoted for the shell.
    fn raw(&mut self, text: &str) {
        self.0.push_str(text);
    }

    /// Appends a line for each of the first [`MAX_LISTED`] entries, and one with the number of the others.
    fn list<T>(&mut self, prefix: &str, all: &[T], line: impl Fn(&T) -> String) {
        for one in all.iter().take(MAX_LISTED) {
            self.add(format!("{prefix}{}", line(one)));
        }
        if all.len() > MAX_LISTED {
            self.add(format!("{prefix}and {} more", all.len() - MAX_LISTED));
        }
    }
}

#[cfg(test)]
mod tests;
