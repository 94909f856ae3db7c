//! Whether a file of `torch.save` is whole, as far as its ends tell.

use std::io;

use host::output::units::bytes;

use super::{content::Content, fault::Fault};

/// How a zip file begins, and how the end of its list does.
const ZIP: &[u8] = b"PK\x03\x04";
const END: &[u8] = b"PK\x05\x06";

/// Bytes of that end, and of the longest comment behind it.
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
        // An old file does not say how long it is.
        return Ok(());
    }
    if !content.head.starts_with(ZIP) {
        return Err(Fault::damaged(format!("`{name}` was not written by PyTorch")));
    }
    let closed = |error: io::Error| Fault::closed(name, &error);
    let longest = END_LENGTH as u64 + LONGEST_COMMENT;
    let tail = content.at(size.saturating_sub(longest), longest).map_err(closed)?;
    if tail.windows(END_LENGTH).any(|bytes| bytes.starts_with(END)) {
        return Ok(());
    }
    Err(Fault::damaged(format!("`{name}` is truncated: its {} have no end", bytes(size))))
}
