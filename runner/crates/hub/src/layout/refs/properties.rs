//! Properties of refs of any name and content.

use std::{
    ffi::OsString,
    fs,
    os::unix::ffi::{OsStrExt as _, OsStringExt as _},
};

use proptest::{collection::vec, prelude::*};

use super::REFS;
use crate::layout::{
    names::{RepoName, RepoType},
    repo::Repo,
};

/// Any file name.
fn name() -> impl Strategy<Value = OsString> {
    vec(1..=u8::MAX, 0..9).prop_map(|mut name| {
        name.retain(|byte| *byte != b'/');
        name.push(b'x');
        OsString::from_vec(name)
    })
}

proptest! {
    #[test]
    fn commit_is_the_trimmed_content_under_any_name(
        folder in name(),
        name in name(),
        text in prop_oneof![
            "[ \n]{0,2}[0-9a-f]{40}[ \r\n]{0,2}".prop_map(String::into_bytes),
            any::<Vec<u8>>(),
        ],
    ) {
        let repo = tempfile::tempdir().unwrap();
        let place = repo.path().join(REFS).join(&folder);
        fs::create_dir_all(&place).unwrap();
        fs::write(place.join(&name), &text).unwrap();
        let id = RepoName { kind: RepoType::Model, id: "o/n".to_owned() };
        let read = Repo::read(repo.path(), id).unwrap();
        prop_assert!(read.errors.is_empty());
        prop_assert_eq!(read.refs.len(), 1);
        let [found] = &*read.refs else { return Ok(()) };
        let path = [REFS.as_bytes(), folder.as_bytes(), name.as_bytes()].join(&b'/');
        prop_assert_eq!(found.path.as_os_str().as_bytes(), path);
        let text = String::from_utf8_lossy(&text);
        prop_assert_eq!(found.commit(), Some(text.trim()));
    }
}
