//! Writes an output whole or not at all.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::Path,
};

use anyhow::Context;

/// Makes `folder/name` have `text`, through a temporary file beside it: a reader sees the old
/// file or the new one, and a full disk leaves no half.
pub(crate) fn publish(folder: &Path, name: &str, text: &str) -> anyhow::Result<()> {
    let path = folder.join(name);
    let temporary = folder.join(format!(".{name}.{}.tmp", std::process::id()));
    let written = write(&temporary, text).and_then(|()| fs::rename(&temporary, &path));
    if written.is_err() {
        // The error that counts is the first one.
        let _ = fs::remove_file(&temporary);
    }
    written.with_context(|| {
        format!("writing `{}`; check the space and the rights in that folder", path.display())
    })
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(text.as_bytes())?;
    if !text.ends_with('\n') {
        file.write_all(b"\n")?;
    }
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::publish;

    #[test]
    fn an_output_is_replaced_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        publish(folder.path(), "a.txt", "long old text").unwrap();
        publish(folder.path(), "a.txt", "new").unwrap();
        assert_eq!(fs::read_to_string(folder.path().join("a.txt")).unwrap(), "new\n");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_failure_names_the_file_and_leaves_no_half() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("a.txt/in the way")).unwrap();
        let error = format!("{:#}", publish(folder.path(), "a.txt", "new").unwrap_err());
        assert!(error.contains(&folder.path().join("a.txt").display().to_string()), "{error}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
