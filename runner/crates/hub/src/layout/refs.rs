//! The refs of a repo: branches, tags and pull requests.

use std::{
    io,
    path::{Path, PathBuf},
};

use contract::hub::{LARGEST_REF, REFS, is_of_system};
use untrusted::{Dir, Found, Kind, Refused};

use crate::layout::dir::{DEEPEST, ReadError, is_not_found, too_deep, was_removed};

/// A file in `refs`.
#[derive(Debug)]
pub struct Ref {
    /// Its path below `refs`, such as `main` or `refs/pr/1`.
    pub name: String,
    /// Its path below the repo.
    pub path: PathBuf,
    /// Its content.
    pub text: io::Result<String>,
}

impl Ref {
    /// The commit, without white space around it.
    pub fn commit(&self) -> Option<&str> {
        self.text.as_deref().ok().map(str::trim)
    }
}

/// Reads the refs of `repo`, and adds what cannot be read to `errors`.
pub(crate) fn read_refs(repo: &Dir, errors: &mut Vec<ReadError>) -> Vec<Ref> {
    let mut refs: Vec<Ref> = Vec::new();
    let dir = match repo.dir(REFS) {
        Ok(dir) => dir,
        Err(error) if was_removed(repo, REFS, &error) => return refs,
        Err(error) => {
            errors.push(ReadError { path: REFS.into(), error });
            return refs;
        }
    };
    dir.walk(DEEPEST + 1, |found| {
        let (below, error) = match found {
            Found::Entry { path, stamp } if stamp.kind == Kind::Folder => {
                let is_too_deep = path.iter().count() > DEEPEST;
                (path, is_too_deep.then(too_deep))
            }
            Found::Entry { path, stamp } => {
                refs.extend(read_ref(repo, path, stamp.kind));
                return false;
            }
            Found::Closed { path, error } => (path, (!is_not_found(&error)).then_some(error)),
        };
        let Some(error) = error else { return true };
        let path: PathBuf = Path::new(REFS).join(below).components().collect();
        errors.push(ReadError { path, error });
        false
    });
    refs.sort_unstable_by(|one, other| one.path.cmp(&other.path));
    refs
}

/// Reads the ref at `below`. `None` when it is a system file, or was removed: clients write a temporary
/// file and rename it.
fn read_ref(repo: &Dir, below: &Path, kind: Kind) -> Option<Ref> {
    if below.file_name().is_some_and(is_of_system) {
        return None;
    }
    let path = Path::new(REFS).join(below);
    let text = match kind {
        Kind::File | Kind::Link => repo.read(&path, LARGEST_REF),
        kind => Err(Refused::NotAFile(kind).into()),
    };
    if text.as_ref().is_err_and(|error| was_removed(repo, &path, error)) {
        return None;
    }
    let text = text.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    Some(Ref { name: below.to_string_lossy().into_owned(), path, text })
}

#[cfg(test)]
mod properties;
