//! What the `native` backend needs of a model: one GGUF file.

mod gguf;

use super::{
    content::{Content, missing_fault},
    fault::{Fault, Verdict, list_names},
    files::{FileState, Files, shard_total},
};

/// Checks a repo. `file` is the file to load, if the user named one.
///
/// # Errors
/// Why it cannot be loaded.
pub fn check(files: &impl Files, file: Option<&str>) -> Verdict {
    let is_gguf = |name: &String| name.to_lowercase().ends_with(".gguf");
    let names: Vec<_> = files.names().into_iter().filter(is_gguf).collect();
    let name = match (file, names.as_slice()) {
        (_, []) => return Err(Fault::missing("no GGUF file, which the `native` backend needs")),
        (Some(file), _) => names
            .iter()
            .find(|name| *name == file)
            .ok_or_else(|| Fault::missing(format!("no `{file}`, only {}", list_names(&names))))?,
        (None, [name]) => name,
        (None, all) => {
            if let Some(split) = all.iter().find(|name| is_split(name)) {
                return Err(split_fault(split));
            }
            return Err(Fault::explained(format!(
                "it has several GGUF files: {}; choose one by `:FILE` behind the id",
                list_names(all)
            )));
        }
    };
    check_file(files, name)
}

/// Checks the GGUF file `name`.
///
/// # Errors
/// Why it cannot be loaded.
pub fn check_file(files: &impl Files, name: &str) -> Verdict {
    if is_split(name) {
        return Err(split_fault(name));
    }
    let state = files.state(name);
    let FileState::Present(size) = state else {
        return missing_fault(name, &state).map_or(Ok(vec![]), Err);
    };
    match Content::open(files, name, size)? {
        Some(content) => gguf::check(name, content).map(|()| vec![]),
        None => Ok(vec![]),
    }
}

fn is_split(name: &str) -> bool {
    shard_total(name).is_some_and(|count| count > 1)
}

fn split_fault(name: &str) -> Fault {
    Fault::explained(format!(
        "`{name}` is one part of a split GGUF model, and the `native` backend loads one file; merge \
         the parts with `llama-gguf-split --merge`"
    ))
}
