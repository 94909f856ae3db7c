//! Code that a model brings along, and what of it a load imports.

use super::{
    Fault, Files, Look,
    content::{Content, absent},
};

/// Bytes of the largest file of code that is read.
const LARGEST: u64 = 4 << 20;

/// Checks that the files of `classes` are there, each named as `FILE.CLASS`, and those that they
/// import. The answer is doubts.
///
/// # Errors
/// When one is missing.
pub(super) fn check<'a>(
    files: &impl Files,
    classes: impl Iterator<Item = &'a str>,
) -> Result<Vec<String>, Fault> {
    let mut doubts = Vec::new();
    let (mut ahead, mut seen) = (Vec::new(), Vec::new());
    for class in classes {
        match class.split_once("--") {
            Some((repo, _)) => {
                doubts.push(format!(
                    "its code is of the repo `{repo}`, which the cache must have, too"
                ));
            }
            None => ahead.extend(class.rsplit_once('.').map(|(module, _)| format!("{module}.py"))),
        }
    }
    while let Some(name) = ahead.pop() {
        if seen.contains(&name) {
            continue;
        }
        let look = files.look(&name);
        if let Some(fault) = absent(&name, &look) {
            let what = format!("{}, which is code that the model needs", fault.what);
            return Err(Fault { what, ..fault });
        }
        if let Look::There(size) = look
            && let Some(mut content) = Content::open(files, &name, size)?
            && let Ok(text) = content.at(0, LARGEST)
        {
            let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
            let imported = imports(&String::from_utf8_lossy(&text));
            ahead.extend(imported.into_iter().map(|module| {
                if folder.is_empty() {
                    format!("{module}.py")
                } else {
                    format!("{folder}/{module}.py")
                }
            }));
        }
        seen.push(name);
    }
    Ok(doubts)
}

/// The modules beside it that `code` imports, as transformers finds them.
fn imports(code: &str) -> Vec<String> {
    let module = |line: &str| {
        let rest = match line.trim_start().strip_prefix("from")?.trim_start().strip_prefix('.') {
            Some(rest) => rest,
            None => return None,
        };
        let (module, then) = rest.split_once(char::is_whitespace)?;
        then.trim_start().strip_prefix("import")?;
        let is_name = |name: &str| {
            !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        };
        is_name(module).then(|| module.to_owned())
    };
    code.lines().filter_map(module).collect()
}
