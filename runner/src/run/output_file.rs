//! Files that a benchmark left. It may have left anything in their place.

use std::{
    fs::{self, File},
    io::{self, Read as _},
    path::Path,
};

/// The entrypoint's own files have some kB. What is larger is something else.
const MOST_BYTES: u64 = 16 << 20;

/// The bytes of the file `path`.
///
/// # Errors
/// When it is no regular file, which could keep us waiting for ever, too large, or not readable.
pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let kind = fs::metadata(path)?;
    if !kind.is_file() {
        let what = if kind.is_dir() { "it is a folder" } else { "it is no regular file" };
        return Err(io::Error::new(io::ErrorKind::InvalidData, what));
    }
    let mut bytes = Vec::new();
    // It may still grow.
    File::open(path)?.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST_BYTES {
        let what = format!("it has more than {} MiB, which no run writes", MOST_BYTES >> 20);
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, what));
    }
    Ok(bytes)
}
