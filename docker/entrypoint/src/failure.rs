//! Errors that are the caller's, and what an error makes of the exit code.

use std::{fmt, time::Duration};

use streams::Stream;

use untrusted::escape;

/// Exit code of a run that failed.
pub(crate) const FAILED: u8 = 1;
/// Exit code of a command that was not understood.
pub(crate) const USAGE: u8 = 2;

/// What was asked for makes no sense; another try needs other arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Usage(pub(crate) String);

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// Prints `error` and gives the exit code for it.
pub(crate) fn report(error: &anyhow::Error) -> u8 {
    say(&format!("error: {error:#}"));
    if error.is::<Usage>() { USAGE } else { FAILED }
}

/// How long a line waits for its reader.
const PATIENCE: Duration = Duration::from_secs(1);

/// Prints a line on standard error, if anybody still reads it: unlike `eprintln!`, it survives a
/// reader that is gone or asleep. It stays one line, and names of files in it do nothing to a terminal.
pub(crate) fn say(line: &str) {
    let _ = Stream::Err.write_within(format!("{}\n", escape(line)).as_bytes(), PATIENCE);
}
