//! Properties of arguments with any text.

use proptest::{prelude::*, sample::select};

use super::{KEYS, Kind, find, refusal, split, split_quoted, unquoted};

/// `text` in quotes, as Hydra's `QuotedString` writes it.
fn quoted(text: &str, quote: char) -> String {
    let (mut inside, mut backslashes) = (String::new(), 0);
    for character in text.chars() {
        if character == quote {
            inside.extend(std::iter::repeat_n('\\', backslashes + 1));
        }
        backslashes = if character == '\\' { backslashes + 1 } else { 0 };
        inside.push(character);
    }
    inside.extend(std::iter::repeat_n('\\', backslashes));
    format!("{quote}{inside}{quote}")
}

/// Any text, mostly of special characters.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![r#"[a'"\\=+.~ -]{0,12}"#, any::<String>()]
}

proptest! {
    #[test]
    fn quoted_value_is_unquoted(text in text(), quote in select(vec!['\'', '"'])) {
        let quoted = quoted(&text, quote);
        prop_assert_eq!(unquoted(&quoted), text);
    }

    #[test]
    fn override_splits_into_its_key_and_value(
        plus in select(vec!["", "+", "++"]),
        key in "[^+=][^=]{0,9}",
        value in text(),
    ) {
        let arg = format!("{plus}{key}={value}");
        prop_assert_eq!(split_quoted(&arg), Some((&*key, &*value)));
        prop_assert_eq!(split(&arg), Some((&*key, unquoted(&value))));
    }

    #[test]
    fn only_text_with_an_equals_sign_splits(arg in text()) {
        prop_assert_eq!(split(&arg).is_some(), arg.contains('='));
    }

    #[test]
    fn only_trees_have_names_below(
        key in select(KEYS.to_vec()),
        below in r"[a.\[ ]{0,5}",
    ) {
        let name = format!("{}.{below}", key.name);
        let is_below = below.split('.').all(|part| !part.is_empty());
        let found = find(&name).map(|key| key.name);
        prop_assert_eq!(found, (key.kind == Kind::Tree && is_below).then_some(key.name));
        prop_assert_eq!(refusal(&name), None);
    }
}
