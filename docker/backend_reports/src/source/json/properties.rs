//! Properties of parsing any text.

use proptest::{collection::vec, prelude::*};
use serde_json::{Map, Value};

use super::{NO_NUMBERS, parse};

/// Values as Python writes them. No string is a name of NaN or infinity.
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
    fn written_json_is_read_back(value in value(), pretty in any::<bool>()) {
        let text = if pretty { format!("{value:#}") } else { value.to_string() };
        prop_assert_eq!(parse(text.as_bytes()).unwrap(), value);
    }

    #[test]
    fn any_input_is_read_the_same_twice_or_refused_with_a_reason(text in prop_oneof![
        r#"[\[\]{}":,0-9eE.+\\ -]{0,20}(NaN|-Infinity)?[\]}"]{0,3}"#.prop_map(String::into_bytes),
        any::<String>().prop_map(String::into_bytes),
        any::<Vec<u8>>(),
    ]) {
        match parse(&text) {
            Ok(value) => prop_assert_eq!(parse(value.to_string().as_bytes()).unwrap(), value),
            Err(error) => prop_assert!(error.to_string().starts_with("it "), "{}", error),
        }
    }
}
