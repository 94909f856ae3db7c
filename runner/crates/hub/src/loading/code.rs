//! Code that a model brings along.

use super::{content::absent, fault::Fault, files::Files};

/// Checks that the files of `classes` are there, each named as `FILE.CLASS`. The answer is warnings.
///
/// # Errors
/// When one is missing.
pub(super) fn check<'a>(
    files: &impl Files,
    classes: impl Iterator<Item = &'a str>,
) -> Result<Vec<String>, Fault> {
    let mut warnings = Vec::new();
    for class in classes {
        if let Some((repo, _)) = class.split_once("--") {
            warnings
                .push(format!("its code is of the repo `{repo}`, which the cache must have, too"));
        } else if let Some((module, _)) = class.rsplit_once('.') {
            let name = format!("{module}.py");
            if let Some(fault) = absent(&name, &files.look(&name)) {
                let what = format!("{}, which is code that the model needs", fault.what);
                return Err(Fault { what, ..fault });
            }
        }
    }
    Ok(warnings)
}
