//! What holds for datasets of any content.

use proptest::{collection::vec, prelude::*};
use serde_json::json;

use super::{csv, json};

/// Any text, most of it of characters that mean something.
fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a\u{1}\"', \r\n\\t{}:\\[\\]*?!+%0-9-]{0,16}", any::<String>()]
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

proptest! {
    #[test]
    fn whatever_is_read_is_cells_or_told_of(bytes in vec(any::<u8>(), 0..40), text in text()) {
        for bytes in [&bytes[..], text.as_bytes(), format!("text\n{text}").as_bytes()] {
            let _ = csv::column(bytes, "text");
            let _ = json::column(bytes, "text");
        }
    }

    #[test]
    fn texts_in_quotes_come_back_from_csv(texts in vec((text(), text()), 0..6)) {
        let rows = texts.iter().map(|(other, text)| format!("{},{}\n", quoted(other), quoted(text)));
        let file = format!("other,text\n{}", rows.collect::<String>());
        let cells = csv::column(file.as_bytes(), "text").unwrap();
        let expected: Vec<_> = texts.into_iter().map(|(_, text)| Some(text)).collect();
        prop_assert_eq!(cells, expected);
    }

    #[test]
    fn texts_come_back_from_json(texts in vec(text(), 1..6)) {
        let rows: Vec<_> = texts.iter().map(|text| json!({"other": 1, "text": text})).collect();
        let lines = rows.iter().map(|row| format!("{row}\n")).collect::<String>();
        let expected: Vec<_> = texts.into_iter().map(Some).collect();
        prop_assert_eq!(json::column(lines.as_bytes(), "text").unwrap(), expected.clone());
        let list = json!(rows).to_string();
        prop_assert_eq!(json::column(list.as_bytes(), "text").unwrap(), expected);
    }
}
