//! JSON files, accepted where Python's `json` accepts them.

use std::io;

use serde_json::Value;

use super::{
    content::{Content, missing_fault},
    fault::Fault,
    files::{FileState, Files},
};

/// Size limit of a JSON file that is parsed.
const LARGEST: u64 = 32 << 20;

/// Reads the file `name`. `None` when it is missing or cannot be checked.
///
/// # Errors
/// When Python could not parse it.
pub(super) fn optional(files: &impl Files, name: &str) -> Result<Option<Value>, Fault> {
    if files.state(name).is_present() { required(files, name) } else { Ok(None) }
}

/// Reads the file `name`. `None` when it cannot be checked.
///
/// # Errors
/// When it is missing, or Python could not parse it.
pub(super) fn required(files: &impl Files, name: &str) -> Result<Option<Value>, Fault> {
    let state = files.state(name);
    let FileState::Present(size) = state else {
        return missing_fault(name, &state).map_or(Ok(None), Err);
    };
    let Some(mut content) = Content::open(files, name, size)? else { return Ok(None) };
    if size > LARGEST {
        return Ok(None);
    }
    let unreadable = |error: io::Error| Fault::unreadable(name, &error);
    let bytes = content.read_at(0, LARGEST).map_err(unreadable)?;
    parse(&bytes).map_err(|why| Fault::corrupt(format!("`{name}` is not JSON: {why}")))
}

/// Parses JSON. `None` where Python accepts more than JSON: a lone surrogate, `NaN` or `Infinity`.
fn parse(bytes: &[u8]) -> Result<Option<Value>, String> {
    let error = match serde_json::from_slice(bytes) {
        Ok(value) => return Ok(Some(value)),
        Err(error) => error.to_string(),
    };
    let text = String::from_utf8_lossy(bytes);
    let only_python = ["surrogate", "hex escape"].iter().any(|part| error.contains(part))
        || ["NaN", "Infinity"].iter().any(|number| text.contains(number));
    if only_python { Ok(None) } else { Err(error) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::parse;

    #[test]
    fn json_that_only_python_accepts_is_unknown() {
        let text = br#"{"limit": [0.0, Infinity], "n": NaN}"#;
        assert_eq!(parse(text).unwrap(), None);
        assert_eq!(parse(br#"{"a": "NaN"}"#).unwrap(), Some(json!({"a": "NaN"})));
        assert_eq!(parse(br#"["\ud800"]"#).unwrap(), None);
        for text in [&b""[..], b"{", b"\xef\xbb\xbf{}", b"{} x", b"\xff"] {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }
}
