//! Exit codes, and the error that means wrong usage.

use std::process::ExitCode;

pub use contract::exit::Usage;
use contract::exit::{FAILED, USAGE};

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
            Self::Failed => FAILED,
            Self::Usage => USAGE,
            Self::Benchmark(code) => code,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}
