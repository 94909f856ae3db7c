//! JSON as Python reads it.

use std::io;

use serde_json::Value;

use super::{
    Fault, Files, Look,
    content::{Content, absent},
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

/// Reads what Python's `json` reads, which also knows `NaN` and `Infinity`; none where it reads
/// more than is read here.
fn read(bytes: &[u8]) -> Result<Option<Value>, String> {
    let error = match serde_json::from_slice(bytes) {
        Ok(value) => return Ok(Some(value)),
        Err(error) => error.to_string(),
    };
    // Half of a pair of surrogates is a character to Python.
    if error.contains("surrogate") || error.contains("hex escape") {
        return Ok(None);
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return Err(error) };
    serde_json::from_str(&without_numbers_of_python(text)).map(Some).map_err(|_| error)
}

/// `text` with zeros for `NaN` and `Infinity` outside of strings.
fn without_numbers_of_python(text: &str) -> String {
    let mut parts = Vec::new();
    let (mut rest, mut in_string) = (text, false);
    while let Some(at) = rest.find(if in_string { ['"', '\\'] } else { ['"', '"'] }) {
        let (before, after) = rest.split_at(at);
        parts.push(if in_string { before.to_owned() } else { zeros(before) });
        let taken = match after.strip_prefix('\\') {
            Some(escaped) => 1 + escaped.chars().next().map_or(0, char::len_utf8),
            None => {
                in_string = !in_string;
                1
            }
        };
        parts.push(after[..taken].to_owned());
        rest = &after[taken..];
    }
    parts.push(zeros(rest));
    parts.concat()
}

fn zeros(text: &str) -> String {
    text.replace("-Infinity", "0").replace("Infinity", "0").replace("NaN", "0")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::read;

    #[test]
    fn what_python_reads_is_read_or_unknown() {
        let text = br#"{"limit": [0.0, Infinity, -Infinity], "n": NaN, "s": "NaN \" Infinity"}"#;
        let value = json!({"limit": [0.0, 0, 0], "n": 0, "s": "NaN \" Infinity"});
        assert_eq!(read(text).unwrap(), Some(value));
        assert_eq!(read(br#"["\ud800"]"#).unwrap(), None);
        for text in [&b""[..], b"{", b"\xef\xbb\xbf{}", b"{} x", b"[Infinite]", b"\xff"] {
            assert!(read(text).is_err(), "{text:?}");
        }
    }
}
