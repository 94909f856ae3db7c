//! Whether a file in safetensors is whole, by its header.

use std::{collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor},
};

use super::{
    Fault,
    content::{Content, truncated},
};
use crate::units::bytes;

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
    let header: Header = serde_json::from_slice(&header).map_err(|_| none())?;
    let expected = data.saturating_add(header.end);
    if expected > size {
        return Err(cut(expected));
    }
    if expected < size {
        let more = bytes(size - expected);
        return Err(damaged(format!("longer than its header says, by {more}")));
    }
    if header.metadata.is_some_and(|format| !FORMATS.contains(&format.as_str())) {
        return Err(damaged("not of a format that transformers loads".to_owned()));
    }
    Ok(())
}

/// What a header says.
#[derive(Debug, Default)]
struct Header {
    /// Where the last tensor ends, behind the header.
    end: u64,
    /// What it was saved by, if there are metadata.
    metadata: Option<String>,
}

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Header;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("tensors by name")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header, A::Error> {
                let mut header = Header::default();
                while let Some(name) = map.next_key::<String>()? {
                    if name == "__metadata__" {
                        let mut all: BTreeMap<String, String> = map.next_value()?;
                        header.metadata = Some(all.remove("format").unwrap_or_default());
                    } else {
                        let Tensor { data_offsets: (_, end), .. } = map.next_value()?;
                        header.end = header.end.max(end);
                    }
                }
                Ok(header)
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

#[derive(Debug, Deserialize)]
struct Tensor {
    #[serde(rename = "dtype")]
    _dtype: IgnoredAny,
    data_offsets: (u64, u64),
}
