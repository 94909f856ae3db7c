//! Other programs at work: what they print is progress, and goes to our standard error.

use std::{
    io::{self, Write as _},
    process::{Command, ExitStatus, Stdio},
};

use anyhow::Context as _;
use xshell::Cmd;

/// Runs a command whose output is seen as it comes, and gives it `input`. The status is the
/// caller's to judge.
///
/// # Errors
/// When the program cannot be started.
pub(crate) fn live(command: Cmd<'_>, input: &[u8]) -> anyhow::Result<ExitStatus> {
    let mut command = Command::from(command);
    let program = command.get_program().display().to_string();
    let mut child = command
        .stdin(if input.is_empty() { Stdio::null() } else { Stdio::piped() })
        .stdout(io::stderr())
        .spawn()
        .with_context(|| format!("starting `{program}`; is it installed and on PATH?"))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that does not read to the end says why by its status.
        let _ = stdin.write_all(input);
    }
    child.wait().with_context(|| format!("waiting for `{program}`"))
}
