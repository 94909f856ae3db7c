//! The SHA-256 of a file's bytes. The name of a blob in the Hub cache only says what was
//! downloaded.

use std::{fs::File, io, os::unix::fs::FileExt as _};

use contract::hex;
use sha2::{Digest as _, Sha256};

/// Buffer size for reading, in bytes.
const CHUNK: usize = 1 << 20;

/// The SHA-256 of the whole file, in hexadecimal. The position in the file does not change.
///
/// # Errors
/// When the file cannot be read.
pub(super) fn sha256(file: &File) -> io::Result<String> {
    let mut digest = Sha256::new();
    let mut chunk = vec![0; CHUNK];
    let mut at = 0;
    loop {
        match file.read_at(&mut chunk, at) {
            Ok(0) => break,
            Ok(read) => {
                digest.update(&chunk[..read]);
                at += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(hex::encode(digest.finalize()))
}

#[cfg(test)]
mod tests {
    use std::{fs, fs::File};

    use super::sha256;

    #[test]
    fn digest_is_of_the_bytes_and_not_the_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("0".repeat(64));
        fs::write(&path, "abc").unwrap();
        let digest = sha256(&File::open(&path).unwrap()).unwrap();
        assert_eq!(digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
