//! Findings of `aienergyscore verify`, and their output as text and JSON.

pub use host::output::severity::Severity;
use host::{exit::Exit, output::json_text::json_text};
use serde::Serialize;
use serde_json::json;
use untrusted::escape;

/// Result of one check of `verify`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Severity.
    pub severity: Severity,
    /// Name of the check.
    pub check: &'static str,
    /// What was checked, such as a path.
    pub subject: String,
    /// Observation and remedy.
    pub text: String,
}

impl Finding {
    /// A check that passed.
    pub fn ok(check: &'static str, subject: impl Into<String>, text: String) -> Self {
        Self { severity: Severity::Ok, check, subject: subject.into(), text }
    }

    /// A fact without consequence for a run.
    pub fn note(check: &'static str, subject: impl Into<String>, text: String) -> Self {
        Self { severity: Severity::Note, check, subject: subject.into(), text }
    }

    /// A problem that does not stop a run.
    pub fn warning(check: &'static str, subject: impl Into<String>, text: String) -> Self {
        Self { severity: Severity::Warning, check, subject: subject.into(), text }
    }

    /// A problem that stops a run.
    pub fn error(check: &'static str, subject: impl Into<String>, text: String) -> Self {
        Self { severity: Severity::Error, check, subject: subject.into(), text }
    }
}

/// Findings as lines of text, or as one JSON object.
pub fn render(findings: &[Finding], as_json: bool) -> String {
    let count = |severity| findings.iter().filter(|f| f.severity == severity).count();
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    if as_json {
        let value = json!({ "errors": errors, "warnings": warnings, "findings": findings });
        return json_text(&value);
    }
    let lines = findings.iter().map(|Finding { severity, check, subject, text }| {
        let (subject, text) = (escape(subject), escape(text));
        format!("{severity:<8}{check:<9}{subject}: {text}\n")
    });
    lines.chain([format!("{errors} error(s), {warnings} warning(s)\n")]).collect()
}

/// Exit code for these findings: failed if one is an error.
pub fn exit(findings: &[Finding]) -> Exit {
    if has_error(findings) { Exit::Failed } else { Exit::Success }
}

/// Whether a run would be stopped.
pub(super) fn has_error(findings: &[Finding]) -> bool {
    findings.iter().any(|finding| finding.severity == Severity::Error)
}

#[cfg(test)]
mod tests {
    use super::{Exit, Finding, exit, render};

    #[test]
    fn exit_code_is_failed_for_an_error_and_not_for_a_warning() {
        let ok = Finding::ok("user", "uid 1", "fine".into());
        let warning = Finding::warning("gpus", "2", "unused".into());
        let error = Finding::error("token", "/t", "open to others".into());
        assert_eq!(exit(&[ok.clone(), warning.clone()]), Exit::Success);
        let all = [ok, warning, error];
        assert_eq!(exit(&all), Exit::Failed);
        insta::assert_snapshot!(render(&all, false), @r"
        ok      user     uid 1: fine
        warning gpus     2: unused
        error   token    /t: open to others
        1 error(s), 1 warning(s)
        ");
        let json: serde_json::Value = serde_json::from_str(&render(&all, true)).unwrap();
        assert_eq!(json["errors"], 1);
        assert_eq!(json["findings"][2]["severity"], "error");
    }

    #[test]
    fn control_characters_are_escaped_in_text() {
        let odd =
            Finding::warning("cache", "/a\nb \u{fc}\u{1b}", "`/a\nb\u{202e}` is closed".into());
        insta::assert_snapshot!(render(std::slice::from_ref(&odd), false), @r"
        warning cache    /a\nb ü\u{1b}: `/a\nb\u{202e}` is closed
        0 error(s), 1 warning(s)
        ");
        let json: serde_json::Value = serde_json::from_str(&render(&[odd], true)).unwrap();
        assert_eq!(json["findings"][0]["subject"], "/a\nb \u{fc}\u{1b}");
    }
}
