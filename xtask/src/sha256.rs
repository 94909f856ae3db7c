//! SHA-256 of files, and digests as text.

use std::{fmt::Write as _, fs::File, io, path::Path};

use anyhow::Context as _;
use sha2::{Digest as _, Sha256};

/// The digest of a file's content, in lower-case hexadecimal.
///
/// # Errors
/// When the file cannot be read.
pub(crate) fn of_file(path: &Path) -> anyhow::Result<String> {
    let reading = || format!("reading `{}`", path.display());
    let mut file = File::open(path).with_context(reading)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match io::Read::read(&mut file, &mut buffer).with_context(reading)? {
            0 => return Ok(hex(&hasher.finalize())),
            read => hasher.update(&buffer[..read]),
        }
    }
}

/// Bytes in lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
