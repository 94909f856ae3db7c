//! What is told of a folder: whose its entries are, and what became of them.

use std::{collections::BTreeSet, fmt::Write as _, path::Path};

use contract::reclaim::Answer;
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
    sudo::sudo_line,
    survey::{Closed, Foreign, Survey},
};

/// Entries that are shown, of each kind.
const SHOWN: usize = 5;

/// A folder that would be reclaimed, or was.
#[derive(Debug)]
pub(super) struct Report<'a> {
    host: &'a Host,
    folder: &'a HostPath,
    pub(super) before: Survey,
    /// What would run or ran, or why nothing can. None when there is nothing to do.
    pub(super) command: Option<anyhow::Result<CommandLine>>,
    /// None when it was only to be shown.
    pub(super) done: Option<Done>,
}

/// What the container answered, and what the folder is like afterwards.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) answer: anyhow::Result<Answer>,
    pub(super) after: Survey,
}

impl Done {
    /// Entries that should be the user's now, each with the reason why not.
    fn failed(&self) -> Vec<(&Path, String)> {
        let errors = self.answer.as_ref().map(errors).unwrap_or_default();
        let failed = self.after.foreign.iter().map(|Foreign { path, owner, .. }| {
            let error = errors.get(&*path.to_string_lossy());
            let seen = || format!("it belongs to uid {owner} afterwards");
            (path.as_path(), error.map_or_else(seen, |error| (*error).to_owned()))
        });
        failed.collect()
    }
}

impl<'a> Report<'a> {
    /// A folder that was only looked at.
    pub(super) const fn new(host: &'a Host, folder: &'a HostPath, before: Survey) -> Self {
        Self { host, folder, before, command: None, done: None }
    }

    /// What is there now.
    fn now(&self) -> &Survey {
        self.done.as_ref().map_or(&self.before, |done| &done.after)
    }

    /// What it means to a script.
    pub(super) fn exit(&self) -> Exit {
        let has_failed = self.done.as_ref().is_some_and(|done| done.answer.is_err());
        if self.now().is_fine() && !has_failed { Exit::Success } else { Exit::Failed }
    }

    /// The line with `sudo` for what is to be taken.
    fn sudo(&self) -> Option<String> {
        let owners: BTreeSet<u32> = self.now().foreign.iter().map(|found| found.owner).collect();
        let folder = self.folder.as_path().to_owned();
        (!owners.is_empty()).then(|| sudo_line(self.host.uid, &[folder], &owners))
    }

    /// As lines.
    pub(super) fn text(&self) -> String {
        let mut lines = Lines::default();
        let folder = self.folder.as_str();
        let Survey { entries, foreign, .. } = &self.before;
        if foreign.is_empty() {
            let rest = if self.before.is_fine() { "all yours" } else { "nothing to reclaim" };
            lines.add(format!("`{folder}`: {entries} entries, {rest}"));
        } else {
            lines.add(format!(
                "`{folder}`: {} of {entries} entries are not yours: {}",
                foreign.len(),
                kinds(foreign)
            ));
            lines.some("  ", foreign, |Foreign { path, owner, is_folder, bytes }| {
                let what = if *is_folder { "folder".to_owned() } else { units::bytes(*bytes) };
                format!("uid {owner}, {what}: `{}`", shown(path))
            });
        }
        if let Some(done) = &self.done {
            match &done.answer {
                Ok(answer) => lines.add(format!("reclaimed: {}", answer.reclaimed)),
                Err(error) => lines.add(format!("failed: {error:#}")),
            }
            lines.some("failed: ", &done.failed(), |(path, error)| {
                format!("`{}`: {error}", shown(path))
            });
        }
        let Survey { left, closed, .. } = self.now();
        lines.some("left alone: ", left, |(path, why)| format!("`{}`: {why}", shown(path)));
        lines.some("cannot be looked into: ", closed, |Closed { path, error }| {
            format!("`{}`: {error}", shown(path))
        });
        match &self.command {
            Some(Ok(command)) if self.done.is_none() => {
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

    /// For machines.
    pub(super) fn json(&self) -> Value {
        let path = |path: &Path| path.to_string_lossy().into_owned();
        let rows = self.before.foreign.iter();
        let foreign = rows.map(|Foreign { path: at, owner, is_folder, bytes }| {
            json!({"path": path(at), "uid": owner, "folder": is_folder, "bytes": bytes})
        });
        let now = self.now();
        let left = now.left.iter().map(|(at, why)| json!({"path": path(at), "reason": why}));
        let closed = now.closed.iter();
        let closed =
            closed.map(|Closed { path: at, error }| json!({"path": path(at), "error": error}));
        let failed = self.done.as_ref().map(Done::failed).unwrap_or_default();
        let failed = failed.iter().map(|(at, error)| json!({"path": path(at), "error": error}));
        let answer = self.done.as_ref().map(|done| &done.answer);
        let command = self.command.as_ref();
        let why = command
            .and_then(|command| command.as_ref().err())
            .or_else(|| answer?.as_ref().err())
            .map(|error| format!("{error:#}"));
        json!({
            "path": self.folder,
            "entries": now.entries,
            "foreign": foreign.collect::<Vec<_>>(),
            "command": command.and_then(|command| Some(command.as_ref().ok()?.argv())),
            "reclaimed": answer.and_then(|answer| Some(answer.as_ref().ok()?.reclaimed)),
            "failed": failed.collect::<Vec<_>>(),
            "error": why,
            "left_alone": left.collect::<Vec<_>>(),
            "closed": closed.collect::<Vec<_>>(),
            "sudo": self.sudo(),
            "all_yours": self.exit() == Exit::Success,
        })
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
