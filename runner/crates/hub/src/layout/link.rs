//! The target of a symlink in a cache, by its text alone.

use std::{
    ffi::{OsStr, OsString},
    iter::repeat_n,
    os::unix::ffi::OsStrExt as _,
    path::{Component, Path, PathBuf},
};

use contract::hub::{BLOBS, SNAPSHOTS};

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

/// The target of a symlink with this `text`, `folders` folders below its snapshot. `repo` is the
/// absolute path of the repo's folder.
pub fn pointer(text: &[u8], folders: usize, repo: &Path) -> Pointer {
    let absolute = text.starts_with(b"/");
    // Only the number of folders matters. No file is named like the placeholders.
    let folder: PathBuf = [repo.as_os_str(), SNAPSHOTS.as_ref()]
        .into_iter()
        .chain(repeat_n("\0".as_ref(), 1 + folders))
        .collect();
    // A trailing slash makes the symlink of a file dangle.
    let is_file = !text.ends_with(b"/") && !text.ends_with(b"/.");
    let target = resolve(text, &folder, repo)
        .filter(|target| is_file && target.parent() == Some(&repo.join(BLOBS)));
    match target.as_deref().and_then(Path::file_name) {
        Some(name) if absolute => Pointer::AbsoluteBlob(name.to_owned()),
        Some(name) => Pointer::Blob(name.to_owned()),
        None => Pointer::Elsewhere,
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

/// Whether a symlink with this `text` in the absolute `folder` points to an entry of `repo`, by its text
/// alone.
pub(super) fn stays_in_repo(text: &[u8], folder: &Path, repo: &Path) -> bool {
    resolve(text, folder, repo).is_some_and(|target| target.starts_with(repo) && target != repo)
}

/// The text of the symlink to `blob` that a client creates `folders` folders below a snapshot.
pub fn canonical(folders: usize, blob: &OsStr) -> OsString {
    let mut text = OsString::from("../".repeat(2 + folders));
    text.push("blobs/");
    text.push(blob);
    text
}

/// Follows `text` from `folder`. `None` when it goes above the root, or up from a name that may be a file: only
/// the folders of `folder` that were not left yet, and those above `repo`, are known to be folders.
fn resolve(text: &[u8], folder: &Path, repo: &Path) -> Option<PathBuf> {
    let text = Path::new(OsStr::from_bytes(text));
    let mut known = if text.is_absolute() { Path::new("/") } else { folder };
    let mut target = known.to_owned();
    for part in text.components() {
        match part {
            Component::ParentDir if target == known => {
                known = known.parent()?;
                target.pop();
            }
            Component::ParentDir if repo.starts_with(&target) => drop(target.pop()),
            Component::ParentDir => return None,
            Component::Normal(name) => target.push(name),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    Some(target)
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
    fn pointer_must_be_a_blob_of_its_own_repo() {
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
