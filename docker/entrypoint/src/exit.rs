//! Exit codes, and the error messages that come with them.

use std::time::Duration;

pub(crate) use contract::exit::{FAILED, USAGE, Usage, of_status as exit_code};
use streams::Stream;
use untrusted::escape;

/// How long a message waits for a reader that is asleep.
const PATIENCE: Duration = Duration::from_secs(1);

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
