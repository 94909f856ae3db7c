//! Our two streams, whose readers may leave early.

use std::{
    fmt::Display,
    io::{self, Write as _},
};

use anyhow::Context as _;
use streams::Stream;
use untrusted::escape;

/// Prints lines of `text` to standard output. What a terminal would obey in them does nothing: a
/// form that can carry it, as JSON does, writes it in its own way before. That nobody reads any
/// more, as behind `| head`, is no error, and neither is a reader that does not read after we were
/// asked to end.
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

/// Characters of a line of standard output, if that is a terminal which tells.
pub fn width() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
    Some(usize::from(size.ws_col)).filter(|width| *width > 0)
}

/// Says a line to whoever reads standard error. It stays one line, and names and others' text in it
/// do nothing to a terminal: a message of several lines is said line by line. Where nobody reads, or
/// the disk behind it is full, the work goes on: a run must not die of a lost terminal.
pub fn say(line: impl Display) {
    // One write, so that lines of several programs do not mix. There is nowhere to report to.
    let _ = Stream::Err.write_all(format!("{}\n", escape(&line.to_string())).as_bytes());
}

/// [`say`] for a warning, if there is one.
pub fn warn(warning: Option<impl Display>) {
    if let Some(text) = warning {
        say(format_args!("warning: {text}"));
    }
}
