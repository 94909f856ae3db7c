//! Atomic writes: a file has its old or its new content, never a part.

use std::{
    fs::Permissions,
    io::{self, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::Path,
};

use anyhow::Context as _;
use untrusted::{Dir, Kind, Stamp, escape};

/// Replaces the file at `path` and keeps its permissions. The caller vouches for the folder.
///
/// # Errors
/// When the folder is not writable or full. The file is then unchanged.
pub fn write(path: &Path, contents: &[u8]) -> anyhow::Result<()> {
    // The parent of a bare name is empty.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let name = path.file_name().unwrap_or_default();
    let write = || -> io::Result<()> {
        let dir = Dir::open(folder.unwrap_or(Path::new(".")))?;
        let mut new = dir.new_file(0o666)?;
        new.file().write_all(contents)?;
        if let Ok(Stamp { kind: Kind::File, mode, .. }) = dir.look(name) {
            new.file().set_permissions(Permissions::from_mode(mode & 0o777))?;
        }
        new.replace(name)
    };
    write().with_context(|| format!("writing `{}`", escape(&path.to_string_lossy())))
}

#[cfg(test)]
mod tests {
    use std::{
        fs::{self, Permissions},
        os::unix::fs::PermissionsExt as _,
    };

    use super::write;

    #[test]
    fn file_is_replaced_whole_and_keeps_its_permissions() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        write(&path, b"one").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        write(&path, b"2").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o755);
        assert_eq!(fs::read(&path).unwrap(), b"2");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(write(&folder.path().join("no/a"), b"").is_err());
        assert!(write("/".as_ref(), b"").is_err());
    }
}
