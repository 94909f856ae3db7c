//! Docker as a snap: its client writes only to home folders, and has a `/tmp` of its own.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
};

use crate::process::find_on_path;

/// The program behind the commands of all snaps.
const SNAP: &str = "snap";

/// Where a user's files of the snap lie, below the home folder.
const COMMON: &str = "snap/docker/common";

/// Whether the command `program` is a snap's.
pub fn is(program: &Path) -> bool {
    let real = program.canonicalize();
    program.starts_with("/snap/bin")
        || real.is_ok_and(|real| real.file_name() == Some(OsStr::new(SNAP)))
}

/// The folder of the user with this home that the client of Docker's snap may write to, where Docker
/// is one.
pub fn folder(home: Option<&Path>) -> Option<PathBuf> {
    find_on_path("docker").filter(|program| is(program))?;
    // The snap makes it when it is first used; files that show are open to it, too.
    let home = home?;
    let common = home.join(COMMON);
    Some(if common.is_dir() { common } else { home.to_owned() })
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink, path::Path};

    use super::is;

    #[test]
    fn a_command_of_a_snap_leads_to_one_program() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("snap"), "").unwrap();
        fs::write(at("docker-ce"), "").unwrap();
        symlink("snap", at("docker")).unwrap();
        assert!(is(&at("docker")) && is(Path::new("/snap/bin/docker")));
        assert!(!is(&at("docker-ce")) && !is(Path::new("/usr/bin/docker")));
    }
}
