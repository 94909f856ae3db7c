//! Standard output, whose reader may leave early.

use std::io::{self, Write as _};

use anyhow::Context as _;

/// Prints `text`. That nobody reads any more, as behind `| head`, is no error.
///
/// # Errors
/// When standard output cannot be written for another reason.
pub fn print(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("writing to standard output")
        }
        _ => Ok(()),
    }
}
