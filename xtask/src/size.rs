//! Sizes for people.

/// Bytes in the unit of 10⁶ that disks are sold in.
pub(crate) fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}
