//! Runs other programs and shows their output on standard error.

use std::{
    io::{self, Write as _},
    process::{Command, ExitStatus, Stdio},
};

use anyhow::Context as _;
use xshell::Cmd;

/// Runs a command with `input` on its standard input, and shows its output as it comes. The caller
/// checks the exit status.
///
/// # Errors
/// When the program cannot be started.
pub(crate) fn stream(command: Cmd<'_>, input: &[u8]) -> anyhow::Result<ExitStatus> {
    let mut command = Command::from(command);
    let program = command.get_program().display().to_string();
    let mut child = command
        .stdin(if input.is_empty() { Stdio::null() } else { Stdio::piped() })
        .stdout(io::stderr())
        .spawn()
        .with_context(|| format!("starting `{program}`; is it installed and on PATH?"))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A broken pipe means that the program ended early. Its exit status says so.
        let _ = stdin.write_all(input);
    }
    child.wait().with_context(|| format!("waiting for `{program}`"))
}
