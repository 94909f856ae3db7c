//! The target of a symlink in a cache, by its text alone.

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::OsStrExt as _,
    path::Path,
};

/// The target of a symlink in a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pointer {
    /// A blob of the same repo, by a relative path, as clients write it.
    Blob(OsString),
    /// A blob of the same repo, by an absolute path. It dangles in a container, and after a move.
    AbsoluteBlob(OsString),
    /// Any other path.
    Elsewhere,
}

/// The target of a symlink with this `text`, which lies `folders` folders below its snapshot. `repo` is the
/// absolute path of the repo's folder.
pub fn pointer(text: &[u8], folders: usize, repo: &Path) -> Pointer {
    let absolute = text.starts_with(b"/");
    let base = if absolute {
        vec![]
    } else {
        // Only the number of folders matters. `snapshots` and the snapshot are the first two.
        let below = std::iter::repeat_n(OsStr::new(""), 2 + folders);
        parts(repo.as_os_str().as_bytes()).chain(below).collect()
    };
    // A trailing slash makes the symlink of a file dangle.
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

/// Size limit of a file that may hold the text of a symlink.
pub const MAX_TEXT: u64 = 4096;

/// The text of a symlink that a copy without symlinks turned into a file. Zip archives and some file systems
/// leave the text alone, SMB leaves the `XSym` form of Samba and macOS.
pub fn text_in_file(bytes: &[u8]) -> Option<Vec<u8>> {
    let text = match bytes.strip_prefix(b"XSym\n") {
        // A length and a checksum come first, padding last.
        Some(rest) => rest.split(|byte| *byte == b'\n').nth(2)?,
        None => {
            bytes.strip_suffix(b"\n").map_or(bytes, |line| line.strip_suffix(b"\r").unwrap_or(line))
        }
    };
    let is_path = !text.is_empty() && text.iter().all(|byte| !byte.is_ascii_control());
    let is_windows = text.starts_with(b"..\\");
    let slash = |byte: &u8| if is_windows && *byte == b'\\' { b'/' } else { *byte };
    is_path.then(|| text.iter().map(slash).collect())
}

/// Whether a symlink with this `text` in the absolute `folder` leads to an entry of `repo`, by names alone.
pub(super) fn stays_in_repo(text: &[u8], folder: &Path, repo: &Path) -> bool {
    let base = match text.starts_with(b"/") {
        true => vec![],
        false => parts(folder.as_os_str().as_bytes()).collect(),
    };
    let place = resolved(base, text, repo);
    place.is_some_and(|place| below(&place, repo).is_some_and(|rest| !rest.is_empty()))
}

/// The text of the symlink to `blob` that a client creates `folders` folders below a snapshot.
pub fn canonical(folders: usize, blob: &OsStr) -> OsString {
    let mut text = OsString::from("../".repeat(2 + folders));
    text.push("blobs/");
    text.push(blob);
    text
}

fn parts(path: &[u8]) -> impl Iterator<Item = &OsStr> {
    path.split(|byte| *byte == b'/').filter(|part| !part.is_empty()).map(OsStr::from_bytes)
}

/// Joins `text` to `base`. `None` when it goes above the root, or up from a name that may be a file.
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

/// The components of `place` below `folder`.
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

    use super::{Pointer, canonical, pointer, stays_in_repo, text_in_file};

    #[test]
    fn text_of_a_symlink_that_became_a_file_is_read() {
        let text = |bytes: &[u8]| text_in_file(bytes).map(|text| String::from_utf8(text).unwrap());
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
    fn symlink_out_of_its_repo_is_found() {
        let repo = Path::new("/c/r");
        let stays =
            |text: &str| stays_in_repo(text.as_bytes(), Path::new("/c/r/snapshots/c/d"), repo);
        for text in ["f", "../f", "../../d/f", "../../../refs/main", "/c/r/snapshots/c/f"] {
            assert!(stays(text), "{text}");
        }
        for text in ["../../..", "../../../../r2/f", "/etc/passwd", "/c/r", "../../../../../c"] {
            assert!(!stays(text), "{text}");
        }
    }

    #[test]
    fn pointer_leads_to_a_blob_of_its_own_repo() {
        let target = |text: &str, folders| pointer(text.as_bytes(), folders, Path::new("/c/r"));
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
            assert_eq!(target(text, folders), expected, "{text}");
        }
        let text = canonical(1, "e".as_ref());
        assert_eq!(target(text.to_str().unwrap(), 1), own());
    }
}
