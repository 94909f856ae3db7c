//! Files that a benchmark left. It may have left anything in their place.

use std::io;

use reports::Folder;

/// The entrypoint's own files have some kB. What is larger is something else.
const MOST_BYTES: u64 = 16 << 20;

/// The bytes of the output `name`.
///
/// # Errors
/// When it is a symlink or no regular file, too large, or not readable.
pub(crate) fn read(results: &Folder, name: &str) -> io::Result<Vec<u8>> {
    results.dir().read(name, MOST_BYTES)
}
