//! A column of a dataset, and the errors about columns.

use anyhow::Context as _;
use contract::argument::COLUMN;

/// A cell per row, none where it is empty.
pub(super) type Column = Vec<Option<String>>;

/// Error for a column that does not exist beside the `others`.
pub(super) fn missing_column<'a>(
    column: &str,
    others: impl Iterator<Item = &'a str>,
) -> anyhow::Error {
    let others: Vec<_> = others.map(|other| format!("`{other}`")).collect();
    anyhow::anyhow!(
        "it has no column `{column}`; it has {}: choose one with `{COLUMN}=`",
        others.join(", ")
    )
}

/// Error for a column that holds something other than strings.
pub(super) fn not_text(column: &str, what: &str) -> anyhow::Error {
    anyhow::anyhow!(
        "its column `{column}` holds {what}, not texts; choose another with `{COLUMN}=`"
    )
}

/// The text of a file in UTF-8, without a byte order mark.
pub(super) fn utf8(bytes: &[u8]) -> anyhow::Result<&str> {
    let text = std::str::from_utf8(bytes).context(
        "it is not UTF-8; save it as that, as with `iconv --from-code LATIN1 --to-code UTF-8`",
    )?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}
