//! Whether a file of `torch.save` is whole, as far as its ends tell.

use std::io;

use super::{Fault, content::Content};
use crate::units::bytes;

/// How a zip file begins, and how the end of its list does.
const ZIP: &[u8] = b"PK\x03\x04";
const END: &[u8] = b"PK\x05\x06";

/// Bytes of that end, and of the longest comment behind it.
const END_LENGTH: usize = 22;
const LONGEST_COMMENT: u64 = 65_535;

/// What a number is that stands in another record, of files above 4 GB.
const ELSEWHERE: u32 = u32::MAX;

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
    let from = size.saturating_sub(END_LENGTH as u64 + LONGEST_COMMENT);
    let tail = content.at(from, size - from).map_err(closed)?;
    if is_whole(&tail, from) {
        return Ok(());
    }
    Err(Fault::damaged(format!("`{name}` is truncated: its {} have no end", bytes(size))))
}

/// Whether the last bytes of a zip file, which begin at `from`, hold the end of its list.
fn is_whole(tail: &[u8], from: u64) -> bool {
    let last = tail.len().checked_sub(END_LENGTH);
    let at = last.and_then(|last| (0..=last).rev().find(|at| tail[*at..].starts_with(END)));
    let Some(at) = at else { return false };
    let number = |offset: usize| {
        tail[at + offset..].first_chunk().copied().map_or(ELSEWHERE, u32::from_le_bytes)
    };
    let (length, begin) = (number(12), number(16));
    length == ELSEWHERE
        || begin == ELSEWHERE
        || u64::from(length) + u64::from(begin) <= from + at as u64
}
