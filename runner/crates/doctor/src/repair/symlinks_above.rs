//! Symlinks in the path of an entry. A repair follows none.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use hub::cache::Cache;

/// Finds symlinks above entries of a cache, and checks each folder once.
#[derive(Debug)]
pub(super) struct SymlinksAbove<'a> {
    cache: &'a Cache,
    known: HashMap<PathBuf, Option<PathBuf>>,
}

impl<'a> SymlinksAbove<'a> {
    pub(super) fn of(cache: &'a Cache) -> Self {
        Self { cache, known: HashMap::new() }
    }

    /// The first symlink above `path`, both below the cache.
    pub(super) fn find(&mut self, path: &Path) -> Option<PathBuf> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty())?;
        if let Some(link) = self.known.get(folder) {
            return link.clone();
        }
        let is_link = || self.cache.path.join(folder).is_symlink();
        let link = self.find(folder).or_else(|| is_link().then(|| folder.to_owned()));
        self.known.insert(folder.to_owned(), link.clone());
        link
    }
}
