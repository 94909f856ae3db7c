//! What the process tells its caller.

use std::process::ExitCode;

pub use contract::exit::Usage;
use contract::exit::{FAILED, USAGE};

/// Results that scripts may rely on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It worked.
    Success,
    /// It did not, or a finding of `verify` is an error.
    Failed,
    /// The command line or the environment asks for something that cannot be.
    Usage,
    /// The benchmark's own code, or 128+n after signal n.
    Benchmark(u8),
}

impl Exit {
    /// The number.
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
