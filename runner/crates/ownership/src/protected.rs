//! Folders in which no owner is changed: system folders and folders that contain the user's home.

use std::path::{Component, Path};

/// Top-level folders of the system.
const SYSTEM: [&str; 15] = [
    "bin", "boot", "dev", "etc", "lib", "lib32", "lib64", "libx32", "opt", "proc", "root", "run",
    "sbin", "sys", "usr",
];

/// Folders of the system in `/var`.
const SYSTEM_BELOW_VAR: [&str; 13] = [
    "backups", "cache", "crash", "db", "empty", "lib", "local", "lock", "log", "mail", "opt",
    "run", "spool",
];

/// Why owners are not changed in `folder` or in the target of a symlink there.
pub fn why_protected(folder: &Path, home: Option<&Path>) -> Option<&'static str> {
    reason(folder, home).or_else(|| reason(&folder.canonicalize().ok()?, home))
}

/// Why owners are not changed in `folder`, an absolute path without symlinks.
fn reason(folder: &Path, home: Option<&Path>) -> Option<&'static str> {
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
    // Rootless engines keep their images in the home, owned by subordinate ids.
    holds_home.then_some("holds your home")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{reason, why_protected};

    #[test]
    fn system_folders_and_parents_of_the_home_are_protected() {
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
            assert!(reason(Path::new(folder), home).is_some(), "{folder}");
        }
        for folder in ["/home/ada/results", "/data/runs", "/var/tmp/r", "/tmp/r", "/home/eve"] {
            assert_eq!(reason(Path::new(folder), home), None, "{folder}");
        }
    }

    #[test]
    fn symlink_to_a_protected_folder_is_protected() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("hub");
        std::os::unix::fs::symlink("/etc/ssl", &link).unwrap();
        assert_eq!(reason(&link, None), None);
        assert_eq!(why_protected(&link, None), Some("is the system's"));
    }
}
