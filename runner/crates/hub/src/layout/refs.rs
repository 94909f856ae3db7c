//! The refs of a repo: names of branches, tags and pull requests.

use std::{
    io,
    path::{Path, PathBuf},
};

use contract::hub::LARGEST_REF;
pub use contract::hub::REFS;
use untrusted::{Found, Refused};

use crate::layout::{
    dir::{DEEPEST, Dir, Kind, Trouble, has_lost, is_gone, too_deep},
    names::is_of_system,
};

/// A file in `refs`.
#[derive(Debug)]
pub struct Ref {
    /// Its path there: `main`, `refs/pr/1`.
    pub name: String,
    /// Its path below the repo.
    pub path: PathBuf,
    /// Its text.
    pub text: io::Result<String>,
}

impl Ref {
    /// The commit that it means, white space aside.
    pub fn commit(&self) -> Option<&str> {
        self.text.as_deref().ok().map(str::trim)
    }
}

/// Reads the refs of `repo`, and adds to `troubles` what cannot be read.
pub(crate) fn read_refs(repo: &Dir, troubles: &mut Vec<Trouble>) -> Vec<Ref> {
    let mut refs: Vec<Ref> = Vec::new();
    let dir = match repo.dir(REFS) {
        Ok(dir) => dir,
        Err(error) if has_lost(repo, REFS, &error) => return refs,
        Err(error) => {
            troubles.push(Trouble { path: REFS.into(), error });
            return refs;
        }
    };
    dir.walk(DEEPEST + 1, |found| {
        let (below, trouble) = match found {
            Found::Entry { path, stamp } if stamp.kind == Kind::Folder => {
                let is_too_deep = path.iter().count() > DEEPEST;
                (path, is_too_deep.then(too_deep))
            }
            Found::Entry { path, stamp } => {
                refs.extend(read_ref(repo, path, stamp.kind));
                return false;
            }
            Found::Closed { path, error } => (path, (!is_gone(&error)).then_some(error)),
        };
        let Some(error) = trouble else { return true };
        let path: PathBuf = Path::new(REFS).join(below).components().collect();
        troubles.push(Trouble { path, error });
        false
    });
    refs.sort_unstable_by(|one, other| one.path.cmp(&other.path));
    refs
}

/// The ref at `below`; none when it is no ref, or was removed: a client writes another file, and
/// renames it.
fn read_ref(repo: &Dir, below: &Path, kind: Kind) -> Option<Ref> {
    if below.file_name().is_some_and(is_of_system) {
        return None;
    }
    let path = Path::new(REFS).join(below);
    let text = match kind {
        Kind::File | Kind::Link => repo.read(&path, LARGEST_REF),
        kind => Err(Refused::NotAFile(kind).into()),
    };
    if text.as_ref().is_err_and(|error| has_lost(repo, &path, error)) {
        return None;
    }
    let text = text.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    Some(Ref { name: below.to_string_lossy().into_owned(), path, text })
}

#[cfg(test)]
mod properties;
