//! SHA-256 digests of files and of named parts, as lower-case hexadecimal text.

use std::{fs::File, io, path::Path};

use anyhow::Context as _;
use contract::hex;
use sha2::{Digest as _, Sha256};

/// The digest of a regular file. Symlinks are followed.
///
/// # Errors
/// When the path is not a regular file, or cannot be read.
pub(crate) fn of_path(path: &Path) -> anyhow::Result<String> {
    let digest = untrusted::file(path).and_then(of_file);
    digest.with_context(|| format!("reading `{}`", path.display()))
}

/// The digest of an open file, from its current position to its end.
///
/// # Errors
/// When the file cannot be read.
pub(crate) fn of_file(mut file: File) -> io::Result<String> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match io::Read::read(&mut file, &mut buffer)? {
            0 => return Ok(hex::encode(hasher.finalize())),
            read => hasher.update(&buffer[..read]),
        }
    }
}

/// The digest of bytes in memory.
pub(crate) fn of_bytes(bytes: impl AsRef<[u8]>) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// A digest over named parts. Each part is hashed with its length, so that different lists of parts
/// never produce the same input.
#[derive(Debug, Default)]
pub(crate) struct PartsHasher(Sha256);

impl PartsHasher {
    pub(crate) fn add(&mut self, name: &str, content: &[u8]) {
        for part in [name.as_bytes(), content] {
            self.0.update((part.len() as u64).to_be_bytes());
            self.0.update(part);
        }
    }

    pub(crate) fn finish(self) -> String {
        hex::encode(self.0.finalize())
    }
}

#[cfg(test)]
mod tests {
    use super::PartsHasher;

    #[test]
    fn text_moved_between_parts_changes_the_digest() {
        let digest = |parts: &[(&str, &str)]| {
            let mut hasher = PartsHasher::default();
            parts.iter().for_each(|(name, content)| hasher.add(name, content.as_bytes()));
            hasher.finish()
        };
        assert_ne!(digest(&[("ab", "c")]), digest(&[("a", "bc")]));
        assert_ne!(digest(&[("a", ""), ("b", "")]), digest(&[("a", "b")]));
    }
}
