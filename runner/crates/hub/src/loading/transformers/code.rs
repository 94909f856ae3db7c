//! Python code in a model's repository.

use crate::loading::{
    content::missing_fault,
    fault::{Fault, Verdict},
    files::Files,
};

/// Checks that the Python files of `classes` exist, each class given as `FILE.CLASS`.
///
/// # Errors
/// When one is missing.
pub(super) fn check<'a>(files: &impl Files, classes: impl Iterator<Item = &'a str>) -> Verdict {
    let mut warnings = Vec::new();
    for class in classes {
        if let Some((repo, _)) = class.split_once("--") {
            warnings
                .push(format!("its code is of the repo `{repo}`, which the cache must have, too"));
        } else if let Some((module, _)) = class.rsplit_once('.') {
            let name = format!("{module}.py");
            if let Some(fault) = missing_fault(&name, &files.state(&name)) {
                let message = format!("{}, which is code that the model needs", fault.message);
                return Err(Fault { message, ..fault });
            }
        }
    }
    Ok(warnings)
}
