//! JSON: an object per line, or one list of objects or strings.

use anyhow::{Context as _, bail, ensure};
use serde_json::{Deserializer, Map, Value};

use super::column::{Column, missing_column, not_text, utf8};

/// Column name that a list of strings has.
const TEXT: &str = "text";

/// The cells of the column `name`.
pub(super) fn column(bytes: &[u8], name: &str) -> anyhow::Result<Column> {
    let text = utf8(bytes)?;
    let values: Vec<Value> = if text.trim_start().starts_with('[') {
        serde_json::from_str(text).context("it is no list in JSON")?
    } else {
        let values = Deserializer::from_str(text).into_iter();
        values.collect::<Result<_, _>>().context("it is not JSON, an object per line")?
    };
    ensure!(!values.is_empty(), "it has no rows");
    let mut columns = Map::new();
    let mut cells = Column::new();
    for value in values {
        let cell = match value {
            Value::Object(mut row) => {
                let cell = row.remove(name).unwrap_or_default();
                columns.extend(row.into_iter().map(|(column, _)| (column, Value::Null)));
                cell
            }
            Value::String(cell) if name == TEXT => Value::String(cell),
            other => bail!("it holds {other:.80}, and a row is an object"),
        };
        cells.push(match cell {
            Value::String(text) => Some(text),
            Value::Null => None,
            other => return Err(not_text(name, &format!("more, such as {other:.80}"))),
        });
    }
    if cells.iter().all(Option::is_none) {
        return Err(missing_column(name, columns.keys().map(String::as_str)));
    }
    Ok(cells)
}
