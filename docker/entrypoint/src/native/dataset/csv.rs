//! CSV, parsed like pandas does.

use anyhow::{Context as _, ensure};
use csv::{ReaderBuilder, StringRecord};

use super::column::{Column, missing_column, utf8};

/// The cells of the column `name`.
pub(super) fn column(bytes: &[u8], name: &str) -> anyhow::Result<Column> {
    let text = utf8(bytes)?;
    // A marker row at the end. It becomes part of the last row if a quote there is not closed.
    let marker = ('\u{1}'..).find(|mark| !text.contains(*mark)).unwrap_or_default();
    let text = format!("{text}\n{marker}");
    let mut reader =
        ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
    let mut rows = reader.records();
    let mut next = || -> anyhow::Result<Option<StringRecord>> {
        // pandas skips blank lines.
        let row = rows.by_ref().find(|row| !row.as_ref().is_ok_and(is_blank));
        let row = row.transpose()?.context(UNCLOSED_QUOTE)?;
        if row.len() == 1 && row[0].chars().eq([marker]) {
            return Ok(None);
        }
        ensure!(!row.iter().any(|cell| cell.contains(marker)), UNCLOSED_QUOTE);
        Ok(Some(row))
    };
    let header = next()?.context("it is empty; its first line names the columns")?;
    let at = header.iter().position(|column| column == name);
    let at = at.ok_or_else(|| missing_column(name, header.iter()))?;
    let mut cells = Column::new();
    while let Some(row) = next()? {
        ensure!(
            row.len() <= header.len(),
            "its line {} has {} cells, and the first one names {} columns; put texts with commas in \
             quotes",
            row.position().map_or(0, csv::Position::line),
            row.len(),
            header.len()
        );
        cells.push(row.get(at).map(str::to_owned));
    }
    Ok(cells)
}

/// Error for a quote that is not closed.
const UNCLOSED_QUOTE: &str = "a quote in its last row has no end; end it";

fn is_blank(row: &StringRecord) -> bool {
    row.len() == 1 && !row[0].is_empty() && row[0].chars().all(|c| c == ' ' || c == '\t')
}
