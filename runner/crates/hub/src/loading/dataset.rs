//! Whether a dataset can be read, as far as the names and ends of its files tell.

use contract::{Backend, rows};

use super::{
    content::Content,
    fault::{Fault, Verdict, shown},
    files::{Files, Look, base},
};

/// What parquet begins and ends with.
const PARQUET: &[u8] = b"PAR1";

/// Checks the files of a dataset in a folder, be it a snapshot.
///
/// # Errors
/// Why it cannot be read.
pub fn folder(files: &impl Files, backend: Backend, is_cached: bool) -> Verdict {
    let is_native = backend == Backend::Native;
    if is_native && !is_cached {
        return Err(Fault::said(
            "it is a folder, and the `native` backend reads a file, or a dataset of the Hub cache; give \
             one of its files",
        ));
    }
    let mut rows = files.names();
    rows.retain(|name| rows::has_rows(name) && files.look(name).is_there());
    if rows.is_empty() {
        // The library reads other kinds of files, too.
        let other = |name: &String| base(name).rsplit_once('.').is_some_and(|(_, end)| end != "md");
        let others = !is_cached && files.names().iter().filter(|name| is_seen(name)).any(other);
        return if others { Ok(vec![]) } else { Err(no_rows()) };
    }
    if let Some(missing) = rows::incomplete(&rows) {
        return Err(Fault::absent(missing));
    }
    if is_native {
        rows::only_split(&rows).map_err(Fault::said)?;
    } else if !is_cached {
        one_kind(&rows)?;
    }
    let faults: Vec<_> = rows.iter().filter_map(|name| one_file(files, name).err()).collect();
    let all = faults.len() == rows.len();
    let mut faults = faults.into_iter();
    match faults.next() {
        Some(fault) if all => Err(fault),
        // Its splits may be made of the others.
        Some(fault) => Ok(vec![fault.what]),
        None => Ok(vec![]),
    }
}

fn no_rows() -> Fault {
    Fault::absent(format!("no file that ends in .{}", rows::ENDINGS.join(", .")))
}

/// Checks the file of rows `name`.
///
/// # Errors
/// Why it cannot be read.
pub fn one_file(files: &impl Files, name: &str) -> Verdict {
    let Look::There(size) = files.look(name) else { return Ok(vec![]) };
    let Some(mut content) = Content::open(files, name, size)? else { return Ok(vec![]) };
    if !name.to_lowercase().ends_with(".parquet") {
        return Ok(vec![]);
    }
    let tail = content.at(size.saturating_sub(4), 4).unwrap_or_default();
    if !content.head.starts_with(PARQUET) {
        return Err(Fault::damaged(format!("`{name}` is not a parquet file")));
    }
    if size < 12 || tail != PARQUET {
        return Err(Fault::damaged(format!(
            "`{name}` is truncated: the end of parquet is missing"
        )));
    }
    Ok(vec![])
}

/// Whether no part of a name tells that the file is not for readers of rows.
fn is_seen(name: &str) -> bool {
    !name.split('/').any(|part| part.starts_with('.') || part.starts_with("__"))
}

/// Refuses files of several kinds, of which the library would read one.
fn one_kind(names: &[String]) -> Result<(), Fault> {
    let end = |name: &String| base(name).rsplit_once('.').map(|(_, end)| end.to_lowercase());
    let mut kinds: Vec<_> = names
        .iter()
        .filter_map(end)
        // A JSON file beside others may be about the dataset.
        .filter(|end| end != "json" && rows::ENDINGS.contains(&end.as_str()))
        .collect();
    kinds.sort();
    kinds.dedup();
    match kinds.len() {
        0 | 1 => Ok(()),
        _ => Err(Fault::said(format!(
            "it has files of several kinds ({}), and only those of one would be read; give one of the \
             files, or a folder of one kind",
            shown(&kinds)
        ))),
    }
}
