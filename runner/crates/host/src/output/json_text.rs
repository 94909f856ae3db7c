//! JSON without control characters, which is safe to print to a terminal.

use std::fmt::Write as _;

use serde_json::Value;
use untrusted::is_unseen;

/// `value` as indented JSON. Control and invisible characters are escaped.
pub fn json_text(value: &Value) -> String {
    let mut text = String::new();
    for character in format!("{value:#}\n").chars() {
        // Line feeds stand between values, all other such characters in strings.
        if character != '\n' && is_unseen(character) {
            for unit in character.encode_utf16(&mut [0; 2]) {
                write!(text, "\\u{unit:04x}").expect("a String takes all");
            }
        } else {
            text.push(character);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::{is_unseen, json_text};

    proptest! {
        #[test]
        fn any_text_survives_and_is_escaped(
            text in prop_oneof![any::<String>(), "[\u{1}-\u{a0}\u{200b}-\u{202e}\u{e0041}]{0,9}"],
        ) {
            let value = json!({ text.as_str(): [text.as_str()] });
            let shown = json_text(&value);
            prop_assert!(shown.chars().all(|char| char == '\n' || !is_unseen(char)), "{}", shown);
            prop_assert_eq!(serde_json::from_str::<Value>(&shown).unwrap(), value);
        }
    }
}
