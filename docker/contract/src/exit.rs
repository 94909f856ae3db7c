//! Exit codes of the runner and of the entrypoint.

use std::{error::Error, fmt, os::unix::process::ExitStatusExt as _, process::ExitStatus};

/// The command failed.
pub const FAILED: u8 = 1;
/// The command line or the environment asks for something impossible.
pub const USAGE: u8 = 2;
/// The entrypoint sees other folders than the runner, and has touched nothing.
pub const WRONG_MOUNTS: u8 = 121;

/// The exit code of a process as a shell reports it: 128+n after signal n.
pub fn of_status(status: ExitStatus) -> u8 {
    let code = status.code().map(|code| u8::try_from(code).unwrap_or(u8::MAX));
    code.or_else(|| status.signal().map(of_signal)).unwrap_or(u8::MAX)
}

/// The exit code that a shell reports after a signal.
pub fn of_signal(signal: i32) -> u8 {
    u8::try_from(128 + signal).unwrap_or(u8::MAX)
}

/// An error of the caller's, answered by [`USAGE`]: another try needs other arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Usage(pub String);

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Usage {}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::of_status;

    #[test]
    fn a_signal_n_is_exit_code_128_plus_n() {
        for (script, code) in [("exit 7", 7), ("kill -KILL $$", 137)] {
            let status = Command::new("sh").args(["-c", script]).status().unwrap();
            assert_eq!(of_status(status), code);
        }
    }
}
