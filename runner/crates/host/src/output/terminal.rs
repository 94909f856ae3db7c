//! Standard output and standard error, whose readers may close early.

use std::{
    fmt::Display,
    io::{self, Write as _},
};

use anyhow::Context as _;
use streams::Stream;
use untrusted::escape;

/// Prints `text` to standard output, control characters escaped. A closed pipe, as behind `| head`, is
/// not an error, nor is a reader that does not read after a signal to end.
///
/// # Errors
/// When standard output cannot be written for another reason.
pub fn print(text: &str) -> anyhow::Result<()> {
    let lines: Vec<_> = text.split('\n').map(escape).collect();
    match Stream::Out.write_all(lines.join("\n").as_bytes()) {
        Err(error)
            if !matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::TimedOut) =>
        {
            Err(error).context("writing to standard output")
        }
        _ => Ok(()),
    }
}

/// Width of the terminal in columns, if standard output is one.
pub fn width() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
    Some(usize::from(size.ws_col)).filter(|width| *width > 0)
}

/// Prints one line to standard error, control characters escaped. Write errors are ignored: a run must
/// not die of a lost terminal or a full disk.
pub fn say(line: impl Display) {
    // One write, so that lines of several programs do not mix.
    let _ = Stream::Err.write_all(format!("{}\n", escape(&line.to_string())).as_bytes());
}

/// Prints a warning, if there is one.
pub fn warn(warning: Option<impl Display>) {
    if let Some(text) = warning {
        say(format_args!("warning: {text}"));
    }
}
