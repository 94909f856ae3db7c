//! The settings of a benchmark.

use contract::Backend;
use serde_json::{Map, Value, json};

/// The trees `backend` and `scenario`, by the keys that the contract lists.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Settings {
    /// The backend that runs the benchmark.
    pub(crate) backend: Backend,
    tree: Map<String, Value>,
}

impl Settings {
    /// Settings without any value.
    pub(super) fn new(backend: Backend) -> Self {
        Self { backend, tree: Map::new() }
    }

    /// The value of a key, unless it is null.
    pub(crate) fn get(&self, key: &str) -> Option<&Value> {
        let mut parts = key.split('.');
        let first = self.tree.get(parts.next()?)?;
        parts.try_fold(first, |value, part| value.get(part)).filter(|value| !value.is_null())
    }

    /// The value of a key that takes text.
    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        self.get(key)?.as_str()
    }

    /// The value of a key that takes a whole number.
    pub(crate) fn number(&self, key: &str) -> Option<u64> {
        self.get(key)?.as_u64()
    }

    /// The settings as one JSON object for the Python adapter.
    pub(crate) fn json(&self) -> String {
        let mut all = Map::new();
        all.insert("stack".to_owned(), json!(self.backend.name()));
        all.extend(self.tree.clone());
        Value::Object(all).to_string()
    }

    /// Sets the value of a key, and creates the trees that lead to it.
    pub(super) fn set(&mut self, key: &str, value: Value) {
        let (path, name) = key.rsplit_once('.').unwrap_or(("", key));
        let parents = path.split('.').filter(|part| !part.is_empty());
        let tree = parents.fold(&mut self.tree, |tree, part| {
            let below = tree.entry(part).or_insert_with(|| json!({}));
            if !below.is_object() {
                *below = json!({});
            }
            below.as_object_mut().expect("it was made an object above")
        });
        tree.insert(name.to_owned(), value);
    }
}
