//! Properties of symlink texts, checked against the kernel.

use std::{
    ffi::{OsStr, OsString},
    fs,
    os::unix::ffi::{OsStrExt as _, OsStringExt as _},
    path::PathBuf,
};

use proptest::{collection::vec, prelude::*, sample::select};

use super::{Pointer, canonical, pointer};

/// Any file name.
fn name() -> impl Strategy<Value = OsString> {
    vec(1..=u8::MAX, 1..9).prop_map(|mut name| {
        name.retain(|byte| *byte != b'/');
        name.push(b'x');
        OsString::from_vec(name)
    })
}

/// A cache with a repo that has the blobs `e` and `f`, and a snapshot with a folder.
struct Cache {
    _folder: tempfile::TempDir,
    repo: PathBuf,
}

impl Cache {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let repo = folder.path().canonicalize().unwrap().join("r");
        for made in ["blobs", "snapshots/c/s"] {
            fs::create_dir_all(repo.join(made)).unwrap();
        }
        for blob in ["e", "f"] {
            fs::write(repo.join("blobs").join(blob), blob).unwrap();
        }
        Self { _folder: folder, repo }
    }
}

proptest! {
    #[test]
    fn canonical_text_points_to_its_blob(name in name(), folders in 0..5_usize) {
        let text = canonical(folders, &name);
        let repo = std::path::Path::new("/c/r");
        prop_assert_eq!(pointer(text.as_bytes(), folders, repo), Pointer::Blob(name));
        prop_assert_eq!(pointer(text.as_bytes(), folders + 1, repo), Pointer::Elsewhere);
    }

    #[test]
    fn pointer_agrees_with_the_kernel(
        absolute in any::<bool>(),
        parts in vec(select(vec!["..", "..", "..", "blobs", "e", "f", "r", "snapshots", "c", "s", ".", "", "x"]), 0..7),
        folders in 0..2_usize,
    ) {
        let Cache { _folder, repo } = &Cache::new();
        let text = parts.join("/");
        let text = if absolute { format!("{}/{text}", repo.display()) } else { text };
        if text.is_empty() {
            return Ok(());
        }
        let place = repo.join(["snapshots/c/link", "snapshots/c/s/link"][folders]);
        std::os::unix::fs::symlink(&text, &place).unwrap();
        let real = place.canonicalize().ok();
        let blob = real.as_deref().filter(|real| real.parent() == Some(&repo.join("blobs")));
        let leads = blob.and_then(|blob| blob.file_name()).map(OsStr::to_owned);
        match pointer(text.as_bytes(), folders, repo) {
            Pointer::Blob(name) => {
                prop_assert!(!absolute);
                let is_there = ["e", "f"].map(OsStr::new).contains(&&*name);
                prop_assert_eq!(leads, is_there.then_some(name), "{}", text);
            }
            Pointer::AbsoluteBlob(name) => {
                prop_assert!(absolute);
                let is_there = ["e", "f"].map(OsStr::new).contains(&&*name);
                prop_assert_eq!(leads, is_there.then_some(name), "{}", text);
            }
            // A path into a folder and out again cannot be decided by its text.
            Pointer::Elsewhere if parts.windows(2).any(|two| two[0] != ".." && two[1] == "..") => {}
            Pointer::Elsewhere => prop_assert_eq!(leads, None, "{}", text),
        }
    }

    #[test]
    fn pointer_of_any_text_names_its_last_component(
        text in prop_oneof![
            any::<Vec<u8>>(),
            vec(select(vec!["..", "..", "blobs", "c", "r", "e", ".", ""]), 0..8)
                .prop_map(|parts| parts.join("/").into_bytes()),
        ],
        folders in 0..3_usize,
    ) {
        let ends_with = |name: &OsStr| {
            let end = text.split(|byte| *byte == b'/').rfind(|part| !matches!(*part, b"" | b"."));
            end == Some(name.as_bytes())
        };
        match pointer(&text, folders, "/c/r".as_ref()) {
            Pointer::Blob(name) => prop_assert!(ends_with(&name) && !text.starts_with(b"/")),
            Pointer::AbsoluteBlob(name) => prop_assert!(ends_with(&name) && text.starts_with(b"/")),
            Pointer::Elsewhere => {}
        }
        if let Some(path) = contract::hub::in_store(&text) {
            prop_assert_eq!(text, ["../../".as_bytes(), path.as_os_str().as_bytes()].concat());
        }
    }
}
