//! What lies behind a link, where no repair goes.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use crate::hub_cache::{
    breakage::{Breakage, Fix},
    cache::Cache,
};

/// Takes away the repairs of what a link leads to: a repair follows none, and says so in vain.
pub(super) fn leave(cache: &Cache, breakages: &mut [Breakage]) {
    let mut known = HashMap::new();
    for breakage in breakages {
        // Owners are looked at by a walk that follows no link.
        let fixes = breakage.fixes.iter().filter(|fix| !matches!(fix, Fix::TakeBack { .. }));
        let link =
            fixes.flat_map(Fix::touched).find_map(|path| link_above(cache, &path, &mut known));
        if let Some(link) = link {
            breakage.fixes.clear();
            breakage.evidence +=
                &format!("; it lies behind the link `{}`, where no repair goes", link.display());
        }
    }
}

/// The first link on the way to `path`, both below the cache.
fn link_above(
    cache: &Cache,
    path: &Path,
    known: &mut HashMap<PathBuf, Option<PathBuf>>,
) -> Option<PathBuf> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty())?;
    if let Some(link) = known.get(folder) {
        return link.clone();
    }
    let link = link_above(cache, folder, known)
        .or_else(|| cache.path.join(folder).is_symlink().then(|| folder.to_owned()));
    known.insert(folder.to_owned(), link.clone());
    link
}
