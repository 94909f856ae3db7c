//! Reads a string column of a parquet file.

use std::fs::File;

use anyhow::{Context as _, bail, ensure};
use parquet::{
    basic::{Compression, ConvertedType, LogicalType, Type},
    column::reader::ColumnReader,
    file::reader::{FileReader as _, SerializedFileReader},
};

use super::column::{Column, missing_column, not_text};

/// The cells of the column `name`.
pub(super) fn column(file: File, name: &str) -> anyhow::Result<Column> {
    let reader = SerializedFileReader::new(file).context("it is no whole parquet file")?;
    let schema = reader.metadata().file_metadata().schema_descr_ptr();
    let fields = schema.root_schema().get_fields();
    let field = fields.iter().find(|field| field.name() == name);
    let field =
        field.ok_or_else(|| missing_column(name, fields.iter().map(|field| field.name())))?.clone();
    let leaf = schema.columns().iter().position(|leaf| leaf.path().parts() == [name]);
    let Some(at) = leaf.filter(|at| schema.column(*at).max_rep_level() == 0) else {
        return Err(not_text(name, "more"));
    };
    let leaf = schema.column(at);
    let is_text = matches!(leaf.logical_type_ref(), Some(LogicalType::String))
        || leaf.converted_type() == ConvertedType::UTF8;
    if leaf.physical_type() != Type::BYTE_ARRAY || !is_text {
        let kind = field.get_basic_info().logical_type_ref().map(|kind| format!("{kind:?}"));
        return Err(not_text(name, &kind.unwrap_or_else(|| leaf.physical_type().to_string())));
    }
    let present = leaf.max_def_level();
    let mut cells = Column::new();
    for group in 0..reader.num_row_groups() {
        let group = reader.get_row_group(group)?;
        let codec = group.metadata().column(at).compression();
        ensure!(
            is_supported(codec),
            "its column `{name}` is compressed with {codec}, which this backend does not read; write \
             the file with zstd, snappy or gzip"
        );
        let ColumnReader::ByteArrayColumnReader(mut column) = group.get_column_reader(at)? else {
            bail!("its column `{name}` is none of texts after all; the file is damaged");
        };
        let (mut texts, mut levels) = (Vec::new(), Vec::new());
        let wanted = usize::try_from(group.metadata().num_rows())?;
        let mut read = 0;
        while read < wanted {
            let levels = (present > 0).then_some(&mut levels);
            let (rows, ..) = column.read_records(wanted - read, levels, None, &mut texts)?;
            if rows == 0 {
                bail!("it ends before its rows do; it may be truncated");
            }
            read += rows;
        }
        let mut texts = texts.into_iter().map(|text| String::from_utf8(text.data().to_vec()));
        let mut text = || -> anyhow::Result<String> {
            let text = texts.next().context("it has fewer texts than rows; it may be damaged")?;
            text.context("its texts are not UTF-8")
        };
        if present == 0 {
            levels = vec![0; wanted];
        }
        for level in levels {
            cells.push(if level == present { Some(text()?) } else { None });
        }
    }
    Ok(cells)
}

/// Whether this program is built with the codec (features of the crate `parquet`).
fn is_supported(codec: Compression) -> bool {
    use Compression::{GZIP, SNAPPY, UNCOMPRESSED, ZSTD};
    matches!(codec, UNCOMPRESSED | SNAPPY | GZIP(_) | ZSTD(_))
}
