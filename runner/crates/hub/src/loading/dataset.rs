//! Whether a dataset can be read, from file names and the first and last bytes of its files.

use contract::{Backend, hub::data_files};

use super::{
    content::Content,
    fault::{Fault, Verdict, list_names},
    files::{FileState, Files, file_name},
};

/// The first and last bytes of a parquet file.
const PARQUET: &[u8] = b"PAR1";

/// Checks a dataset folder, or a cached snapshot when `is_cached`.
///
/// # Errors
/// Why it cannot be read.
pub fn check_folder(files: &impl Files, backend: Backend, is_cached: bool) -> Verdict {
    let is_native = backend == Backend::Native;
    if is_native && !is_cached {
        return Err(Fault::explained(
            "it is a folder, and the `native` backend reads a file, or a dataset of the Hub cache; give \
             one of its files",
        ));
    }
    let mut rows = files.names();
    rows.retain(|name| data_files::is_data_file(name) && files.state(name).is_present());
    if rows.is_empty() {
        // `datasets` reads more formats than those of `rows`.
        let other =
            |name: &String| file_name(name).rsplit_once('.').is_some_and(|(_, end)| end != "md");
        let others = !is_cached && files.names().iter().filter(|name| is_visible(name)).any(other);
        let endings = data_files::EXTENSIONS.join(", .");
        return match others {
            true => Ok(vec![]),
            false => Err(Fault::missing(format!("no file that ends in .{endings}"))),
        };
    }
    if let Some(missing) = data_files::missing_shards(&rows) {
        return Err(Fault::missing(missing));
    }
    if is_native {
        data_files::single_split(&rows).map_err(Fault::explained)?;
    } else if !is_cached {
        check_one_format(&rows)?;
    }
    let faults: Vec<_> = rows.iter().filter_map(|name| check_file(files, name).err()).collect();
    let all = faults.len() == rows.len();
    let mut faults = faults.into_iter();
    match faults.next() {
        Some(fault) if all => Err(fault),
        // A split may be built from the other files alone.
        Some(fault) => Ok(vec![fault.message]),
        None => Ok(vec![]),
    }
}

/// Checks the data file `name`.
///
/// # Errors
/// Why it cannot be read.
pub fn check_file(files: &impl Files, name: &str) -> Verdict {
    let FileState::Present(size) = files.state(name) else { return Ok(vec![]) };
    let Some(mut content) = Content::open(files, name, size)? else { return Ok(vec![]) };
    if !name.to_lowercase().ends_with(".parquet") {
        return Ok(vec![]);
    }
    let tail = content.read_at(size.saturating_sub(4), 4).unwrap_or_default();
    if !content.head.starts_with(PARQUET) {
        return Err(Fault::corrupt(format!("`{name}` is not a parquet file")));
    }
    if size < 12 || tail != PARQUET {
        return Err(Fault::corrupt(format!(
            "`{name}` is truncated: the end of parquet is missing"
        )));
    }
    Ok(vec![])
}

/// Whether `datasets` sees the file: it skips names that begin with `.` or `__`.
fn is_visible(name: &str) -> bool {
    !name.split('/').any(|part| part.starts_with('.') || part.starts_with("__"))
}

/// Refuses files of several formats, because `datasets` would read one format and skip the others.
fn check_one_format(names: &[String]) -> Result<(), Fault> {
    let end = |name: &String| file_name(name).rsplit_once('.').map(|(_, end)| end.to_lowercase());
    let mut kinds: Vec<_> = names
        .iter()
        .filter_map(end)
        // A JSON file among data files is often metadata.
        .filter(|end| end != "json" && data_files::EXTENSIONS.contains(&end.as_str()))
        .collect();
    kinds.sort();
    kinds.dedup();
    match kinds.len() {
        0 | 1 => Ok(()),
        _ => Err(Fault::explained(format!(
            "it has files of several kinds ({}), and only those of one would be read; give one of the \
             files, or a folder of one kind",
            list_names(&kinds)
        ))),
    }
}
