//! Where a link of a cache leads, by its text alone.

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::OsStrExt as _,
    path::Path,
};

/// Where the link of a file in a snapshot leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pointer {
    /// To a blob of the same repo, relatively, as it must be.
    Blob(OsString),
    /// To a blob of the same repo, absolutely: it dangles in a container, and after a move.
    AbsoluteBlob(OsString),
    /// Anywhere else.
    Elsewhere,
}

/// Judges the link `text` of a file in a snapshot, which lies `folders` folders below the snapshot.
/// `repo` is the absolute path of the repo's folder.
pub fn pointer(text: &[u8], folders: usize, repo: &Path) -> Pointer {
    let absolute = text.starts_with(b"/");
    let base = if absolute {
        vec![]
    } else {
        // Names of folders on the way do not matter, only how many there are: the snapshot's own and
        // `snapshots` are above them.
        let below = std::iter::repeat_n(OsStr::new(""), 2 + folders);
        parts(repo.as_os_str().as_bytes()).chain(below).collect()
    };
    // A slash behind a file's name leads nowhere.
    let is_file = !text.ends_with(b"/") && !text.ends_with(b"/.");
    let place = resolved(base, text, repo).filter(|_| is_file);
    let inside = place.as_deref().and_then(|place| below(place, repo));
    match inside {
        Some([folder, name]) if *folder == "blobs" => {
            let name = (*name).to_owned();
            if absolute { Pointer::AbsoluteBlob(name) } else { Pointer::Blob(name) }
        }
        _ => Pointer::Elsewhere,
    }
}

/// Bytes of the largest file that is read because a link may have been turned into it.
pub const LARGEST_TEXT: u64 = 4096;

/// The text of the link that a file holds: a copy through a zip archive, a file system or a server
/// without links leaves the text alone, one through SMB a form of its own (`XSym`, as Samba and
/// macOS write it).
pub fn of_text(bytes: &[u8]) -> Option<Vec<u8>> {
    let text = match bytes.strip_prefix(b"XSym\n") {
        // The length and a checksum come first, blanks last.
        Some(rest) => rest.split(|byte| *byte == b'\n').nth(2)?,
        None => {
            bytes.strip_suffix(b"\n").map_or(bytes, |line| line.strip_suffix(b"\r").unwrap_or(line))
        }
    };
    let is_path = !text.is_empty() && text.iter().all(|byte| !byte.is_ascii_control());
    let of_windows = text.starts_with(b"..\\");
    let slash = |byte: &u8| if of_windows && *byte == b'\\' { b'/' } else { *byte };
    is_path.then(|| text.iter().map(slash).collect())
}

/// Whether the link `text` in the absolute `folder` leads to an entry of the repo at `repo`, by names
/// alone.
pub fn stays(text: &[u8], folder: &Path, repo: &Path) -> bool {
    let base = match text.starts_with(b"/") {
        true => vec![],
        false => parts(folder.as_os_str().as_bytes()).collect(),
    };
    let place = resolved(base, text, repo);
    place.is_some_and(|place| below(&place, repo).is_some_and(|rest| !rest.is_empty()))
}

/// What a link must say that lies `folders` folders below a snapshot.
pub fn canonical(folders: usize, blob: &OsStr) -> OsString {
    let mut text = OsString::from("../".repeat(2 + folders));
    text.push("blobs/");
    text.push(blob);
    text
}

fn parts(path: &[u8]) -> impl Iterator<Item = &OsStr> {
    path.split(|byte| *byte == b'/').filter(|part| !part.is_empty()).map(OsStr::from_bytes)
}

/// `base` with the steps of `text` taken; none above the root, and none out of what may be no
/// folder.
fn resolved<'a>(mut base: Vec<&'a OsStr>, text: &'a [u8], repo: &Path) -> Option<Vec<&'a OsStr>> {
    let mut own = base.len();
    for part in parts(text) {
        match part.as_bytes() {
            b"." => {}
            b".." => {
                let way = parts(repo.as_os_str().as_bytes()).take(base.len());
                if base.len() > own && !way.eq(base.iter().copied()) {
                    return None;
                }
                base.pop()?;
                own = own.min(base.len());
            }
            _ => base.push(part),
        }
    }
    Some(base)
}

/// The rest of `place` below `folder`.
fn below<'a, 'b>(place: &'b [&'a OsStr], folder: &Path) -> Option<&'b [&'a OsStr]> {
    let mut rest = place;
    for part in parts(folder.as_os_str().as_bytes()) {
        rest = rest.split_first().filter(|(first, _)| **first == part)?.1;
    }
    Some(rest)
}

#[cfg(test)]
mod properties;

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Pointer, canonical, of_text, pointer, stays};

    #[test]
    fn a_link_that_was_turned_into_a_file_is_read() {
        let text = |bytes: &[u8]| of_text(bytes).map(|text| String::from_utf8(text).unwrap());
        let xsym = format!("XSym\n0015\n{}\n../../blobs/e\n{}", "0".repeat(32), " ".repeat(900));
        for held in
            ["../../blobs/e", "../../blobs/e\n", "../../blobs/e\r\n", "..\\..\\blobs\\e", &xsym]
        {
            assert_eq!(text(held.as_bytes()).as_deref(), Some("../../blobs/e"), "{held:?}");
        }
        for other in ["", "\n", "../../blobs/e\n\n", "a\0b", "XSym\n"] {
            assert_eq!(text(other.as_bytes()), None, "{other:?}");
        }
    }

    #[test]
    fn a_link_stays_in_its_repo() {
        let repo = Path::new("/c/r");
        let stays = |text: &str| stays(text.as_bytes(), Path::new("/c/r/snapshots/c/d"), repo);
        for text in ["f", "../f", "../../d/f", "../../../refs/main", "/c/r/snapshots/c/f"] {
            assert!(stays(text), "{text}");
        }
        for text in ["../../..", "../../../../r2/f", "/etc/passwd", "/c/r", "../../../../../c"] {
            assert!(!stays(text), "{text}");
        }
    }

    #[test]
    fn a_pointer_leads_to_a_blob_of_its_own_repo() {
        let judged = |text: &str, folders| pointer(text.as_bytes(), folders, Path::new("/c/r"));
        let own = || Pointer::Blob("e".into());
        for (text, folders, expected) in [
            ("../../blobs/e", 0, own()),
            ("../../../blobs/e", 1, own()),
            ("../../../r/blobs/e", 0, own()),
            ("./../..//blobs/./e", 0, own()),
            ("/c/r/blobs/e", 3, Pointer::AbsoluteBlob("e".into())),
            ("/c/r/../r/blobs/e", 3, Pointer::AbsoluteBlob("e".into())),
            ("../../blobs/e", 1, Pointer::Elsewhere),
            ("../../../blobs/e", 0, Pointer::Elsewhere),
            ("../../../other/blobs/e", 0, Pointer::Elsewhere),
            ("../../blobs/..", 0, Pointer::Elsewhere),
            ("../../blobs/", 0, Pointer::Elsewhere),
            ("../../blobs/e/", 0, Pointer::Elsewhere),
            ("../../blobs/e/.", 0, Pointer::Elsewhere),
            ("../../blobs/e/../e", 0, Pointer::Elsewhere),
            ("none/../../../blobs/e", 0, Pointer::Elsewhere),
            ("../../blobs/a/b", 0, Pointer::Elsewhere),
            ("../../../../../../../../c/r/blobs/e", 0, Pointer::Elsewhere),
            ("/etc/passwd", 0, Pointer::Elsewhere),
            ("e", 0, Pointer::Elsewhere),
        ] {
            assert_eq!(judged(text, folders), expected, "{text}");
        }
        let text = canonical(1, "e".as_ref());
        assert_eq!(judged(text.to_str().unwrap(), 1), own());
    }
}
