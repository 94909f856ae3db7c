//! Properties of the parser for generated arguments.

use contract::{
    Backend,
    argument::{KEYS, Kind, MODEL, REFUSED},
};
use proptest::{collection::vec, prelude::*, sample::select};
use serde_json::{Map, Value, json};

use super::{Settings, parse};

/// A key that takes any tree.
const TREE: &str = "backend.processor_kwargs";

fn parsed(args: &[String]) -> Result<Settings, String> {
    let model = format!("{MODEL}=m");
    let args: Vec<_> = [model].iter().chain(args).cloned().collect();
    parse(&args, Backend::Optimum)
}

/// `text` in single quotes, escaped like in Hydra.
fn quoted(text: &str) -> String {
    let (mut inside, mut backslashes) = (String::new(), 0);
    for character in text.chars().chain(['\'']) {
        if character == '\'' {
            inside.extend(std::iter::repeat_n('\\', backslashes + 1));
        }
        backslashes = if character == '\\' { backslashes + 1 } else { 0 };
        inside.push(character);
    }
    // Removes the quote that was chained to the text, with its backslash.
    let inside = inside.strip_suffix("\\'").unwrap_or(&inside);
    format!("'{inside}'")
}

/// A value in Hydra's syntax.
fn spelt(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        Value::Array(list) => format!("[{}]", list.iter().map(spelt).collect::<Vec<_>>().join(",")),
        Value::Object(map) => {
            let pairs = map.iter().map(|(key, value)| format!("{}:{}", quoted(key), spelt(value)));
            format!("{{{}}}", pairs.collect::<Vec<_>>().join(", "))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

/// Any text, mostly of characters with a meaning to the parser.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![r#"[a1'"\\=:,.{}\[\]~ -]{0,12}"#, any::<String>()]
}

fn value() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1e300..1e300_f64).prop_map(Value::from),
        select(vec!["null", "None", "True", "1", "1e3", "nan"]).prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    scalar.prop_recursive(4, 20, 4, |inner| {
        let key = text().prop_filter("a key has a name", |key| !key.is_empty());
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((key, inner), 0..4).prop_map(|pairs| pairs.into_iter().collect()),
        ]
    })
}

/// Options and overrides, some of them malformed.
fn word() -> impl Strategy<Value = String> {
    let names = KEYS.iter().map(|key| key.name).chain(REFUSED.map(|(name, _)| name));
    let names = names.chain(["--config-name", "-cn", "scenario.generate_kwargs", "scenario"]);
    let name = select(names.collect::<Vec<_>>());
    prop_oneof![
        ("[+~]{0,3}", name, "[.=]{0,2}", text())
            .prop_map(|(plus, name, sign, text)| format!("{plus}{name}{sign}{text}")),
        text(),
    ]
}

proptest! {
    #[test]
    fn arguments_give_readable_settings_or_an_error(
        args in vec(word(), 0..6),
        backend in select(Backend::ALL.to_vec()),
    ) {
        match parse(&args, backend) {
            Ok(settings) => {
                let json: Value = serde_json::from_str(&settings.json()).unwrap();
                prop_assert_eq!(&json["stack"], backend.name());
                prop_assert!(settings.text(MODEL).is_some_and(|model| !model.is_empty()));
            }
            Err(fault) => prop_assert!(!fault.is_empty()),
        }
    }

    #[test]
    fn value_of_any_kind_round_trips(value in value()) {
        let name = format!("{TREE}.a.b");
        let settings = parsed(&[format!("+{name}={}", spelt(&value))]).unwrap();
        let found = settings.get(&name).cloned().unwrap_or_default();
        prop_assert_eq!(found, value);
    }

    #[test]
    fn map_equals_its_keys_given_one_by_one(
        map in vec(("[a-z]{1,3}", value()), 0..4).prop_map(Map::from_iter),
    ) {
        let each: Vec<_> =
            map.iter().map(|(key, value)| format!("{TREE}.{key}={}", spelt(value))).collect();
        let whole = parsed(&[format!("{TREE}={}", spelt(&json!(map)))]).unwrap();
        let each = parsed(&each).unwrap();
        let tree = |settings: &Settings| settings.get(TREE).cloned().unwrap_or_else(|| json!({}));
        prop_assert_eq!(tree(&whole), tree(&each));
    }

    #[test]
    fn group_equals_its_keys_given_one_by_one(number in 1..u32::MAX, sampled in any::<bool>()) {
        let group = "scenario.generate_kwargs";
        let each = [
            format!("{group}.do_sample={sampled}"),
            format!("{group}.max_new_tokens={number}"),
        ];
        let whole = format!("{group}={{do_sample: {sampled}, 'max_new_tokens':{number}}}");
        prop_assert_eq!(parsed(&[whole]), parsed(&each));
    }

    #[test]
    fn quoted_text_round_trips(text in text()) {
        let args = [format!("{MODEL}={}", quoted(&text))];
        match parse(&args, Backend::Native) {
            Ok(settings) => prop_assert_eq!(settings.text(MODEL), Some(&*text)),
            Err(_) => prop_assert!(text.is_empty()),
        }
    }

    #[test]
    fn unknown_key_is_named(name in "[a-z]{1,5}(\\.[a-z]{1,5}){0,3}", value in text()) {
        let known = KEYS.iter().any(|key| {
            key.name.starts_with(&name) || key.kind == Kind::Tree && name.starts_with(key.name)
        });
        if !known {
            let fault = parsed(&[format!("{name}={value}")]).unwrap_err();
            prop_assert!(fault.contains(&format!("`{name}={value}`")), "{}", fault);
        }
    }

    #[test]
    fn deeply_nested_brackets_are_refused(depth in 40_usize..60_000, open in "[\\[{]") {
        let (open, close) = if open == "[" { ("[", "]") } else { ("{a:", "}") };
        let arg = format!("{TREE}.a={}1{}", open.repeat(depth), close.repeat(depth));
        prop_assert!(parsed(&[arg]).is_err());
    }
}
