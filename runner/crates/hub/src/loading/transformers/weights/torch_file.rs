//! Whether a file of `torch.save` is complete, by its first and last bytes.

use std::io;

use host::output::units::bytes;

use crate::loading::{content::Content, fault::Fault};

/// Signatures of a zip file: the first entry, and the end of the central directory.
const ZIP: &[u8] = b"PK\x03\x04";
const END: &[u8] = b"PK\x05\x06";

/// Sizes of the end of the central directory, and of the longest comment after it.
const END_LENGTH: usize = 22;
const LONGEST_COMMENT: u64 = 65_535;

/// Checks the file `name`.
///
/// # Errors
/// When it cannot be loaded.
pub(super) fn check(name: &str, mut content: Content) -> Result<(), Fault> {
    let size = content.size;
    let is_pickle = content.head.first() == Some(&0x80);
    let is_tar = content.head.get(257..262) == Some(b"ustar");
    if is_pickle || is_tar {
        // The old formats do not record their length.
        return Ok(());
    }
    if !content.head.starts_with(ZIP) {
        return Err(Fault::corrupt(format!("`{name}` was not written by PyTorch")));
    }
    let unreadable = |error: io::Error| Fault::unreadable(name, &error);
    let longest = END_LENGTH as u64 + LONGEST_COMMENT;
    let tail = content.read_at(size.saturating_sub(longest), longest).map_err(unreadable)?;
    if tail.windows(END_LENGTH).any(|bytes| bytes.starts_with(END)) {
        return Ok(());
    }
    Err(Fault::corrupt(format!("`{name}` is truncated: its {} have no end", bytes(size))))
}
