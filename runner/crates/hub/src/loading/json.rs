//! JSON as Python reads it.

use std::io;

use serde_json::Value;

use super::{
    content::{Content, absent},
    fault::Fault,
    files::{Files, Look},
};

/// Bytes of the largest JSON file that is read as a whole.
const LARGEST: u64 = 32 << 20;

/// The JSON in the file `name`; none when there is no such file, or nobody knows what it holds.
///
/// # Errors
/// When Python could not read it.
pub(super) fn if_there(files: &impl Files, name: &str) -> Result<Option<Value>, Fault> {
    if files.look(name).is_there() { must(files, name) } else { Ok(None) }
}

/// The JSON in the file `name`; none when nobody knows what it holds.
///
/// # Errors
/// When it is missing, or Python could not read it.
pub(super) fn must(files: &impl Files, name: &str) -> Result<Option<Value>, Fault> {
    let look = files.look(name);
    let Look::There(size) = look else { return absent(name, &look).map_or(Ok(None), Err) };
    let Some(mut content) = Content::open(files, name, size)? else { return Ok(None) };
    if size > LARGEST {
        return Ok(None);
    }
    let closed = |error: io::Error| Fault::closed(name, &error);
    let bytes = content.at(0, LARGEST).map_err(closed)?;
    read(&bytes).map_err(|why| Fault::damaged(format!("`{name}` is not JSON: {why}")))
}

/// Reads what Python's `json` reads; none where that takes more than JSON: half of a pair of
/// surrogates for a character, `NaN` and `Infinity` for numbers.
fn read(bytes: &[u8]) -> Result<Option<Value>, String> {
    let error = match serde_json::from_slice(bytes) {
        Ok(value) => return Ok(Some(value)),
        Err(error) => error.to_string(),
    };
    let text = String::from_utf8_lossy(bytes);
    let is_pythons = ["surrogate", "hex escape"].iter().any(|part| error.contains(part))
        || ["NaN", "Infinity"].iter().any(|number| text.contains(number));
    if is_pythons { Ok(None) } else { Err(error) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::read;

    #[test]
    fn what_python_reads_is_read_or_unknown() {
        let text = br#"{"limit": [0.0, Infinity], "n": NaN}"#;
        assert_eq!(read(text).unwrap(), None);
        assert_eq!(read(br#"{"a": "NaN"}"#).unwrap(), Some(json!({"a": "NaN"})));
        assert_eq!(read(br#"["\ud800"]"#).unwrap(), None);
        for text in [&b""[..], b"{", b"\xef\xbb\xbf{}", b"{} x", b"\xff"] {
            assert!(read(text).is_err(), "{text:?}");
        }
    }
}
