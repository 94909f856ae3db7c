//! The file that an engine's client writes the id of a run's container to.

use std::path::{Path, PathBuf};

use untrusted::Dir;

use crate::{exit::Usage, host::Host, host_path::HostPath, run_file::file_of_run};

/// What ends the file's name.
pub(crate) const CONTAINER_ID: &str = "cid";

/// Digits of an id, in hexadecimal: Docker's and Podman's are as long.
const DIGITS: usize = 64;

/// More bytes than an id and its line's end have.
const LONGEST: u64 = 128;

/// Where the file of a run is: by no means in one of the folders of `writable`, where the container
/// could write the id of another one.
///
/// # Errors
/// When every folder for such files lies in one of them.
pub(crate) fn file(host: &Host, run_id: &str, writable: &[PathBuf]) -> Result<HostPath, Usage> {
    let file = file_of_run(host, run_id, CONTAINER_ID, writable)?;
    let folder = file.as_path().parent().and_then(|folder| folder.canonicalize().ok());
    let shared =
        writable.iter().find(|shared| folder.as_ref().is_some_and(|it| it.starts_with(shared)));
    match shared {
        None => Ok(file),
        Some(shared) => Err(Usage(format!(
            "the container can write to `{}`, and so to the file `{file}` that the engine writes its \
             id to; set TMPDIR to a folder that lies elsewhere",
            shared.display()
        ))),
    }
}

/// The id in the file, once all of it is there.
pub(crate) fn read(file: &Path) -> Option<String> {
    let dir = Dir::open(file.parent()?).ok()?;
    let text = String::from_utf8(dir.read(file.file_name()?, LONGEST).ok()?).ok()?;
    let id = text.trim();
    let is_id = id.len() == DIGITS && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_id.then(|| id.to_owned())
}

/// Whether `name` is what an engine calls the control group of the container `id`: its id, or
/// `docker-ID.scope`, `libpod-ID.scope` and `libpod-ID`. Podman's monitor has another.
pub(crate) fn is_group(name: &str, id: &str) -> bool {
    let name = name.strip_suffix(".scope").unwrap_or(name);
    let of_an_engine = ["docker-", "libpod-"].iter().find_map(|prefix| name.strip_prefix(prefix));
    of_an_engine.unwrap_or(name) == id
}

/// Whether one of a process's control groups, as `/proc/PID/cgroup` lists them, is the container's or
/// lies below it.
pub(crate) fn is_in_group(groups: &str, id: &str) -> bool {
    groups.split(['/', '\n']).any(|name| is_group(name, id))
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::{file, is_group, is_in_group, read};
    use crate::{host::Host, testing::host};

    const ID: &str = "29b5e718b9fabd5be21a9d729a7d973e1f48bcfdbb75e4e2564730eaf88d3879";

    #[test]
    fn container_cannot_write_to_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        fs::create_dir_all(root.join("results/tmp")).unwrap();
        let tmp = root.join("results/tmp");
        let host = Host { env: [("TMPDIR", tmp.as_path())].into_iter().collect(), ..host() };
        let at = |writable: &str| {
            let writable = match writable {
                "" => vec![],
                path => vec![root.join(path).canonicalize().unwrap()],
            };
            file(&host, "ID", &writable).map(|file| file.to_string())
        };
        let named = format!("{}/aienergyscore-ID-cid", tmp.display());
        assert_eq!(at(""), Ok(named));
        assert_eq!(at("results"), Ok("/tmp/aienergyscore-ID-cid".to_owned()));
        assert!(
            at("/tmp").unwrap_err().to_string().starts_with("the container can write to `/tmp`")
        );
    }

    #[test]
    fn id_is_whole_or_none() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("cid");
        assert_eq!(read(&file), None);
        for (text, id) in [(ID, Some(ID)), ("", None), (&ID[..12], None), ("../..", None)] {
            fs::write(&file, text).unwrap();
            assert_eq!(read(&file).as_deref(), id, "{text}");
        }
        fs::write(&file, format!("{ID}\n")).unwrap();
        assert_eq!(read(&file).as_deref(), Some(ID));
        symlink("cid", root.path().join("link")).unwrap();
        assert_eq!(read(&root.path().join("link")), None);
        assert_eq!(read("/dev/zero".as_ref()), None);
    }

    #[test]
    fn group_is_the_containers_own() {
        for name in ["ID", "docker-ID.scope", "libpod-ID.scope", "libpod-ID"] {
            let name = name.replace("ID", ID);
            assert!(is_group(&name, ID), "{name}");
        }
        for name in [format!("libpod-conmon-{ID}.scope"), format!("x{ID}"), String::new()] {
            assert!(!is_group(&name, ID), "{name}");
        }
        let group = format!("0::/machine.slice/libpod-{ID}.scope/container\n");
        assert!(is_in_group(&group, ID) && !is_in_group(&group, &ID.replace('2', "3")));
    }
}
