//! Symlinks on the way to a folder that an earlier run's container may have left there.

use std::{
    collections::VecDeque,
    ffi::OsString,
    fs,
    path::{Component, Path, PathBuf},
};

use contract::output::{DOCUMENTED, LOCK};
use untrusted::escape;

use crate::exit::Usage;

/// Symlinks after which the kernel follows no more.
const MOST_LINKS: usize = 40;

/// Refuses a path that leads through a symlink in a folder that runs wrote to. Elsewhere symlinks
/// are the user's own.
///
/// # Errors
/// When there is one, with its place.
pub(crate) fn refuse_planted(what: &str, path: &Path) -> Result<(), Usage> {
    let names = |path: &Path| -> Vec<OsString> {
        path.components().map(|part| part.as_os_str().to_owned()).collect()
    };
    let mut ahead = VecDeque::from(names(path));
    let (mut real, mut links) = (PathBuf::new(), 0);
    while let Some(name) = ahead.pop_front() {
        match Path::new(&name).components().next() {
            // What it was is followed already, so its parent is the real one.
            Some(Component::ParentDir) => {
                real.pop();
                continue;
            }
            Some(Component::CurDir) | None => continue,
            Some(_) => {}
        }
        let place = real.join(&name);
        // What is missing or out of reach is told when it is used.
        let Ok(target) = fs::read_link(&place) else {
            real = place;
            continue;
        };
        links += 1;
        if links > MOST_LINKS {
            break;
        }
        if let Some(earlier) = real.ancestors().find(|folder| is_of_a_run(folder)) {
            return Err(Usage(format!(
                "the {what} `{}` leads through the symlink `{}`, which a container may have left: \
                 `{}` is a results folder of an earlier run; name what the symlink leads to, `{}`, if \
                 it is the one you mean",
                shown(path),
                shown(&place),
                shown(earlier),
                shown(&target)
            )));
        }
        for part in names(&target).into_iter().rev() {
            ahead.push_front(part);
        }
    }
    Ok(())
}

/// Whether a run wrote to the folder. Its container could delete the lock file, too.
fn is_of_a_run(folder: &Path) -> bool {
    let names = DOCUMENTED.iter().map(|(name, _)| *name).chain([LOCK]);
    names.into_iter().any(|name| fs::symlink_metadata(folder.join(name)).is_ok())
}

fn shown(path: &Path) -> String {
    escape(&path.to_string_lossy())
}

/// Refuses a path that leads through a symlink in one of the folders of `writable`.
///
/// # Errors
/// When there is one, with what it leads to.
pub(crate) fn refuse_linked(what: &str, path: &Path, writable: &[PathBuf]) -> Result<(), Usage> {
    let Some(target) = linked_inside(path, writable) else { return Ok(()) };
    Err(Usage(format!(
        "the {what} `{}` leads to `{}` by a symlink in a folder that containers write to; name what it \
         leads to",
        shown(path),
        shown(&target)
    )))
}

/// Where `path` leads, if it names something in one of the folders of `writable`, which are canonical,
/// and a symlink in there is on the way. A symlink elsewhere that leads into one is not looked behind.
pub(crate) fn linked_inside(path: &Path, writable: &[PathBuf]) -> Option<PathBuf> {
    let mut ancestors: Vec<_> = path.ancestors().collect();
    ancestors.reverse();
    let inside = ancestors.into_iter().find_map(|ancestor| {
        let real = ancestor.canonicalize().ok()?;
        let is_inside = writable.iter().any(|folder| real.starts_with(folder));
        is_inside.then(|| path.strip_prefix(ancestor).ok().map(|rest| real.join(rest)))
    });
    // Joining nothing adds a slash, which a comparison of paths passes over.
    let expected = inside??;
    path.canonicalize().ok().filter(|found| *found != expected)
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::{linked_inside, refuse_linked, refuse_planted};

    #[test]
    fn only_symlinks_in_folders_of_runs_are_refused() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        fs::create_dir_all(at("results/previous/1")).unwrap();
        fs::create_dir_all(at("disk/deep")).unwrap();
        fs::write(at("results/.aienergyscore.lock"), "").unwrap();
        symlink("../disk", at("results/planted")).unwrap();
        symlink(at("disk"), at("results/previous/1/planted")).unwrap();
        symlink("disk", at("own")).unwrap();
        symlink("results/planted", at("through")).unwrap();
        symlink("loop", at("loop")).unwrap();
        let refused = |name: &str| {
            refuse_planted("results folder", &at(name)).err().map(|usage| usage.to_string())
        };
        for name in [
            "results/planted",
            "results/planted/deep/new",
            "results/planted/../out",
            "results/previous/1/planted/x",
            "disk/../results/planted",
            "through",
            "through/deep",
        ] {
            let error = refused(name).unwrap_or_else(|| panic!("{name}"));
            assert!(error.contains("planted`, which a container may have left"), "{error}");
        }
        fs::rename(at("results/.aienergyscore.lock"), at("results/RUN_COMPLETE.json")).unwrap();
        assert!(refused("results/planted").is_some(), "a container can delete the lock file");
        for name in ["results", "results/new/er", "own", "own/deep", "own/../x", "loop", "none"] {
            assert_eq!(refused(name), None, "{name}");
        }
    }

    #[test]
    fn symlinks_are_found_on_any_way_through_a_writable_folder() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let at = |path: &str| root.join(path);
        fs::create_dir_all(at("w/a/b")).unwrap();
        fs::create_dir(at("out")).unwrap();
        symlink("../out", at("w/link")).unwrap();
        symlink("w", at("to w")).unwrap();
        let inside = |path: &str| linked_inside(&at(path), &[at("w")]);
        for path in ["w/a/b", "w", "to w/a", "out"] {
            assert_eq!(inside(path), None, "{path}");
        }
        assert_eq!(inside("w/link"), Some(at("out")));
        assert_eq!(inside("to w/link"), Some(at("out")));
        let error = refuse_linked("dataset", &at("w/link"), &[at("w")]).unwrap_err().to_string();
        assert!(error.starts_with(&format!("the dataset `{}` leads to", at("w/link").display())));
    }
}
