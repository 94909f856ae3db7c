//! Makes text from results fit for display: models, devices and folders may have any name.

use untrusted::shortened;

/// Length limit for a name, in characters.
const MAX_LENGTH: usize = 300;

/// `text` with control and invisible characters escaped, cut to a reasonable length.
pub(super) fn sanitized(text: &str) -> String {
    shortened(text, MAX_LENGTH)
}

/// `text`, [`sanitized`] and at most `width` characters wide. The middle is left out: names differ at
/// their ends.
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
    fn long_names_lose_their_middle() {
        assert_eq!(elided("abcdefghij", 7), "ab…ghij");
        assert_eq!(elided("abc", 3), "abc");
    }

    proptest! {
        #[test]
        fn names_fit_without_control_characters(text in "[^…]{0,80}", width in 1..50_usize) {
            let (whole, cut) = (sanitized(&text), elided(&text, width));
            prop_assert!(!whole.chars().any(untrusted::is_unseen));
            prop_assert!(cut.chars().count() <= width);
            match cut.split_once('…').filter(|_| cut != whole) {
                Some((head, tail)) => prop_assert!(whole.starts_with(head) && whole.ends_with(tail)),
                None => prop_assert_eq!(cut, whole),
            }
        }

        #[test]
        fn long_names_are_cut(text in "[a-z]{301,400}") {
            prop_assert_eq!(sanitized(&text), format!("{}…", &text[..300]));
        }
    }
}
