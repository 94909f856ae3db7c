//! Sizes for people.

use std::fmt;

use serde::Serialize;

/// The size of an image, as its engine tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Size {
    pub(crate) bytes: u64,
    /// Whether its layers are counted compressed, as containerd's image store keeps them.
    pub(crate) compressed: bool,
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&megabytes(self.bytes))?;
        f.write_str(if self.compressed { " compressed" } else { "" })
    }
}

/// Bytes in the unit of 10⁶ that disks are sold in.
pub(crate) fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}
