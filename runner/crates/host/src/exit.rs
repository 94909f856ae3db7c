//! Exit codes, and the error that means wrong usage.

use std::process::ExitCode;

/// How the program ends. Scripts rely on the codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Success.
    Success,
    /// Failure, or a finding of `verify` that is an error.
    Failed,
    /// Invalid command line or environment.
    Usage,
    /// The benchmark's own exit code, or 128+n after signal n.
    Benchmark(u8),
}

impl Exit {
    /// The exit code.
    pub const fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Benchmark(code) => code,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}

/// An error in what the caller asked for. The program ends with [`Exit::Usage`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Usage(pub String);

impl std::fmt::Display for Usage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}
