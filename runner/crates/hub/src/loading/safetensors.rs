//! Whether a file in safetensors is whole, by its header.

use std::collections::BTreeMap;

use host::output::units::bytes;
use serde::{Deserialize, de::IgnoredAny};

use super::{
    content::{Content, truncated},
    fault::Fault,
};

/// Bytes of the largest header that is read: of fifty thousand tensors it is a tenth of that.
const LARGEST_HEADER: u64 = 64 << 20;

/// What transformers takes weights of.
const FORMATS: [&str; 4] = ["pt", "tf", "flax", "mlx"];

/// Checks the file `name`.
///
/// # Errors
/// When it cannot be loaded.
pub(super) fn check(name: &str, mut content: Content) -> Result<(), Fault> {
    let damaged = |what: String| Fault::damaged(format!("`{name}` is {what}"));
    let size = content.size;
    let none = || damaged("not in safetensors".to_owned());
    let cut = |least: u64| damaged(truncated(size, least));
    let length = content.head.get(..8).and_then(|length| length.try_into().ok());
    let length = length.map(u64::from_le_bytes).ok_or_else(none)?;
    let begins = content.head.get(8).is_none_or(|byte| *byte == b'{');
    // The library takes no longer header.
    if length > 100_000_000 || !begins {
        return Err(none());
    }
    let data = length + 8;
    if data > size {
        return Err(cut(data));
    }
    if length > LARGEST_HEADER {
        return Ok(());
    }
    let closed = |error: std::io::Error| Fault::closed(name, &error);
    let header = content.at(8, length).map_err(closed)?;
    let header: BTreeMap<String, Entry> = serde_json::from_slice(&header).map_err(|_| none())?;
    let ends = header.values().map(|entry| match entry {
        Entry::Tensor { data_offsets: (_, end), .. } => *end,
        Entry::Metadata(_) => 0,
    });
    let expected = data.saturating_add(ends.max().unwrap_or(0));
    if expected > size {
        return Err(cut(expected));
    }
    if expected < size {
        let more = bytes(size - expected);
        return Err(damaged(format!("longer than its header says, by {more}")));
    }
    let known = |metadata: &BTreeMap<String, String>| {
        metadata.get("format").is_some_and(|format| FORMATS.contains(&format.as_str()))
    };
    match header.get("__metadata__") {
        Some(Entry::Metadata(metadata)) if !known(metadata) => {
            Err(damaged("not of a format that transformers loads".to_owned()))
        }
        _ => Ok(()),
    }
}

/// What a header has by name.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Entry {
    /// A tensor.
    Tensor {
        #[serde(rename = "dtype")]
        _dtype: IgnoredAny,
        /// Where it begins and ends, behind the header.
        data_offsets: (u64, u64),
    },
    /// What is said of the whole file, under `__metadata__`.
    Metadata(BTreeMap<String, String>),
}
