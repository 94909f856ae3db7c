//! What holds for links of any text: a real folder tells where they lead.

use std::{
    ffi::{OsStr, OsString},
    fs,
    os::unix::ffi::{OsStrExt as _, OsStringExt as _},
    path::PathBuf,
};

use proptest::{collection::vec, prelude::*, sample::select};

use super::{Pointer, canonical, pointer};

/// A name in a folder.
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
    fn what_is_written_is_known(name in name(), folders in 0..5_usize) {
        let text = canonical(folders, &name);
        let repo = std::path::Path::new("/c/r");
        prop_assert_eq!(pointer(text.as_bytes(), folders, repo), Pointer::Blob(name));
        prop_assert_eq!(pointer(text.as_bytes(), folders + 1, repo), Pointer::Elsewhere);
    }

    #[test]
    fn a_pointer_leads_where_the_kernel_follows_it(
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
            // A way in and out of a folder needs the disk to be told.
            Pointer::Elsewhere if parts.windows(2).any(|two| two[0] != ".." && two[1] == "..") => {}
            Pointer::Elsewhere => prop_assert_eq!(leads, None, "{}", text),
        }
    }

    #[test]
    fn any_bytes_lead_somewhere(text in any::<Vec<u8>>(), folders in 0..5_usize) {
        let _ = (pointer(&text, folders, "/c/r".as_ref()), contract::hub::in_store(&text));
    }
}
