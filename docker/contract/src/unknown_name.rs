//! Error of a name that is not in a list of known names.

use std::{error::Error, fmt};

/// An unknown name of a backend or a flavour. The message lists the known names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownName {
    kind: &'static str,
    name: String,
    known: Vec<&'static str>,
}

impl UnknownName {
    pub(crate) fn new(kind: &'static str, name: &str, known: &[&'static str]) -> Self {
        Self { kind, name: name.to_owned(), known: known.to_vec() }
    }
}

impl fmt::Display for UnknownName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, name, known } = self;
        write!(f, "unknown {kind} `{name}`; known are {}", known.join(", "))
    }
}

impl Error for UnknownName {}
