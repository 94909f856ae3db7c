//! What the `native` backend needs of a model: one GGUF file.

use super::{
    content::{Content, absent},
    fault::{Fault, Verdict, shown},
    files::{Files, Look},
    gguf,
    weights::part,
};

/// Checks a repo of which `file` was chosen, if one was.
///
/// # Errors
/// Why it cannot be loaded.
pub fn model(files: &impl Files, file: Option<&str>) -> Verdict {
    let is_gguf = |name: &String| name.to_lowercase().ends_with(".gguf");
    let names: Vec<_> = files.names().into_iter().filter(is_gguf).collect();
    let name = match (file, names.as_slice()) {
        (_, []) => return Err(Fault::absent("no GGUF file, which the `native` backend needs")),
        (Some(file), _) => names
            .iter()
            .find(|name| *name == file)
            .ok_or_else(|| Fault::absent(format!("no `{file}`, only {}", shown(&names))))?,
        (None, [name]) => name,
        (None, all) => {
            if let Some(split) = all.iter().find(|name| is_split(name)) {
                return Err(split_up(split));
            }
            return Err(Fault::said(format!(
                "it has several GGUF files: {}; choose one by `:FILE` behind the id",
                shown(all)
            )));
        }
    };
    one_file(files, name)
}

/// Checks the file `name` alone.
///
/// # Errors
/// Why it cannot be loaded.
pub fn one_file(files: &impl Files, name: &str) -> Verdict {
    if is_split(name) {
        return Err(split_up(name));
    }
    let look = files.look(name);
    let Look::There(size) = look else { return absent(name, &look).map_or(Ok(vec![]), Err) };
    match Content::open(files, name, size)? {
        Some(content) => gguf::check(name, content).map(|()| vec![]),
        None => Ok(vec![]),
    }
}

fn is_split(name: &str) -> bool {
    part(name).is_some_and(|count| count > 1)
}

fn split_up(name: &str) -> Fault {
    Fault::said(format!(
        "`{name}` is one part of a split GGUF model, and the `native` backend loads one file; merge \
         the parts with `llama-gguf-split --merge`"
    ))
}
