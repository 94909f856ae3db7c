//! Properties of the readers for generated files.

use proptest::{collection::vec, prelude::*};
use serde_json::json;

use super::super::{csv, json};

/// Any text, mostly of characters with a meaning to the parsers.
fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a\u{1}\"', \r\n\\t{}:\\[\\]*?!+%0-9-]{0,16}", any::<String>()]
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

proptest! {
    #[test]
    fn any_file_gives_cells_of_its_rows_or_an_error(
        bytes in vec(any::<u8>(), 0..40),
        text in text(),
    ) {
        for bytes in [&bytes[..], text.as_bytes(), format!("text\n{text}").as_bytes()] {
            let lines = bytes.split(|byte| b"\r\n".contains(byte)).count();
            match csv::column(bytes, "text") {
                // The first line is the header.
                Ok(cells) => prop_assert!(cells.len() < lines, "{:?}", cells),
                Err(error) => prop_assert!(!error.to_string().is_empty()),
            }
            match json::column(bytes, "text") {
                Ok(cells) => prop_assert!(cells.iter().any(Option::is_some), "{:?}", cells),
                Err(error) => prop_assert!(!error.to_string().is_empty()),
            }
        }
    }

    #[test]
    fn quoted_csv_round_trips(texts in vec((text(), text()), 0..6)) {
        let rows = texts.iter().map(|(other, text)| format!("{},{}\n", quoted(other), quoted(text)));
        let file = format!("other,text\n{}", rows.collect::<String>());
        let cells = csv::column(file.as_bytes(), "text").unwrap();
        let expected: Vec<_> = texts.into_iter().map(|(_, text)| Some(text)).collect();
        prop_assert_eq!(cells, expected);
    }

    #[test]
    fn json_round_trips(texts in vec(text(), 1..6)) {
        let rows: Vec<_> = texts.iter().map(|text| json!({"other": 1, "text": text})).collect();
        let lines = rows.iter().map(|row| format!("{row}\n")).collect::<String>();
        let expected: Vec<_> = texts.into_iter().map(Some).collect();
        prop_assert_eq!(json::column(lines.as_bytes(), "text").unwrap(), expected.clone());
        let list = json!(rows).to_string();
        prop_assert_eq!(json::column(list.as_bytes(), "text").unwrap(), expected);
    }
}
