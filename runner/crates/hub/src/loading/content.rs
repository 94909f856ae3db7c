//! What is wrong with a file whatever it should hold.

use std::{
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
};

use host::output::units::bytes;

use super::{
    fault::{Fault, Remedy},
    files::{Files, Look},
};

/// How the pointer of a file in Git LFS begins.
const POINTER: &[u8] = b"version https://git-lfs.github.com/spec/";

/// Bytes of the longest text that may be that of a symlink.
const LONGEST_LINK: u64 = 4096;

/// Bytes of a file's head that are always read.
const HEAD: usize = 512;

/// A file that is open, if its bytes are looked at, and what it begins with.
pub(super) struct Content {
    pub(super) size: u64,
    pub(super) head: Vec<u8>,
    pub(super) file: File,
}

impl Content {
    /// Opens the file `name`, which is there; none when its bytes are not looked at.
    ///
    /// # Errors
    /// When it is empty, closed, or something else in its place.
    pub(super) fn open(files: &impl Files, name: &str, size: u64) -> Result<Option<Self>, Fault> {
        if size == 0 {
            return Err(Fault::damaged(format!("`{name}` is empty")));
        }
        let closed = |error: io::Error| Fault::closed(name, &error);
        let Some(mut file) = files.open(name).map_err(closed)? else { return Ok(None) };
        let mut head = Vec::new();
        (&mut file).take(HEAD as u64).read_to_end(&mut head).map_err(closed)?;
        match instead(&head, size) {
            Some(what) => Err(Fault::said(format!("`{name}` is {what}"))),
            None => Ok(Some(Self { size, head, file })),
        }
    }

    /// So many bytes at `offset`, or fewer where it ends.
    pub(super) fn at(&mut self, offset: u64, count: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.file.seek(SeekFrom::Start(offset))?;
        (&mut self.file).take(count).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

/// That a file of `size` bytes should have at least `least`.
pub(super) fn truncated(size: u64, least: u64) -> String {
    format!("truncated: {} of {} are missing", bytes(least - size), bytes(least))
}

/// What stands in the place of a file that begins with `head`.
fn instead(head: &[u8], size: u64) -> Option<&'static str> {
    if is_pointer(head) {
        return Some("a Git LFS pointer: run `git lfs pull` where it was cloned");
    }
    let is_link = size <= LONGEST_LINK && head.starts_with(b"../") && !head.contains(&b'\n');
    is_link.then_some(
        "the text of a symlink, which a copy without symlinks leaves; copy the folder again with \
         `cp -a`, or run `aienergyscore cache repair --yes`",
    )
}

/// Whether a file begins as a pointer of Git LFS does.
pub(super) fn is_pointer(head: &[u8]) -> bool {
    head.starts_with(POINTER)
}

/// What a name that must be there leads to instead.
pub(super) fn absent(name: &str, look: &Look) -> Option<Fault> {
    match look {
        Look::There(_) => None,
        Look::Missing => Some(Fault::absent(format!("no `{name}`"))),
        Look::Dangling => Some(Fault::absent(format!("`{name}` is a dangling symlink"))),
        Look::LeadsOut => Some(Fault::said(format!(
            "`{name}` is a symlink to a place that the container cannot see; use a copy without \
             symlinks, made with `cp -rL`"
        ))),
        Look::Hidden(marker) => Some(Fault::said(format!(
            "`{name}` is hidden by the marker `{marker}`, which says that the Hub does not have it; \
             remove the marker"
        ))),
        Look::OutOfSight => {
            Some(Fault { what: format!("`{name}` cannot be reached"), remedy: Remedy::OutOfSight })
        }
    }
}
