//! Errors on standard error, and their exit codes.

use std::time::Duration;

use contract::exit::{FAILED, USAGE, Usage};
use streams::Stream;
use untrusted::escape;

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
