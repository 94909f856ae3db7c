//! The file that an engine's client writes the container id to (`--cidfile`).

use std::path::{Path, PathBuf};

use untrusted::Dir;

/// Suffix of the file's name.
pub const CONTAINER_ID: &str = "cid";

/// Hexadecimal digits of an id, for Docker and Podman.
const DIGITS: usize = 64;

/// Size limit of the file in bytes, more than an id and a line feed.
const LONGEST: u64 = 128;

/// Suffix of the file that is locked while the run lives. The file with the id cannot be locked, since
/// the client creates it.
pub const ALIVE: &str = "alive";

/// The path of the lock file for `cidfile`, in the same folder.
pub fn alive(cidfile: &Path) -> PathBuf {
    let name = cidfile.file_name().unwrap_or_default().to_string_lossy();
    cidfile.with_file_name(format!("{}{ALIVE}", name.trim_end_matches(CONTAINER_ID)))
}

/// Reads the id, once it is complete.
pub fn read(file: &Path) -> Option<String> {
    let dir = Dir::open(file.parent()?).ok()?;
    let text = String::from_utf8(dir.read(file.file_name()?, LONGEST).ok()?).ok()?;
    let id = text.trim();
    let is_id = id.len() == DIGITS && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_id.then(|| id.to_owned())
}

/// Whether `name` is the control group of the container `id`: the id, `docker-ID.scope`,
/// `libpod-ID.scope`, `libpod-ID`, or `libpod-payload-ID` with Podman's `--cgroups=split`. The group of
/// Podman's monitor has another name.
pub fn is_group(name: &str, id: &str) -> bool {
    let name = name.strip_suffix(".scope").unwrap_or(name);
    let of_an_engine = ["docker-", "libpod-payload-", "libpod-"]
        .iter()
        .find_map(|prefix| name.strip_prefix(prefix));
    of_an_engine.unwrap_or(name) == id
}

/// Whether a process is in the container's control group or below it, by its `/proc/PID/cgroup`.
pub fn is_in_group(groups: &str, id: &str) -> bool {
    groups.split(['/', '\n']).any(|name| is_group(name, id))
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::{is_group, is_in_group, read};

    const ID: &str = "29b5e718b9fabd5be21a9d729a7d973e1f48bcfdbb75e4e2564730eaf88d3879";

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
        for name in ["ID", "docker-ID.scope", "libpod-ID.scope", "libpod-ID", "libpod-payload-ID"] {
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
