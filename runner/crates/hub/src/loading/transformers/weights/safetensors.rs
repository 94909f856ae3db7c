//! Whether a safetensors file is complete, by its header.

use std::collections::BTreeMap;

use host::output::units::bytes;
use serde::{Deserialize, de::IgnoredAny};

use crate::loading::{
    content::{Content, truncated},
    fault::Fault,
};

/// Size limit of a header that is parsed. The header of fifty thousand tensors is a tenth of it.
const LARGEST_HEADER: u64 = 64 << 20;

/// Values of `format` in the metadata that transformers loads.
const FORMATS: [&str; 4] = ["pt", "tf", "flax", "mlx"];

/// Checks the file `name`.
///
/// # Errors
/// When it cannot be loaded.
pub(super) fn check(name: &str, mut content: Content) -> Result<(), Fault> {
    let corrupt = |what: String| Fault::corrupt(format!("`{name}` is {what}"));
    let size = content.size;
    let not_safetensors = || corrupt("not in safetensors".to_owned());
    let cut = |least: u64| corrupt(truncated(size, least));
    let length = content.head.get(..8).and_then(|length| length.try_into().ok());
    let length = length.map(u64::from_le_bytes).ok_or_else(not_safetensors)?;
    let begins = content.head.get(8).is_none_or(|byte| *byte == b'{');
    // The safetensors library refuses a longer header.
    if length > 100_000_000 || !begins {
        return Err(not_safetensors());
    }
    let data = length + 8;
    if data > size {
        return Err(cut(data));
    }
    if length > LARGEST_HEADER {
        return Ok(());
    }
    let unreadable = |error: std::io::Error| Fault::unreadable(name, &error);
    let header = content.read_at(8, length).map_err(unreadable)?;
    let header: BTreeMap<String, Entry> =
        serde_json::from_slice(&header).map_err(|_| not_safetensors())?;
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
        return Err(corrupt(format!("longer than its header says, by {more}")));
    }
    let known = |metadata: &BTreeMap<String, String>| {
        metadata.get("format").is_some_and(|format| FORMATS.contains(&format.as_str()))
    };
    match header.get("__metadata__") {
        Some(Entry::Metadata(metadata)) if !known(metadata) => {
            Err(corrupt("not of a format that transformers loads".to_owned()))
        }
        _ => Ok(()),
    }
}

/// A value of the header, by name.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Entry {
    /// A tensor.
    Tensor {
        #[serde(rename = "dtype")]
        _dtype: IgnoredAny,
        /// Start and end of its data, counted from the end of the header.
        data_offsets: (u64, u64),
    },
    /// Metadata of the file, under `__metadata__`.
    Metadata(BTreeMap<String, String>),
}
