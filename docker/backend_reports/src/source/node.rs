//! A value in a JSON file, with its path for errors and traces.

use std::fmt::Display;

use anyhow::{Context, anyhow};
use serde::Deserialize;
use serde_json::{Map, Value};

use untrusted::shortened;

use super::json::{AGAIN, NO_NUMBERS};
use crate::numbers::traced::Traced;

/// Upper limit of a time, more than a century.
pub const MOST_SECONDS: f64 = 1e10;
/// Limit of keys in an error.
const LISTED: usize = 12;
/// Limit of quoted characters in an error.
const QUOTED: usize = 100;

/// A value with its file and path.
#[derive(Debug, Clone)]
pub(crate) struct Node<'a> {
    file: &'static str,
    path: String,
    value: &'a Value,
}

impl<'a> Node<'a> {
    /// The root of `file`.
    pub(crate) fn root(file: &'static str, value: &'a Value) -> Self {
        Self { file, path: String::new(), value }
    }

    /// Keys and indices of the value, joined by dots.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// `value` with this place as its source.
    pub(crate) fn traced(&self, value: f64) -> Traced {
        Traced::key(value, self.file, &self.path)
    }

    /// Whether it is an object without keys.
    pub(crate) fn is_empty(&self) -> bool {
        self.value.as_object().is_some_and(|object| object.is_empty())
    }

    /// The value for an error message.
    pub(crate) fn shown(&self) -> String {
        shown(self.value)
    }

    /// The value of `key`, if it exists and is not null.
    pub(crate) fn find(&self, key: &str) -> Option<Self> {
        let value = self.value.get(key).filter(|value| !value.is_null())?;
        Some(Self { file: self.file, path: self.path_of(key), value })
    }

    /// Applies `read` to the value of `key`, if it exists and is not null.
    pub(crate) fn optional<T>(
        &self,
        key: &str,
        read: impl FnOnce(&Self) -> anyhow::Result<T>,
    ) -> anyhow::Result<Option<T>> {
        self.find(key).map(|node| read(&node)).transpose()
    }

    /// The value of the required key `key`.
    pub(crate) fn need(&self, key: &str) -> anyhow::Result<Self> {
        let what = if self.object()?.contains_key(key) { "null" } else { "missing" };
        self.find(key).with_context(|| format!("`{}` is {what}; {AGAIN}", self.path_of(key)))
    }

    fn path_of(&self, key: impl Display) -> String {
        if self.path.is_empty() { key.to_string() } else { format!("{}.{key}", self.path) }
    }

    /// An object.
    pub(crate) fn object(&self) -> anyhow::Result<&'a Map<String, Value>> {
        self.value.as_object().ok_or_else(|| self.mismatch("an object"))
    }

    /// A finite number.
    pub(crate) fn number(&self) -> anyhow::Result<f64> {
        let number = self.value.as_f64().filter(|number| number.is_finite());
        number.ok_or_else(|| self.mismatch("a number"))
    }

    /// A finite number of at least 0.
    pub(crate) fn amount(&self) -> anyhow::Result<f64> {
        let amount = self.number()?;
        if amount < 0.0 { Err(self.mismatch("no less than 0")) } else { Ok(amount) }
    }

    /// A time in seconds.
    pub(crate) fn seconds(&self) -> anyhow::Result<f64> {
        self.amount()?;
        self.seconds_apart()
    }

    /// A difference of times in seconds.
    pub(crate) fn seconds_apart(&self) -> anyhow::Result<f64> {
        let seconds = self.number().ok().filter(|seconds| seconds.abs() <= MOST_SECONDS);
        seconds.ok_or_else(|| self.mismatch("the seconds of a run"))
    }

    /// A count.
    pub(crate) fn count(&self) -> anyhow::Result<u64> {
        let count = self.integer().ok().and_then(|count| u64::try_from(count).ok());
        count.ok_or_else(|| self.mismatch("a count"))
    }

    /// A time with its source.
    pub(crate) fn timed(&self) -> anyhow::Result<Traced> {
        Ok(self.traced(self.seconds()?))
    }

    /// A count with its source.
    pub(crate) fn counted(&self) -> anyhow::Result<Traced> {
        Ok(self.traced(self.count()? as f64))
    }

    /// A whole number.
    pub(crate) fn integer(&self) -> anyhow::Result<i64> {
        self.value.as_i64().ok_or_else(|| self.mismatch("a whole number"))
    }

    /// A text.
    pub(crate) fn text(&self) -> anyhow::Result<&'a str> {
        let text = self.value.as_str().filter(|text| !NO_NUMBERS.contains(text));
        text.ok_or_else(|| self.mismatch("a text"))
    }

    /// Looks the text up in the table `known`.
    pub(crate) fn one_of<T, const N: usize>(&self, known: [(&str, T); N]) -> anyhow::Result<T> {
        let wanted = known.iter().map(|(text, _)| format!("`{text}`")).collect::<Vec<_>>();
        let found = known.into_iter().find(|(text, _)| self.value == text);
        let found = found.map(|(_, meaning)| meaning);
        found.ok_or_else(|| self.mismatch(&format!("one of {}", wanted.join(", "))))
    }

    /// The entries of a list.
    pub(crate) fn list(&self) -> anyhow::Result<Vec<Self>> {
        let list = self.value.as_array().ok_or_else(|| self.mismatch("a list"))?;
        let node = |(index, value)| Self { file: self.file, path: self.path_of(index), value };
        Ok(list.iter().enumerate().map(node).collect())
    }

    /// The texts of a list.
    pub(crate) fn texts(&self) -> anyhow::Result<Vec<String>> {
        self.list()?.iter().map(|node| node.text().map(str::to_owned)).collect()
    }

    /// Deserializes a value that this project wrote.
    pub(crate) fn typed<T: Deserialize<'a>>(&self) -> anyhow::Result<T> {
        let value = T::deserialize(self.value);
        value.map_err(|error| anyhow!("{}: {error}; {AGAIN}", self.shown_path()))
    }

    /// The error for a value of another type than `wanted`.
    pub(crate) fn mismatch(&self, wanted: &str) -> anyhow::Error {
        anyhow!("{} is {}, and should be {wanted}; {AGAIN}", self.shown_path(), shown(self.value))
    }

    fn shown_path(&self) -> String {
        if self.path.is_empty() { "all of it".to_owned() } else { name(&self.path) }
    }

    /// The keys for an error message.
    pub(crate) fn keys(&self) -> String {
        let keys = self.value.as_object().into_iter().flat_map(|object| object.keys());
        let mut names: Vec<_> = keys.map(|key| name(key)).collect();
        let more = names.len().saturating_sub(LISTED);
        names.truncate(LISTED);
        if more > 0 {
            names.push(format!("{more} more"));
        }
        names.join(", ")
    }
}

/// A name from a file, for an error message.
pub(crate) fn name(text: &str) -> String {
    format!("`{}`", shortened(text, QUOTED))
}

/// A value, for an error message.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) if NO_NUMBERS.contains(&text.as_str()) => text.clone(),
        Value::String(text) => format!("the text \"{}\"", shortened(text, QUOTED)),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Node;

    #[test]
    fn error_names_path_and_value() {
        let value = json!({
            "a": {
                "null": null, "nan": "NaN", "text": "1.5", "less": -2.5, "long": 1e300,
                "half": 0.5, "is": true,
            },
            "list": [1, "x"], "most": u64::MAX,
        });
        let whole = Node::root("a.json", &value);
        let a = whole.need("a").unwrap();
        let at = |key: &str| a.need(key).unwrap();
        let said = [
            whole.need("b").unwrap_err(),
            a.need("null").unwrap_err(),
            at("text").need("b").unwrap_err(),
            Node::root("a.json", &json!([])).need("b").unwrap_err(),
            at("nan").number().unwrap_err(),
            at("text").number().unwrap_err(),
            at("is").number().unwrap_err(),
            at("less").amount().unwrap_err(),
            at("less").seconds().unwrap_err(),
            at("long").seconds().unwrap_err(),
            at("less").count().unwrap_err(),
            at("half").count().unwrap_err(),
            whole.need("most").unwrap().count().unwrap_err(),
            whole.need("list").unwrap().text().unwrap_err(),
            whole.need("list").unwrap().texts().unwrap_err(),
            a.list().unwrap_err(),
        ];
        insta::assert_snapshot!(said.map(|error| error.to_string()).join("\n"), @r#"
        `b` is missing; run the benchmark again
        `a.null` is null; run the benchmark again
        `a.text` is the text "1.5", and should be an object; run the benchmark again
        all of it is a list, and should be an object; run the benchmark again
        `a.nan` is NaN, and should be a number; run the benchmark again
        `a.text` is the text "1.5", and should be a number; run the benchmark again
        `a.is` is true, and should be a number; run the benchmark again
        `a.less` is -2.5, and should be no less than 0; run the benchmark again
        `a.less` is -2.5, and should be no less than 0; run the benchmark again
        `a.long` is 1e+300, and should be the seconds of a run; run the benchmark again
        `a.less` is -2.5, and should be a count; run the benchmark again
        `a.half` is 0.5, and should be a count; run the benchmark again
        `most` is 18446744073709551615, and should be a count; run the benchmark again
        `list` is a list, and should be a text; run the benchmark again
        `list.0` is 1, and should be a text; run the benchmark again
        `a` is an object, and should be a list; run the benchmark again
        "#);
        assert!(a.find("null").is_none() && a.find("b").is_none());
    }

    #[test]
    fn error_lists_a_limited_number_of_keys() {
        let many: serde_json::Map<_, _> = (0..20).map(|n| (n.to_string(), json!(n))).collect();
        let many = many.into();
        assert!(Node::root("a.json", &many).keys().ends_with("`11`, 8 more"));
    }
}
