//! Errors in the guides, with file and line.

use std::fmt;

/// An error at a line of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Diagnostic {
    pub(super) file: String,
    pub(super) line: usize,
    pub(super) message: String,
}

/// All errors of all guides. Never empty.
#[derive(Debug)]
pub(super) struct Diagnostics(pub(super) Vec<Diagnostic>);

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the guides cannot be rendered:")?;
        self.0.iter().try_for_each(|Diagnostic { file, line, message }| {
            write!(f, "\n{file}:{line}: {message}")
        })
    }
}

impl std::error::Error for Diagnostics {}
