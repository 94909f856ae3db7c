//! Why a model or a dataset cannot be loaded.

/// What a loader must stumble over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What it is, in words.
    pub what: String,
    /// What helps.
    pub remedy: Remedy,
}

/// What helps against a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// Files are missing: to download the rest.
    Download,
    /// Bytes are damaged: a client does not download over them.
    Replace,
    /// The fault says it.
    Said,
    /// It is closed to this user, or its disk fails, so nobody knows.
    OutOfSight,
}

impl Fault {
    pub(super) fn absent(what: impl Into<String>) -> Self {
        Self { what: what.into(), remedy: Remedy::Download }
    }

    pub(super) fn damaged(what: impl Into<String>) -> Self {
        Self { what: what.into(), remedy: Remedy::Replace }
    }

    pub(super) fn closed(name: &str, error: &std::io::Error) -> Self {
        Self { what: format!("`{name}` cannot be read: {error}"), remedy: Remedy::OutOfSight }
    }

    pub(super) fn said(what: impl Into<String>) -> Self {
        Self { what: what.into(), remedy: Remedy::Said }
    }
}

/// Doubts about what loads as far as can be known, or why it cannot load.
pub type Verdict = Result<Vec<String>, Fault>;

/// How many names a message lists.
const SHOWN: usize = 5;

/// The first of `names`, and how many more there are.
pub(super) fn shown<'a>(names: impl IntoIterator<Item = &'a String>) -> String {
    let names: Vec<_> = names.into_iter().map(|name| format!("`{name}`")).collect();
    let more = names.len().saturating_sub(SHOWN);
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{rest}", names[..names.len() - more].join(", "))
}
