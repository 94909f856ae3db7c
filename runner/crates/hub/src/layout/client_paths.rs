//! The paths in a Hub cache that its clients use. Owners and modes of other files are never changed, because
//! the folder may turn out not to be a cache.

use std::{ffi::OsStr, path::Path};

use contract::hub::{STORE, is_of_repo, is_of_system};

use crate::layout::names::{RepoName, is_link_probe, is_umask_probe};

/// The folder of lock files.
pub const LOCKS: &str = ".locks";

/// Files directly in a cache. transformers 4 writes `version.txt`.
const TOP_LEVEL_FILES: [&str; 2] = ["CACHEDIR.TAG", "version.txt"];

/// Whether a Hub client or a repair creates entries at `path`, a path below a cache. `has_store` is whether
/// the cache has a shared store.
pub fn is_client_path(path: &Path, has_store: bool) -> bool {
    let mut names = path.iter();
    let Some(top) = names.next() else { return true };
    let second = names.next();
    if top == LOCKS {
        return second.is_none_or(|name| is_repo(name) || is_of_system(name));
    }
    if top == STORE {
        return has_store;
    }
    if is_repo(top) {
        return second.is_none_or(|name| is_of_repo(name) || is_leftover(name));
    }
    is_link_probe(top)
        || second.is_none()
            && (TOP_LEVEL_FILES.iter().any(|known| top == *known)
                || is_of_system(top)
                || is_leftover(top))
}

fn is_repo(name: &OsStr) -> bool {
    name.to_str().and_then(RepoName::of_folder).is_some()
}

/// Whether the file is a leftover of a killed client.
fn is_leftover(name: &OsStr) -> bool {
    is_link_probe(name) || is_umask_probe(name)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::is_client_path;

    #[test]
    fn only_paths_of_clients_belong_to_a_cache() {
        for path in [
            "",
            "CACHEDIR.TAG",
            "version.txt",
            ".DS_Store",
            ".locks",
            ".locks/models--a--b/x.lock",
            "models--a--b",
            "datasets--a--b/blobs/x",
            "spaces--a--b/snapshots/c/shadow",
            "models--a--b/refs/pr/1",
            "models--a--b/.set-aside/x",
            "models--a--b/tmpabcd0123",
            "blobs/ab/cd",
            "tmpabcd0123/dummy_file_src",
        ] {
            assert!(is_client_path(Path::new(path), true), "{path}");
        }
        for path in [
            "shadow",
            "passwd",
            ".ssh/id_rsa",
            "models",
            "models/x",
            "models--a--b/shadow",
            "models--a--b/.ssh/id_rsa",
            ".locks/shadow",
            "CACHEDIR.TAG/x",
            "version.txt/x",
        ] {
            assert!(!is_client_path(Path::new(path), true), "{path}");
        }
        assert!(
            !is_client_path(Path::new("blobs"), false)
                && !is_client_path(Path::new("blobs/x"), false)
        );
    }
}
