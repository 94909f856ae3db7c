//! Files that are either as they were or as they should be, never in between.

use std::{
    fs::{self, Permissions},
    io::{self, Write as _},
    os::unix::fs::PermissionsExt,
    path::Path,
};

use anyhow::Context as _;
use tempfile::NamedTempFile;

/// Replaces the file at `path`, keeping its mode if it exists.
///
/// # Errors
/// When the folder cannot be written or is full; the file is then as it was.
pub fn write(path: &Path, contents: &[u8]) -> anyhow::Result<()> {
    // Not the private mode of a temporary file: what is replaced is there to be read.
    let mode = fs::metadata(path).map_or_else(|_| readable(), |data| data.permissions());
    let write = || -> io::Result<()> {
        temporary(path, contents, mode)?.persist(path)?;
        Ok(())
    };
    write().with_context(|| format!("writing `{}`", path.display()))
}

/// Makes a file at `path`, where none must be.
///
/// # Errors
/// When there is one, or the folder cannot be written or is full; nothing is left then.
pub fn write_new(path: &Path, contents: &[u8]) -> anyhow::Result<()> {
    let write = || -> io::Result<()> {
        temporary(path, contents, readable())?.persist_noclobber(path)?;
        Ok(())
    };
    write().with_context(|| format!("writing `{}`", path.display()))
}

/// A whole file beside `path`, gone unless it is kept.
fn temporary(path: &Path, contents: &[u8], mode: Permissions) -> io::Result<NamedTempFile> {
    // The parent of a bare name is empty.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(folder)?;
    file.write_all(contents)?;
    file.as_file().set_permissions(mode)?;
    file.as_file().sync_all()?;
    Ok(file)
}

fn readable() -> Permissions {
    PermissionsExt::from_mode(0o644)
}

#[cfg(test)]
mod tests {
    use std::{
        fs::{self, Permissions},
        os::unix::fs::PermissionsExt as _,
    };

    use super::{write, write_new};

    #[test]
    fn a_file_is_replaced_whole_and_keeps_its_mode() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        write(&path, b"one").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o644);
        fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        write(&path, b"2").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"2");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o755);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(write(&folder.path().join("no/a"), b"").is_err());
    }

    #[test]
    fn a_new_file_is_not_written_over_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        write_new(&path, b"one").unwrap();
        assert!(write_new(&path, b"two").is_err());
        assert_eq!(fs::read(&path).unwrap(), b"one");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o644);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
