//! Renders the findings of a verification as text and as JSON, with the fixes that a repair would choose.

use std::fmt::Write as _;

use host::{
    exit::Exit,
    output::{severity::Severity, units},
};
use serde_json::{Value, json};
use untrusted::escape;

use super::{
    finding::{Details, Finding},
    repair::{Choice, Fix, choose},
    verify::{Tally, Verification},
};

/// A verification, and the fixes that a repair would choose.
#[derive(Debug)]
pub struct Report {
    verification: Verification,
    choices: Vec<Choice>,
}

impl Report {
    /// The report on a verification.
    ///
    /// # Errors
    /// When the cache cannot be opened any more.
    pub fn of(verification: Verification) -> anyhow::Result<Self> {
        let choices = choose(&verification.path, &verification.findings)?;
        Ok(Self { verification, choices })
    }

    /// The findings, each with whether it is repairable.
    pub fn findings(&self) -> impl Iterator<Item = (&Finding, bool)> {
        self.with_choices().map(|(finding, choice)| (finding, !choice.fixes.is_empty()))
    }

    /// The findings, each with its fixes.
    fn with_choices(&self) -> impl Iterator<Item = (&Finding, &Choice)> {
        self.verification.findings.iter().zip(&self.choices)
    }

    /// Number of findings with this severity.
    fn count(&self, severity: Severity) -> usize {
        let findings = self.verification.findings.iter();
        findings.filter(|finding| finding.problem.severity() == severity).count()
    }

    /// Two lines for each finding, then the totals.
    pub fn lines(&self) -> String {
        let mut text = String::new();
        for (finding, choice) in self.with_choices() {
            let Finding { problem, path, bytes, details, .. } = finding;
            let shown_path = match path.as_os_str().is_empty() {
                true => self.verification.path.display(),
                false => path.display(),
            };
            let size =
                if *bytes > 0 { format!(" ({})", units::bytes(*bytes)) } else { String::new() };
            let (severity, name) = (problem.severity(), problem.name());
            let line = format!(
                "{severity:<8}{name:<19} {shown_path}{size}: {}",
                evidence(finding, choice)
            );
            let remedy = match (choice.fixes.is_empty(), details) {
                (true, _) => "",
                (false, Details::Owned(_)) => {
                    "; `cache repair` takes back what is root's or a container's"
                }
                (false, _) => "; `cache repair` mends it",
            };
            writeln!(text, "{}\n        {}{remedy}", escape(&line), problem.advice())
                .expect("a String takes all");
        }
        writeln!(text, "{}", self.totals()).expect("a String takes all");
        text
    }

    /// Counts of checked files and of findings, on one line.
    fn totals(&self) -> String {
        let [errors, warnings, notes] =
            [Severity::Error, Severity::Warning, Severity::Note].map(|level| self.count(level));
        let prefix = if self.verification.interrupted {
            "interrupted; what was read is remembered, so another run goes on from here: "
        } else {
            ""
        };
        format!(
            "{prefix}{}: {errors} error(s), {warnings} warning(s), {notes} note(s)",
            self.extent()
        )
    }

    /// Counts of checked repos and files.
    fn extent(&self) -> String {
        let Tally { hashed, hashed_bytes, remembered, unverifiable, unchecked } =
            self.verification.tally;
        let mut parts = vec![format!("{} repo(s)", self.verification.repos)];
        if hashed + remembered + unverifiable + unchecked > 0 {
            parts.push(format!("{hashed} file(s) read ({})", units::bytes(hashed_bytes)));
            parts.push(format!("{remembered} unchanged since an earlier check"));
        }
        for (count, what) in
            [(unverifiable, "without a digest to compare"), (unchecked, "not checked")]
        {
            if count > 0 {
                parts.push(format!("{count} {what}"));
            }
        }
        parts.join(", ")
    }

    /// The report as JSON.
    pub fn json(&self) -> Value {
        let findings: Vec<_> = self
            .with_choices()
            .map(|(finding, choice)| {
                let Finding { problem, path, repo, bytes, .. } = finding;
                json!({
                    "severity": problem.severity(),
                    "what": problem,
                    "path": path.to_string_lossy(),
                    "repo": repo,
                    "bytes": bytes,
                    "evidence": evidence(finding, choice),
                    "remedy": problem.advice(),
                    "repair": choice.fixes.iter().map(Fix::describe).collect::<Vec<_>>(),
                })
            })
            .collect();
        let Verification { path, repos, tally, interrupted, .. } = &self.verification;
        let Tally { hashed, hashed_bytes, remembered, unverifiable, unchecked } = tally;
        json!({
            "path": path.to_string_lossy(),
            "errors": self.count(Severity::Error),
            "warnings": self.count(Severity::Warning),
            "notes": self.count(Severity::Note),
            "interrupted": interrupted,
            "checked": {
                "repos": repos,
                "hashed": hashed,
                "hashed_bytes": hashed_bytes,
                "remembered": remembered,
                "unverifiable": unverifiable,
                "unchecked": unchecked,
            },
            "findings": findings,
        })
    }

    /// Exit code, unless the user interrupted.
    pub fn exit(&self) -> Exit {
        if self.count(Severity::Error) > 0 { Exit::Failed } else { Exit::Success }
    }
}

/// Evidence of a finding, and the reason why it is not repaired.
fn evidence(finding: &Finding, choice: &Choice) -> String {
    let Finding { evidence, .. } = finding;
    match &choice.behind_symlink {
        Some(link) => format!(
            "{evidence}; it lies behind the link `{}`, where no repair goes",
            link.display()
        ),
        None => evidence.clone(),
    }
}
