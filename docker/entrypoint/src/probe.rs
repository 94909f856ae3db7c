//! Tests from inside a container what its mounts allow, by really writing to them, and says what
//! this program can do.

use std::{
    ffi::OsString,
    io::{self, Read as _, Seek as _, Write as _},
};

use contract::{
    env,
    exit::FAILED,
    probe::{Answer, Home, Mount},
};
use rustix::process::{getgid, getuid};
use untrusted::{Dir, Stamp};

use crate::failure;

const CONTENT: &[u8] = b"aienergyscore probe\n";

/// Tests `folders` and the home, prints the answer as one JSON object; the exit code.
pub(crate) fn run(
    folders: &[String],
    leave: Option<&str>,
    variable: impl Fn(&str) -> Option<OsString>,
) -> u8 {
    let home = variable(env::HOME).filter(|home| !home.is_empty());
    let answer = Answer {
        native: cfg!(feature = "native"),
        uid: getuid().as_raw(),
        gid: getgid().as_raw(),
        home: Home {
            writable: home
                .as_ref()
                .is_some_and(|home| Dir::open(home).and_then(|home| written(&home)).is_ok()),
            path: home.map(|home| home.to_string_lossy().into_owned()),
        },
        mounts: folders.iter().map(|folder| mount(folder, leave)).collect(),
    };
    let fine = answer.home.writable && answer.mounts.iter().all(|mount| mount.ok);
    let printed = serde_json::to_string(&answer)
        .map_err(io::Error::from)
        .and_then(|text| writeln!(io::stdout(), "{text}"));
    match printed {
        Ok(()) if fine => 0,
        Ok(()) => FAILED,
        Err(error) => failure::report(&anyhow::Error::from(error).context("printing the findings")),
    }
}

fn mount(folder: &str, leave: Option<&str>) -> Mount {
    let result = Dir::open(folder).and_then(|folder| {
        let owner = written(&folder)?;
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

/// Makes a file in `folder`, reads it back and deletes it; its owner.
fn written(folder: &Dir) -> io::Result<u32> {
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
    fn a_writable_folder_is_left_empty() {
        let folder = tempfile::tempdir().unwrap();
        let found = mount(folder.path().to_str().unwrap(), None);
        assert!(found.ok, "{found:?}");
        assert_eq!(found.owner_uid, Some(getuid().as_raw()));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_named_file_stays_and_is_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_str().unwrap();
        assert!(mount(path, Some("left")).ok);
        assert_eq!(fs::read(folder.path().join("left")).unwrap(), CONTENT);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        let again = mount(path, Some("left"));
        assert!(!again.ok && again.error.is_some(), "{again:?}");
    }

    #[test]
    fn a_folder_that_cannot_be_written_says_why() {
        let found = mount("/proc/self", None);
        assert!(!found.ok && found.owner_uid.is_none(), "{found:?}");
        assert!(mount("/nowhere at all", None).error.unwrap().contains("No such file"));
    }
}
