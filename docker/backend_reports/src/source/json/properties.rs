//! What holds for files of any text.

use proptest::{collection::vec, prelude::*};
use serde_json::{Map, Value};

use super::{NO_NUMBERS, parse};

/// Values as Python writes them. The names of what is no number are kept for those.
fn value() -> impl Strategy<Value = Value> {
    let text = || {
        prop_oneof![r#"["\\NaInfity-]{0,9}"#, any::<String>()]
            .prop_filter("kept for what is no number", |text| !NO_NUMBERS.contains(&text.as_str()))
    };
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    scalar.prop_recursive(4, 24, 4, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((text(), inner), 0..4).prop_map(|pairs| Value::Object(Map::from_iter(pairs))),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read(value in value(), pretty in any::<bool>()) {
        let text = if pretty { format!("{value:#}") } else { value.to_string() };
        prop_assert_eq!(parse(text.as_bytes()).unwrap(), value);
    }

    #[test]
    fn any_text_is_a_value_or_told_of(text in prop_oneof![
        r#"[\[\]{}":,0-9eE.+\\ -]{0,20}(NaN|-Infinity)?[\]}"]{0,3}"#,
        any::<String>(),
    ]) {
        // What is read is JSON, and so the same when it is read again.
        if let Ok(value) = parse(text.as_bytes()) {
            prop_assert_eq!(parse(value.to_string().as_bytes()).unwrap(), value);
        }
    }

    #[test]
    fn any_bytes_are_a_value_or_told_of(bytes in any::<Vec<u8>>()) {
        let _ = parse(&bytes);
    }
}
