//! Reads JSON files as Python writes them.

use std::borrow::Cow;

use anyhow::{Context, anyhow, bail, ensure};
use serde_json::Value;

use super::folder::Folder;

/// Size limit of a file. The stacks write some kB, the `native` backend some MB for a thousand answers.
const MOST_BYTES: u64 = 64 << 20;
/// Limit of commas. A value takes 2 bytes in the file, as in `0,`, and 72 in memory. Texts have commas,
/// too.
const MOST_COMMAS: usize = 2_000_000;

/// Python's names for NaN and infinities, which it writes although JSON has none.
pub(crate) const NO_NUMBERS: [&str; 3] = ["-Infinity", "Infinity", "NaN"];

/// Value of the file `name` in `folder`, if it exists.
///
/// # Errors
/// When it is unreadable, a symlink, too large or invalid JSON.
pub fn read(folder: &Folder, name: &str) -> anyhow::Result<Option<Value>> {
    let shown = folder.shown(name);
    let text = folder.dir().read_if_there(name, MOST_BYTES);
    let Some(text) = text.with_context(|| format!("reading `{shown}`"))? else { return Ok(None) };
    let value = parse(&text);
    value.map(Some).with_context(|| format!("`{shown}` is not what it should be"))
}

/// Parses JSON. NaN and infinities become strings, which are refused where a number is needed.
fn parse(text: &[u8]) -> anyhow::Result<Value> {
    let commas = text.iter().filter(|byte| matches!(byte, b',' | b'[' | b'{')).count();
    ensure!(commas <= MOST_COMMAS, "it has more than {MOST_COMMAS} values; {AGAIN}");
    let text = str::from_utf8(text).map_err(|error| {
        anyhow!("it is no UTF-8 text from byte {} on; save it as UTF-8", error.valid_up_to())
    })?;
    if text.trim().is_empty() {
        bail!("it is empty: what should have written it did not get so far; {AGAIN}");
    }
    serde_json::from_str(&quote(text)).map_err(|error| {
        if error.is_eof() {
            anyhow!("it is cut off ({error}): what wrote it was ended; {AGAIN}")
        } else {
            anyhow!("it is no JSON as the stacks write it: {error}; {AGAIN}")
        }
    })
}

/// Hint for a file that only a run can write.
pub(crate) const AGAIN: &str = "run the benchmark again";

/// Puts NaN and infinities in quotes, so that the text is JSON.
fn quote(text: &str) -> Cow<'_, str> {
    if !NO_NUMBERS.iter().any(|name| text.contains(name)) {
        return text.into();
    }
    let (mut quoted, mut rest) = (String::with_capacity(text.len()), text);
    let (mut inside, mut escaped) = (false, false);
    while let Some(char) = rest.chars().next() {
        let name = NO_NUMBERS.iter().find(|name| !inside && rest.starts_with(*name));
        let taken = name.map_or(char.len_utf8(), |name| name.len());
        if let Some(name) = name {
            quoted.extend(["\"", name, "\""]);
        } else {
            inside ^= char == '"' && !escaped;
            escaped = char == '\\' && !escaped;
            quoted.push(char);
        }
        rest = &rest[taken..];
    }
    quoted.into()
}

#[cfg(test)]
mod properties;

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::{fs::symlink, net::UnixListener},
    };

    use serde_json::json;

    use super::{Folder, MOST_BYTES, MOST_COMMAS, parse, read};

    #[test]
    fn nan_and_infinity_are_read_as_strings() {
        let text = "{\"a\": [NaN, -Infinity, 1e3], \"NaN \\\" NaN\": \"Infinity\\\\\", \
                    \"b\": Infinity}\n";
        let value = json!({
            "a": ["NaN", "-Infinity", 1e3], "NaN \" NaN": "Infinity\\", "b": "Infinity",
        });
        assert_eq!(parse(text.as_bytes()).unwrap(), value);
        let all = json!({"a": [null, true, -1, u64::MAX, 0.1, "ü", {}, []]});
        assert_eq!(parse(all.to_string().as_bytes()).unwrap(), all);
    }

    #[test]
    fn invalid_json_is_refused_with_a_reason() {
        let deep = "[".repeat(1000);
        let many = format!("[{}0]", "0,".repeat(MOST_COMMAS));
        let broken: [&[u8]; 11] = [
            b"",
            b" \n",
            b"{\"decode\": {\"energy\"",
            b"{} {}",
            b"{\"a\": nan}",
            b"{\"a\": 1e999}",
            b"{'a': 1}",
            b"<html>",
            b"{\"a\": \"gr\xfcn\"}",
            deep.as_bytes(),
            many.as_bytes(),
        ];
        let messages = broken.map(|text| parse(text).unwrap_err().to_string());
        insta::assert_snapshot!(messages.join("\n"), @r"
        it is empty: what should have written it did not get so far; run the benchmark again
        it is empty: what should have written it did not get so far; run the benchmark again
        it is cut off (EOF while parsing an object at line 1 column 20): what wrote it was ended; run the benchmark again
        it is no JSON as the stacks write it: trailing characters at line 1 column 4; run the benchmark again
        it is no JSON as the stacks write it: expected ident at line 1 column 8; run the benchmark again
        it is no JSON as the stacks write it: number out of range at line 1 column 11; run the benchmark again
        it is no JSON as the stacks write it: key must be a string at line 1 column 2; run the benchmark again
        it is no JSON as the stacks write it: expected value at line 1 column 1; run the benchmark again
        it is no UTF-8 text from byte 9 on; save it as UTF-8
        it is no JSON as the stacks write it: recursion limit exceeded at line 1 column 128; run the benchmark again
        it has more than 2000000 values; run the benchmark again
        ");
    }

    #[test]
    fn only_regular_files_up_to_the_size_limit_are_read() {
        let place = tempfile::tempdir().unwrap();
        let path = |name: &str| place.path().join(name);
        let folder = Folder::open(place.path()).unwrap();
        assert_eq!(read(&folder, "missing").unwrap(), None);
        fs::create_dir(path("folder")).unwrap();
        let _socket = UnixListener::bind(path("socket")).unwrap();
        fs::File::create(path("large")).unwrap().set_len(200 << 20).unwrap();
        fs::write(path("some"), format!("[]{}", " ".repeat(MOST_BYTES as usize >> 4))).unwrap();
        symlink("some", path("link")).unwrap();
        let messages = ["folder", "socket", "large", "link"]
            .map(|name| format!("{:#}", read(&folder, name).unwrap_err()))
            .map(|message| message.replace(place.path().to_str().unwrap(), ""));
        insta::assert_snapshot!(messages.join("\n"), @r"
        reading `/folder`: it is a folder, not a regular file
        reading `/socket`: it is a socket, not a regular file
        reading `/large`: it is larger than 64 MiB
        reading `/link`: a symlink is in its path, and is not followed
        ");
        assert_eq!(read(&folder, "some").unwrap(), Some(json!([])));
    }
}
