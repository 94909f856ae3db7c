//! Escapes untrusted text for printing.

/// `text` on one line. Control characters, and characters that are invisible or change the
/// direction of text, are escaped.
pub fn escape(text: &str) -> String {
    let mut line = String::new();
    for character in text.chars() {
        if is_unseen(character) {
            line.extend(character.escape_default());
        } else {
            line.push(character);
        }
    }
    line
}

/// The first `most` characters of `text`, [escaped](escape), and an ellipsis if there are more.
pub fn shortened(text: &str, most: usize) -> String {
    let end = text.char_indices().nth(most).map_or(text.len(), |(end, _)| end);
    let more = if end < text.len() { "…" } else { "" };
    escape(&text[..end]) + more
}

/// Whether a character must be escaped: control characters, marks of direction, characters without
/// width, tags, and Unicode's line separators.
pub fn is_unseen(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{escape, is_unseen, shortened};

    #[test]
    fn control_characters_are_escaped_and_letters_are_kept() {
        assert_eq!(escape("org/Größe-7B 模型"), "org/Größe-7B 模型");
        assert_eq!(
            escape("a\u{1b}[2Jb\u{202e}c\u{200b}\n\u{9b}"),
            "a\\u{1b}[2Jb\\u{202e}c\\u{200b}\\n\\u{9b}"
        );
    }

    #[test]
    fn long_text_ends_in_an_ellipsis() {
        assert_eq!(shortened("it's \"ü\"\u{1b}", 9), "it's \"ü\"\\u{1b}");
        assert_eq!(shortened(&"ü".repeat(101), 100), format!("{}…", "ü".repeat(100)));
    }

    proptest! {
        #[test]
        fn escaped_text_has_no_control_characters_and_escapes_to_itself(text in any::<String>()) {
            let shown = escape(&text);
            prop_assert!(!shown.chars().any(is_unseen));
            prop_assert_eq!(escape(&shown), shown);
        }
    }
}
