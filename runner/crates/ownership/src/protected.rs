//! Folders in which nobody is given anything: what is not the user's in there has its reason.

use std::path::{Component, Path};

/// Folders of the system's, at any depth, and below `/var`.
const SYSTEM: [&str; 15] = [
    "bin", "boot", "dev", "etc", "lib", "lib32", "lib64", "libx32", "opt", "proc", "root", "run",
    "sbin", "sys", "usr",
];
const SYSTEM_BELOW_VAR: [&str; 13] = [
    "backups", "cache", "crash", "db", "empty", "lib", "local", "lock", "log", "mail", "opt",
    "run", "spool",
];

/// Why owners are not changed in a folder, absolute and without links, if so.
pub(crate) fn protected(folder: &Path, home: Option<&Path>) -> Option<&'static str> {
    let names: Vec<_> = folder
        .components()
        .filter_map(|part| match part {
            Component::Normal(name) => name.to_str(),
            _ => None,
        })
        .collect();
    let of_system = match names.as_slice() {
        [] | [_] => true,
        ["var", below, ..] => SYSTEM_BELOW_VAR.contains(below),
        [top, ..] => SYSTEM.contains(top),
    };
    if of_system {
        return Some("is the system's");
    }
    let holds_home = home.is_some_and(|home| {
        home.starts_with(folder) || home.canonicalize().is_ok_and(|home| home.starts_with(folder))
    });
    // A rootless engine keeps its images there, under ids of its own.
    holds_home.then_some("holds your home")
}

/// [`protected`], with the symlinks in `folder` followed.
pub fn protected_behind(folder: &Path, home: Option<&Path>) -> Option<&'static str> {
    protected(folder, home).or_else(|| protected(&folder.canonicalize().ok()?, home))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{protected, protected_behind};

    #[test]
    fn the_systems_folders_and_the_home_are_nobodys_to_give() {
        let home = Some(Path::new("/home/ada"));
        for folder in [
            "/",
            "/data",
            "/etc/x",
            "/usr/local/share",
            "/var/lib/docker",
            "/var/backups",
            "/home",
            "/home/ada",
        ] {
            assert!(protected(Path::new(folder), home).is_some(), "{folder}");
        }
        for folder in ["/home/ada/results", "/data/runs", "/var/tmp/r", "/tmp/r", "/home/eve"] {
            assert_eq!(protected(Path::new(folder), home), None, "{folder}");
        }
    }

    #[test]
    fn a_symlink_to_such_a_folder_is_one() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("hub");
        std::os::unix::fs::symlink("/etc/ssl", &link).unwrap();
        assert_eq!(protected(&link, None), None);
        assert_eq!(protected_behind(&link, None), Some("is the system's"));
    }
}
