//! Resolves a path and records every symlink that was followed.

use std::{
    collections::VecDeque,
    ffi::OsString,
    fs,
    path::{Component, Path, PathBuf},
};

use contract::hub::{BLOBS, is_of_the_client};

/// How many symlinks the kernel follows in one path.
const MAX_LINKS: usize = 40;

/// A path with its symlinks followed. Missing and unreadable components count as plain ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ResolvedPath {
    /// The symlinks, in the order in which they are followed.
    pub(super) links: Vec<Link>,
    /// The final path.
    pub(super) end: PathBuf,
}

/// A symlink on a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    /// Its folder, canonical.
    pub(super) folder: PathBuf,
    /// Its own path.
    pub(super) path: PathBuf,
    /// Its text.
    target: PathBuf,
    /// The components after it.
    pub(super) rest: PathBuf,
}

impl ResolvedPath {
    pub(super) fn of(path: &Path) -> Self {
        let names = |path: &Path| -> Vec<OsString> {
            path.components().map(|part| part.as_os_str().to_owned()).collect()
        };
        let mut ahead = VecDeque::from(names(path));
        let (mut end, mut links) = (PathBuf::new(), vec![]);
        while let Some(name) = ahead.pop_front() {
            match Path::new(&name).components().next() {
                // `end` has no symlinks left, so its parent is the real one.
                Some(Component::ParentDir) => {
                    end.pop();
                    continue;
                }
                Some(Component::CurDir) | None => continue,
                Some(_) => {}
            }
            let path = end.join(&name);
            let Ok(target) = fs::read_link(&path) else {
                end = path;
                continue;
            };
            let rest = ahead.iter().collect();
            for part in names(&target).into_iter().rev() {
                ahead.push_front(part);
            }
            links.push(Link { folder: end.clone(), path, target, rest });
            if links.len() > MAX_LINKS {
                end.push(name);
                break;
            }
        }
        Self { links, end }
    }
}

impl Link {
    /// Whether the Hub client creates such a symlink. In a copied cache it is absolute, and may name the repo
    /// through symlinks of the user.
    pub(super) fn is_of_the_client(&self) -> bool {
        let repo =
            self.target.parent().filter(|blobs| blobs.ends_with(BLOBS)).and_then(Path::parent);
        let real = repo.filter(|repo| repo.is_absolute()).and_then(|repo| repo.canonicalize().ok());
        let real =
            real.zip(self.target.file_name()).map(|(repo, name)| repo.join(BLOBS).join(name));
        is_of_the_client(&self.folder, real.as_ref().unwrap_or(&self.target))
    }
}
