//! Text that others wrote, made fit to be shown: models and folders may have any name.

use untrusted::shortened;

/// Characters of a name that are shown.
const MOST: usize = 300;

/// The begin of `text`, without what a terminal would obey, or a reader would be misled by.
pub(super) fn sanitized(text: &str) -> String {
    shortened(text, MOST)
}

/// `text`, [`plain`] and of `width` characters at most. What is left out is the middle: names
/// differ at their ends.
pub(super) fn elided(text: &str, width: usize) -> String {
    let text = sanitized(text);
    let count = text.chars().count();
    if count <= width {
        return text;
    }
    let kept = width.saturating_sub(1);
    let (head, tail) = (kept / 3, kept - kept / 3);
    let head: String = text.chars().take(head).collect();
    head + "…" + &text.chars().skip(count - tail).collect::<String>()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{elided, sanitized};

    #[test]
    fn names_are_cut_where_they_tell_least() {
        assert_eq!(sanitized(&"x".repeat(400)).chars().count(), 301);
        assert_eq!(elided("abcdefghij", 7), "ab…ghij");
        assert_eq!(elided("abc", 3), "abc");
    }

    proptest! {
        #[test]
        fn any_name_fits(text in any::<String>(), width in 1..50_usize) {
            prop_assert!(sanitized(&text).chars().count() <= 10 * super::MOST + 1);
            prop_assert!(elided(&text, width).chars().count() <= width);
        }
    }
}
