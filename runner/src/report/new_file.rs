//! The file that a report is written to: what is there is not written over unasked.

use std::{io, path::Path};

use anyhow::{Context as _, bail};

use crate::atomic_file;

/// Refuses to write over what is there, before any work is done.
pub(super) fn not_in_the_way(file: &Path, overwrite: bool) -> anyhow::Result<()> {
    match file.symlink_metadata() {
        Ok(_) if !overwrite => {
            bail!("`{}` is there already; name another, or add --overwrite", file.display())
        }
        Ok(kind) if kind.is_dir() => bail!("`{}` is a folder; name a file", file.display()),
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("looking at `{}`", file.display()))
        }
        _ => Ok(()),
    }
}

/// Writes a file whole or not at all; unless it may be written over, also not when somebody else
/// made it meanwhile.
pub(super) fn write_new(file: &Path, contents: &[u8], overwrite: bool) -> anyhow::Result<()> {
    if overwrite {
        atomic_file::write(file, contents)
    } else {
        atomic_file::write_new(file, contents)
    }
}
