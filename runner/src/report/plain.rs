//! Text that others wrote, made fit to be shown: models and folders may have any name.

/// Characters of a name that are shown.
const MOST: usize = 300;

/// `text` without what a terminal would obey, or a reader would be misled by: control characters,
/// and those that turn the direction of writing or have no width. They are shown by their number.
pub(super) fn plain(text: &str) -> String {
    let more = if text.chars().nth(MOST).is_some() { "…" } else { "" };
    let kept = text.chars().take(MOST).map(|char| match char {
        char if is_unseen(char) => char.escape_unicode().to_string(),
        char => char.to_string(),
    });
    kept.collect::<String>() + more
}

/// A sentence of any length, [`plain`].
pub(super) fn sentence(text: &str) -> String {
    let mut rest: Vec<char> = text.chars().collect();
    let mut shown = String::new();
    while !rest.is_empty() {
        let next = rest.split_off(rest.len().min(MOST));
        shown += &plain(&rest.iter().collect::<String>());
        rest = next;
    }
    shown
}

/// `text`, [`plain`] and of `width` characters at most. What is left out is the middle: names
/// differ at their ends.
pub(super) fn short(text: &str, width: usize) -> String {
    let text = plain(text);
    let count = text.chars().count();
    if count <= width {
        return text;
    }
    let kept = width.saturating_sub(1);
    let (head, tail) = (kept / 3, kept - kept / 3);
    let head: String = text.chars().take(head).collect();
    head + "…" + &text.chars().skip(count - tail).collect::<String>()
}

/// Whether a character is obeyed, or misleads, instead of being seen.
pub(super) fn is_unseen(char: char) -> bool {
    char.is_control()
        || matches!(char,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{plain, sentence, short};

    #[test]
    fn names_lose_what_is_obeyed_and_keep_what_is_read() {
        assert_eq!(plain("org/Größe-7B 模型"), "org/Größe-7B 模型");
        assert_eq!(
            plain("a\u{1b}[2Jb\u{202e}c\u{200b}\n\u{9b}"),
            "a\\u{1b}[2Jb\\u{202e}c\\u{200b}\\u{a}\\u{9b}"
        );
        assert_eq!(plain(&"x".repeat(400)).chars().count(), 301);
        assert_eq!(short("abcdefghij", 7), "ab…ghij");
        assert_eq!(short("abc", 3), "abc");
        assert_eq!(sentence(&"x\n".repeat(400)), "x\\u{a}".repeat(400));
    }

    proptest! {
        #[test]
        fn any_name_is_harmless(text in any::<String>(), width in 1..50_usize) {
            let shown = plain(&text);
            prop_assert!(!shown.chars().any(super::is_unseen));
            let again: String = shown.chars().take(super::MOST).collect();
            prop_assert!(plain(&shown).starts_with(&again));
            prop_assert!(short(&text, width).chars().count() <= width);
        }
    }
}
