//! SHA-256 of files.

use std::{fs::File, io, path::Path};

use anyhow::Context as _;
use contract::hex;
use sha2::{Digest as _, Sha256};

/// The digest of a file's content, in lower-case hexadecimal. Symlinks on the way are followed.
///
/// # Errors
/// When it is not a regular file, or cannot be read.
pub(crate) fn of_file(path: &Path) -> anyhow::Result<String> {
    let digest = untrusted::file(path).and_then(of);
    digest.with_context(|| format!("reading `{}`", path.display()))
}

/// The digest of what an open file still has to be read of.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn of(mut file: File) -> io::Result<String> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match io::Read::read(&mut file, &mut buffer)? {
            0 => return Ok(hex::encode(hasher.finalize())),
            read => hasher.update(&buffer[..read]),
        }
    }
}
