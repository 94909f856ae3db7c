//! Sizes in bytes, printed for people.

use std::fmt;

use serde::Serialize;

/// The size of an image as its engine reports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Size {
    pub(crate) bytes: u64,
    /// Whether the engine counts compressed layers, as containerd's image store does.
    pub(crate) compressed: bool,
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&megabytes(self.bytes))?;
        f.write_str(if self.compressed { " compressed" } else { "" })
    }
}

/// Bytes in units of 10⁶, as disks are sold.
pub(crate) fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}
