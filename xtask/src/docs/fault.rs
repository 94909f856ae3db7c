//! What is wrong with a guide.

use std::fmt;

/// Something wrong at a line of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) file: String,
    pub(super) line: usize,
    pub(super) what: String,
}

/// All that is wrong, never none.
#[derive(Debug)]
pub(super) struct Faults(pub(super) Vec<Fault>);

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the guides cannot be rendered:")?;
        self.0
            .iter()
            .try_for_each(|Fault { file, line, what }| write!(f, "\n{file}:{line}: {what}"))
    }
}

impl std::error::Error for Faults {}
