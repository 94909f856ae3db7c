//! What a file says, as an error quotes it: short, and without what a terminal would obey.

/// Characters of a foreign text that an error quotes.
const QUOTED: usize = 100;

/// A name from a file.
pub(super) fn name(text: &str) -> String {
    format!("`{}`", cut(text))
}

/// A foreign text, short and printable.
pub(super) fn cut(text: &str) -> String {
    let more = if text.chars().nth(QUOTED).is_some() { "…" } else { "" };
    let kept = text.chars().take(QUOTED);
    // Quotes are no danger, and stay as they are.
    let plain = |char: char| {
        if matches!(char, '"' | '\'') { vec![char] } else { char.escape_debug().collect() }
    };
    kept.flat_map(plain).chain(more.chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::cut;

    #[test]
    fn foreign_text_is_short_and_harmless() {
        assert_eq!(cut("it's \"ü\"\u{1b}[2J\u{9b}1m\n"), "it's \"ü\"\\u{1b}[2J\\u{9b}1m\\n");
        assert_eq!(cut(&"x".repeat(101)), format!("{}…", "x".repeat(100)));
    }
}
