//! Docker installed as a snap: its client writes to home folders only, and has its own `/tmp`.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
};

use crate::process::find_on_path;

/// The program that every command of a snap is a symlink to.
const SNAP: &str = "snap";

/// The snap's data folder, below the user's home.
const COMMON: &str = "snap/docker/common";

/// Whether `program` is a command of a snap.
pub fn is(program: &Path) -> bool {
    let real = program.canonicalize();
    program.starts_with("/snap/bin")
        || real.is_ok_and(|real| real.file_name() == Some(OsStr::new(SNAP)))
}

/// The folder that the snap's client can write to, if Docker is a snap.
pub fn folder(home: Option<&Path>) -> Option<PathBuf> {
    find_on_path("docker").filter(|program| is(program))?;
    // The snap makes its folder on first use. Until then it can read the home's visible files.
    let home = home?;
    let common = home.join(COMMON);
    Some(if common.is_dir() { common } else { home.to_owned() })
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink, path::Path};

    use super::is;

    #[test]
    fn command_of_a_snap_is_recognised_by_its_symlink() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("snap"), "").unwrap();
        fs::write(at("docker-ce"), "").unwrap();
        symlink("snap", at("docker")).unwrap();
        assert!(is(&at("docker")) && is(Path::new("/snap/bin/docker")));
        assert!(!is(&at("docker-ce")) && !is(Path::new("/usr/bin/docker")));
    }
}
