//! `probe`: tests the mounts of a container by writing to them, and tells whether this build has
//! the `native` backend.

use std::io::{self, Read as _, Seek as _, Write as _};

use anyhow::Context as _;
use contract::{
    env,
    probe::{Answer, Home, Mount},
};
use rustix::process::{getgid, getuid};
use untrusted::{Dir, Stamp};

use crate::{environment::Environment, exit::FAILED};

const CONTENT: &[u8] = b"aienergyscore probe\n";

/// Tests `folders` and the home, prints the answer as one JSON object and returns the exit code.
/// `leave` names a file to leave in each folder.
pub(super) fn run(
    folders: &[String],
    leave: Option<&str>,
    environment: &Environment,
) -> anyhow::Result<u8> {
    let home = environment.get(env::HOME);
    let answer = Answer {
        native: cfg!(feature = "native"),
        uid: getuid().as_raw(),
        gid: getgid().as_raw(),
        home: Home {
            writable: home.is_some_and(|home| {
                Dir::open(home).and_then(|home| owner_of_new_file(&home)).is_ok()
            }),
            path: home.map(|home| home.to_string_lossy().into_owned()),
        },
        mounts: folders.iter().map(|folder| mount(folder, leave)).collect(),
    };
    let text = serde_json::to_string(&answer)?;
    writeln!(io::stdout(), "{text}").context("printing the findings")?;
    let is_fine = answer.home.writable && answer.mounts.iter().all(|mount| mount.ok);
    Ok(if is_fine { 0 } else { FAILED })
}

fn mount(folder: &str, leave: Option<&str>) -> Mount {
    let result = Dir::open(folder).and_then(|folder| {
        let owner = owner_of_new_file(&folder)?;
        leave.map_or(Ok(()), |name| folder.write_new(name, CONTENT))?;
        Ok(owner)
    });
    Mount {
        path: folder.to_owned(),
        ok: result.is_ok(),
        error: result.as_ref().err().map(io::Error::to_string),
        owner_uid: result.ok(),
    }
}

/// Creates a file in `folder`, reads it back, deletes it, and returns its owner.
fn owner_of_new_file(folder: &Dir) -> io::Result<u32> {
    let mut new = folder.new_file(0o666)?;
    let file = new.file();
    file.write_all(CONTENT)?;
    file.sync_all()?;
    file.rewind()?;
    let mut content = Vec::new();
    file.read_to_end(&mut content)?;
    if content != CONTENT {
        return Err(io::Error::other("a file reads back other than it was written"));
    }
    let owner = Stamp::of_file(file)?.uid;
    new.remove()?;
    Ok(owner)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{CONTENT, getuid, mount};

    #[test]
    fn writable_folder_is_left_empty() {
        let folder = tempfile::tempdir().unwrap();
        let found = mount(folder.path().to_str().unwrap(), None);
        assert!(found.ok, "{found:?}");
        assert_eq!(found.owner_uid, Some(getuid().as_raw()));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn left_file_is_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_str().unwrap();
        assert!(mount(path, Some("left")).ok);
        assert_eq!(fs::read(folder.path().join("left")).unwrap(), CONTENT);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        let again = mount(path, Some("left"));
        assert!(!again.ok && again.error.is_some(), "{again:?}");
    }

    #[test]
    fn unwritable_folder_has_an_error() {
        let found = mount("/proc/self", None);
        assert!(!found.ok && found.owner_uid.is_none(), "{found:?}");
        assert!(mount("/nowhere at all", None).error.unwrap().contains("No such file"));
    }
}
