//! Faults that any file can have: missing, empty, a Git LFS pointer, or the text of a symlink.

use std::{
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
};

use host::output::units::bytes;

use super::{
    fault::{Fault, Remedy},
    files::{FileState, Files},
};

/// How every Git LFS pointer begins.
const POINTER: &[u8] = b"version https://git-lfs.github.com/spec/";

/// Size limit of a file that may hold the text of a symlink: the longest path.
const LONGEST_LINK: u64 = 4096;

/// How many bytes are read from the start of every file.
const HEAD: usize = 512;

/// An open file and its first bytes.
pub(super) struct Content {
    pub(super) size: u64,
    pub(super) head: Vec<u8>,
    pub(super) file: File,
}

impl Content {
    /// Opens the existing file `name`. `None` when its content cannot be checked.
    ///
    /// # Errors
    /// When it is empty or unreadable, or holds a pointer or the text of a symlink.
    pub(super) fn open(files: &impl Files, name: &str, size: u64) -> Result<Option<Self>, Fault> {
        if size == 0 {
            return Err(Fault::corrupt(format!("`{name}` is empty")));
        }
        let unreadable = |error: io::Error| Fault::unreadable(name, &error);
        let Some(mut file) = files.open(name).map_err(unreadable)? else { return Ok(None) };
        let mut head = Vec::new();
        (&mut file).take(HEAD as u64).read_to_end(&mut head).map_err(unreadable)?;
        match placeholder(&head, size) {
            Some(kind) => Err(Fault::explained(format!("`{name}` is {kind}"))),
            None => Ok(Some(Self { size, head, file })),
        }
    }

    /// Reads `count` bytes at `offset`, fewer at the end of the file.
    pub(super) fn read_at(&mut self, offset: u64, count: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.file.seek(SeekFrom::Start(offset))?;
        (&mut self.file).take(count).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

/// Says that a file of `size` bytes should have at least `least`.
pub(super) fn truncated(size: u64, least: u64) -> String {
    format!("truncated: {} of {} are missing", bytes(least - size), bytes(least))
}

/// What the file holds instead of its content: a Git LFS pointer or the text of a symlink.
fn placeholder(head: &[u8], size: u64) -> Option<&'static str> {
    if head.starts_with(POINTER) {
        return Some("a Git LFS pointer: run `git lfs pull` where it was cloned");
    }
    let is_link = size <= LONGEST_LINK && head.starts_with(b"../") && !head.contains(&b'\n');
    is_link.then_some(
        "the text of a symlink, which a copy without symlinks leaves; copy the folder again with \
         `cp -a`, or run `aienergyscore cache repair --yes`",
    )
}

/// The fault of a required file in this state. `None` when it is present.
pub(super) fn missing_fault(name: &str, state: &FileState) -> Option<Fault> {
    match state {
        FileState::Present(_) => None,
        FileState::Missing => Some(Fault::missing(format!("no `{name}`"))),
        FileState::Dangling => Some(Fault::missing(format!("`{name}` is a dangling symlink"))),
        FileState::OutsideMount => Some(Fault::explained(format!(
            "`{name}` is a symlink to a place that the container cannot see; use a copy without \
             symlinks, made with `cp -rL`"
        ))),
        FileState::Hidden(marker) => Some(Fault::explained(format!(
            "`{name}` is hidden by the marker `{marker}`, which says that the Hub does not have it; \
             remove the marker"
        ))),
        FileState::Unreachable => Some(Fault {
            message: format!("`{name}` cannot be reached"),
            remedy: Remedy::Unreachable,
        }),
    }
}
