//! The one door to other programs.

use std::os::unix::process::CommandExt as _;

use anyhow::Context as _;

/// What a short command said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Captured {
    /// Exit code; 128+n for signal n.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// Runs a command to its end, without input, and keeps what it says.
///
/// # Errors
/// When the program cannot be started. Its exit code is the caller's to judge.
pub fn capture(argv: &[impl AsRef<str>]) -> anyhow::Result<Captured> {
    capture_with_env(argv, [])
}

/// [`capture`] with variables on top of ours.
///
/// # Errors
/// As [`capture`].
pub fn capture_with_env<'a>(
    argv: &[impl AsRef<str>],
    env: impl IntoIterator<Item = (&'a str, String)>,
) -> anyhow::Result<Captured> {
    let words = argv.iter().map(AsRef::as_ref).collect::<Vec<_>>();
    let [program, args @ ..] = words.as_slice() else { anyhow::bail!("an empty command") };
    let command = env
        .into_iter()
        .fold(duct::cmd(*program, args), |command, (name, value)| command.env(name, value));
    let output = command
        .before_spawn(|command| {
            // The terminal's Ctrl-C is for us: our questions are to be answered even then.
            command.process_group(0);
            Ok(())
        })
        .stdin_null()
        .stdout_capture()
        .stderr_capture()
        .unchecked()
        .run()
        .with_context(|| format!("starting `{program}`; is it installed and on PATH?"))?;
    Ok(Captured {
        code: exit_code(output.status),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// The code as a shell tells it: 128+n for signal n.
pub fn exit_code(status: std::process::ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt as _;
    status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1)
}
