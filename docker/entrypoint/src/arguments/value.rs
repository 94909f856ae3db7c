//! Parses values in Hydra's syntax.

use std::borrow::Cow;

use contract::argument::{Kind, unquoted};
use serde_json::{Map, Value, json};

/// Limit of nested brackets: parsing is recursive, and no keyword needs more.
const DEEPEST: usize = 32;

/// Parses `text` as a value of this kind. The error is what the key needs instead.
pub(super) fn typed(kind: Kind, text: &str) -> Result<Value, String> {
    let wanted = || wanted(kind);
    match kind {
        Kind::Text if is_null(text) => Ok(Value::Null),
        Kind::Text => {
            let text = unquoted(text);
            (!text.is_empty()).then(|| json!(text)).ok_or_else(wanted)
        }
        Kind::Count => whole(text).filter(|number| *number > 0).map(Value::from).ok_or_else(wanted),
        Kind::Whole => whole(text).map(Value::from).ok_or_else(wanted),
        Kind::Number => number(text).ok_or_else(wanted),
        Kind::Bool => boolean(text).map(Value::from).ok_or_else(wanted),
        Kind::Ids if is_null(text) => Ok(Value::Null),
        Kind::Ids => ids(text).ok_or_else(wanted),
        Kind::OneOf(known) => {
            let found = known.iter().find(|word| word.eq_ignore_ascii_case(text));
            let value = found.map(|word| boolean(word).map_or_else(|| json!(word), Value::from));
            value.ok_or_else(wanted)
        }
        Kind::Tree => element(text).ok_or_else(wanted),
    }
}

fn wanted(kind: Kind) -> String {
    match kind {
        Kind::Text => "a value".to_owned(),
        Kind::Count => "a whole number above 0".to_owned(),
        Kind::Whole => "a whole number from 0".to_owned(),
        Kind::Number => "a number".to_owned(),
        Kind::Bool => "`True` or `False`".to_owned(),
        Kind::Ids => "numbers of GPUs, as `0` or `0,1`".to_owned(),
        Kind::OneOf([only]) => format!("`{only}`"),
        Kind::OneOf(known) => format!("one of {}", known.join(", ")),
        Kind::Tree => "a value, as `1`, `text`, `[1,2]` or `{KEY:VALUE}`".to_owned(),
    }
}

/// Parses a map such as `{a:1,b:[x,'y,z']}`.
pub(super) fn map(text: &str) -> Option<Map<String, Value>> {
    let pairs = pairs(text)?.into_iter();
    pairs.map(|(key, value)| Some((key.into_owned(), element(value)?))).collect()
}

/// Keys and unparsed values of a map such as `{a:1,b:'2'}`.
pub(super) fn pairs(text: &str) -> Option<Vec<(Cow<'_, str>, &str)>> {
    let inside = text.trim().strip_prefix('{')?.strip_suffix('}')?;
    let pair = |entry| {
        let key: &str = parts(entry, ':')?.into_iter().next()?;
        let value = entry.get(key.len() + 1..)?.trim();
        let key = unquoted(key.trim());
        (!key.is_empty()).then_some((key, value))
    };
    entries(inside)?.into_iter().map(pair).collect()
}

/// Parses a value of any kind. None if a bracket or quote is not closed.
fn element(text: &str) -> Option<Value> {
    let text = text.trim();
    if text.starts_with('{') {
        return map(text).map(Value::Object);
    }
    if let Some(rest) = text.strip_prefix('[') {
        return entries(rest.strip_suffix(']')?)?.into_iter().map(element).collect();
    }
    (parts(text, ',')?.len() == 1).then(|| scalar(text))
}

/// Splits the inside of a list or map at its commas.
fn entries(inside: &str) -> Option<Vec<&str>> {
    if inside.trim().is_empty() { Some(Vec::new()) } else { parts(inside, ',') }
}

/// Splits at every `separator` outside of quotes and brackets. None if one is not closed, or
/// brackets are nested too deeply.
fn parts(text: &str, separator: char) -> Option<Vec<&str>> {
    let (mut parts, mut start, mut open, mut quote) = (Vec::new(), 0, Vec::new(), None);
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match (quote, character) {
            (Some(_), '\\') => drop(characters.next()),
            (Some(mark), _) if mark == character => quote = None,
            (Some(_), _) => {}
            // An apostrophe inside a word does not quote.
            (None, '\'' | '"') if begins_value(&text[start..at]) => quote = Some(character),
            (None, '{' | '[') if open.len() == DEEPEST => return None,
            (None, '{') => open.push('}'),
            (None, '[') => open.push(']'),
            (None, '}' | ']') => (open.pop()? == character).then_some(())?,
            (None, _) if character == separator && open.is_empty() => {
                parts.push(&text[start..at]);
                start = at + character.len_utf8();
            }
            (None, _) => {}
        }
    }
    parts.push(&text[start..]);
    (open.is_empty() && quote.is_none()).then_some(parts)
}

/// Whether a value begins after `before`.
fn begins_value(before: &str) -> bool {
    let before = before.trim_end();
    before.is_empty() || before.ends_with(['{', '[', ',', ':'])
}

/// Parses a scalar by Hydra's rules: quotes make it a string.
fn scalar(text: &str) -> Value {
    let quoted = unquoted(text);
    if quoted != text {
        return json!(quoted);
    }
    if is_null(text) {
        return Value::Null;
    }
    let word = match text.to_ascii_lowercase().as_str() {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    };
    word.map(Value::from).or_else(|| number(text)).unwrap_or_else(|| json!(text))
}

fn is_null(text: &str) -> bool {
    ["null", "None"].contains(&text)
}

/// Hydra's words for true and false.
fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" => Some(true),
        "false" | "no" | "off" => Some(false),
        _ => None,
    }
}

fn whole(text: &str) -> Option<u64> {
    // Rust would accept a plus sign, Hydra does not.
    text.parse().ok().filter(|_| text.starts_with(|first: char| first.is_ascii_digit()))
}

fn number(text: &str) -> Option<Value> {
    if let Ok(number) = text.parse::<i64>() {
        return Some(json!(number));
    }
    if let Some(number) = whole(text) {
        return Some(json!(number));
    }
    let number: f64 = text.parse().ok()?;
    number.is_finite().then(|| json!(number))
}

fn ids(text: &str) -> Option<Value> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let ids = bare.split(',').map(|id| whole(id.trim())).collect::<Option<Vec<_>>>()?;
    Some(json!(ids))
}

#[cfg(test)]
mod tests {
    use contract::argument::Kind;
    use serde_json::{Value, json};

    use super::{map, typed};

    #[test]
    fn values_are_what_hydra_makes_of_them() {
        for (kind, text, value) in [
            (Kind::Bool, "False", json!(false)),
            (Kind::Bool, "on", json!(true)),
            (Kind::Count, "7", json!(7)),
            (Kind::Whole, "0", json!(0)),
            (Kind::Number, "0.5", json!(0.5)),
            (Kind::Ids, "0, 2", json!([0, 2])),
            (Kind::Ids, "[1]", json!([1])),
            (Kind::Text, "null", Value::Null),
            (Kind::OneOf(&["cpu", "cuda"]), "CPU", json!("cpu")),
            (Kind::OneOf(&["false"]), "False", json!(false)),
            (Kind::Tree, "True", json!(true)),
            (Kind::Tree, "low", json!("low")),
            (Kind::Tree, "'1'", json!("1")),
            (Kind::Tree, "1e3", json!(1000.0)),
            (Kind::Tree, "[1, a, 'b,c']", json!([1, "a", "b,c"])),
            (Kind::Tree, "{a: {b: [True]}}", json!({"a": {"b": [true]}})),
            (Kind::Tree, r"'it\'s'", json!("it's")),
            (Kind::Tree, "it's", json!("it's")),
            (Kind::Tree, r"'C:\\'", json!("C:\\")),
            (Kind::Tree, "18446744073709551615", json!(u64::MAX)),
            (Kind::Text, "'null'", json!("null")),
        ] {
            assert_eq!(typed(kind, text), Ok(value), "{text}");
        }
    }

    #[test]
    fn error_says_what_the_key_needs() {
        for (kind, text, needs) in [
            (Kind::Bool, "maybe", "`True` or `False`"),
            (Kind::Bool, "1", "`True` or `False`"),
            (Kind::Count, "0", "a whole number above 0"),
            (Kind::Count, "-1", "a whole number above 0"),
            (Kind::Count, "+1", "a whole number above 0"),
            (Kind::Number, "nan", "a number"),
            (Kind::Ids, "all", "numbers of GPUs, as `0` or `0,1`"),
            (Kind::Text, "", "a value"),
            (Kind::OneOf(&["cpu", "cuda"]), "tpu", "one of cpu, cuda"),
            (Kind::Tree, "[1", "a value, as `1`, `text`, `[1,2]` or `{KEY:VALUE}`"),
            (Kind::Tree, "a,b", "a value, as `1`, `text`, `[1,2]` or `{KEY:VALUE}`"),
        ] {
            assert_eq!(typed(kind, text), Err(needs.to_owned()), "{text}");
        }
    }

    #[test]
    fn map_needs_balanced_braces_and_quotes() {
        let read = map("{reasoning_effort: low, 'enable_thinking':false}").unwrap();
        assert_eq!(
            Value::Object(read),
            json!({"reasoning_effort": "low", "enable_thinking": false})
        );
        let read = map("{a: 'x,y:z', \"b\": [1,{c:d}], e: http://h:1/}").unwrap();
        let expected = json!({"a": "x,y:z", "b": [1, {"c": "d"}], "e": "http://h:1/"});
        assert_eq!(Value::Object(read), expected);
        assert_eq!(map("{ }"), Some(serde_json::Map::new()));
        for broken in ["low", "{low}", "{a:{b:1}", "{a:1", "{:1}", "{a:'1}", "{a:1]}", "{a:1,}"] {
            assert_eq!(map(broken), None, "{broken}");
        }
        let nested = |depth: usize| format!("{{a:{}1{}}}", "[".repeat(depth), "]".repeat(depth));
        assert!(map(&nested(20)).is_some());
        assert_eq!(map(&nested(60_000)), None);
    }
}
