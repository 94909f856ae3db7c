//! Files that are either as they were or as they should be, never in between.

use std::path::Path;

use anyhow::Context as _;
use untrusted::{Dir, escape};

/// Replaces the file at `path`, whose folder is the caller's choice.
///
/// # Errors
/// When the folder cannot be written or is full; the file is then as it was.
pub fn write(path: &Path, contents: &[u8]) -> anyhow::Result<()> {
    // The parent of a bare name is empty.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let name = path.file_name().unwrap_or_default();
    let written =
        Dir::open(folder.unwrap_or(Path::new("."))).and_then(|dir| dir.write(name, contents));
    written.with_context(|| format!("writing `{}`", escape(&path.to_string_lossy())))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::write;

    #[test]
    fn a_file_is_replaced_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        write(&path, b"one").unwrap();
        write(&path, b"2").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"2");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(write(&folder.path().join("no/a"), b"").is_err());
        assert!(write("/".as_ref(), b"").is_err());
    }
}
