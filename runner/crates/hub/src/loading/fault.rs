//! Why a model or a dataset cannot be loaded.

/// A reason why a load must fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The reason, as the user reads it.
    pub message: String,
    /// How to fix it.
    pub remedy: Remedy,
}

/// How a fault is fixed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// Files are missing: download them.
    Download,
    /// Files are corrupt: move them away first, because a client does not download over them.
    Replace,
    /// The fault's message names the remedy.
    InMessage,
    /// Permission was denied or the disk failed, so the content is unknown.
    Unreachable,
}

impl Fault {
    pub(crate) fn missing(message: impl Into<String>) -> Self {
        Self { message: message.into(), remedy: Remedy::Download }
    }

    pub(super) fn corrupt(message: impl Into<String>) -> Self {
        Self { message: message.into(), remedy: Remedy::Replace }
    }

    pub(super) fn unreadable(name: &str, error: &std::io::Error) -> Self {
        Self { message: format!("`{name}` cannot be read: {error}"), remedy: Remedy::Unreachable }
    }

    pub(crate) fn explained(message: impl Into<String>) -> Self {
        Self { message: message.into(), remedy: Remedy::InMessage }
    }
}

/// Warnings about what loads as far as is known, or the reason why it cannot load.
pub type Verdict = Result<Vec<String>, Fault>;

/// How many names a message lists.
const MOST_NAMES: usize = 5;

/// Lists the first of `names`, and counts the rest.
pub(super) fn list_names<'a>(names: impl IntoIterator<Item = &'a String>) -> String {
    let names: Vec<_> = names.into_iter().map(|name| format!("`{name}`")).collect();
    let more = names.len().saturating_sub(MOST_NAMES);
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{rest}", names[..names.len() - more].join(", "))
}
