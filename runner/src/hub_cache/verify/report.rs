//! A verification as lines and as JSON.

use std::fmt::Write as _;

use serde_json::{Value, json};

use untrusted::escape;

use super::{Tally, Verification};
use crate::{
    checks::Severity,
    exit::Exit,
    hub_cache::breakage::{Breakage, Fix},
    units::bytes,
};

impl Verification {
    /// How many findings are this bad.
    fn count(&self, severity: Severity) -> usize {
        self.breakages.iter().filter(|breakage| breakage.what.severity() == severity).count()
    }

    /// One line for each finding, what to do below it, and the sum of it all.
    pub fn lines(&self) -> String {
        let mut text = String::new();
        for breakage in &self.breakages {
            let Breakage { what, path, repo: _, bytes: held, evidence, fixes } = breakage;
            let severity = what.severity();
            let place = match path.as_os_str().is_empty() {
                true => self.path.display().to_string(),
                false => path.display().to_string(),
            };
            let held = if *held > 0 { format!(" ({})", bytes(*held)) } else { String::new() };
            let line = format!("{severity:<8}{:<19} {place}{held}: {evidence}", what.name());
            let remedy = match fixes.as_slice() {
                [] => "",
                [Fix::TakeBack { .. }] => {
                    "; `cache repair` takes back what is root's or a container's"
                }
                _ => "; `cache repair` mends it",
            };
            writeln!(text, "{}\n        {}{remedy}", escape(&line), what.remedy())
                .expect("a String takes all");
        }
        writeln!(text, "{}", self.sum()).expect("a String takes all");
        text
    }

    fn sum(&self) -> String {
        let [errors, warnings, notes] =
            [Severity::Error, Severity::Warning, Severity::Note].map(|level| self.count(level));
        let far = if self.interrupted {
            "interrupted; what was read is remembered, so another run goes on from here: "
        } else {
            ""
        };
        format!("{far}{}: {errors} error(s), {warnings} warning(s), {notes} note(s)", self.extent())
    }

    /// The same for machines.
    pub fn json(&self) -> Value {
        let findings: Vec<_> = self
            .breakages
            .iter()
            .map(|Breakage { what, path, repo, bytes, evidence, fixes }| {
                json!({
                    "severity": what.severity(),
                    "what": what,
                    "path": path.to_string_lossy(),
                    "repo": repo.as_ref().map(|repo| json!({"type": repo.kind, "id": repo.id})),
                    "bytes": bytes,
                    "evidence": evidence,
                    "remedy": what.remedy(),
                    "repair": fixes.iter().map(Fix::describe).collect::<Vec<_>>(),
                })
            })
            .collect();
        let Tally { hashed, hashed_bytes, remembered, unverifiable, unchecked } = self.tally;
        json!({
            "path": self.path.to_string_lossy(),
            "errors": self.count(Severity::Error),
            "warnings": self.count(Severity::Warning),
            "notes": self.count(Severity::Note),
            "interrupted": self.interrupted,
            "checked": {
                "repos": self.repos,
                "hashed": hashed,
                "hashed_bytes": hashed_bytes,
                "remembered": remembered,
                "unverifiable": unverifiable,
                "unchecked": unchecked,
            },
            "findings": findings,
        })
    }

    /// What it means to a script, when nobody stopped it.
    pub fn exit(&self) -> Exit {
        if self.count(Severity::Error) > 0 { Exit::Failed } else { Exit::Success }
    }
}
