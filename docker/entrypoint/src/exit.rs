//! Exit codes, and the error messages that come with them.

use std::{fmt, os::unix::process::ExitStatusExt as _, process::ExitStatus, time::Duration};

use streams::Stream;
use untrusted::escape;

/// Exit code of a run that failed.
pub(crate) const FAILED: u8 = 1;
/// Exit code for invalid arguments or variables.
pub(crate) const USAGE: u8 = 2;

/// How long a message waits for a reader that is asleep.
const PATIENCE: Duration = Duration::from_secs(1);

/// An invalid argument or variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Usage(pub(crate) String);

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// Prints `error` and returns its exit code.
pub(crate) fn report(error: &anyhow::Error) -> u8 {
    say(&format!("error: {error:#}"));
    if error.is::<Usage>() { USAGE } else { FAILED }
}

/// Prints one line to standard error, with control characters escaped. Unlike `eprintln!`, it
/// neither panics when the reader is gone nor blocks when it is asleep.
pub(crate) fn say(line: &str) {
    let _ = Stream::Err.write_within(format!("{}\n", escape(line)).as_bytes(), PATIENCE);
}

/// The exit code of another program as a shell gives it: 128+n for signal n.
pub(crate) fn exit_code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX)
}
