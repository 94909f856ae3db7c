//! What holds for names of any bytes.

use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _};

use proptest::{array::uniform, collection::vec, prelude::*, sample::select};

use super::{BlobName, Digest, RepoName, RepoType, is_commit};

fn digest() -> impl Strategy<Value = Digest> {
    prop_oneof![
        uniform::<_, 32>(any::<u8>()).prop_map(Digest::Sha256),
        uniform::<_, 20>(any::<u8>()).prop_map(Digest::Git),
    ]
}

proptest! {
    #[test]
    fn a_repo_has_a_folder_of_its_own(
        kind in select(RepoType::ALL.to_vec()),
        id in "[A-Za-z0-9._][A-Za-z0-9._]{0,5}(-[a-z0-9]{1,3})?(/[A-Za-z0-9._]{1,6}(-[a-z0-9]{1,3})?)?",
    ) {
        let name = RepoName { kind, id };
        let folder = name.folder();
        prop_assert!(!folder.contains('/'));
        prop_assert_eq!(RepoName::of_folder(&folder), Some(name));
    }

    #[test]
    fn a_folder_that_has_a_repo_is_that_repos(folder in prop_oneof![
        "(model|dataset|space|kernel)s?-{1,5}[a-z-]{0,9}",
        "[^/\0]{0,20}",
    ]) {
        if let Some(name) = RepoName::of_folder(&folder) {
            prop_assert_eq!(name.folder(), folder);
        }
    }

    #[test]
    fn a_digest_is_its_own_name(digest in digest()) {
        let name = digest.to_string();
        prop_assert_eq!(Digest::of_name(name.as_bytes()), Some(digest));
        prop_assert_eq!(BlobName::of(OsStr::new(&name)), BlobName::Named(digest));
        prop_assert_eq!(is_commit(&name), matches!(digest, Digest::Git(_)));
    }

    #[test]
    fn a_name_that_is_a_digest_is_that_digests(name in "[0-9a-fA-F]{38,66}") {
        if let Some(digest) = Digest::of_name(name.as_bytes()) {
            prop_assert_eq!(digest.to_string(), name);
        }
    }

    #[test]
    fn any_bytes_are_a_name(name in prop_oneof![
        vec(any::<u8>(), 0..50),
        r"\.?[a-z]{0,3}(\.[0-9a-f]{7,9})?\.(incomplete|lock|old|new|shared)?".prop_map(String::into_bytes),
    ]) {
        if let BlobName::Incomplete { etag, .. } = BlobName::of(OsStr::from_bytes(&name)) {
            prop_assert!(name.starts_with(etag.as_bytes()));
        }
    }

    #[test]
    fn an_unfinished_download_names_its_blob(
        digest in digest(),
        unique in prop_oneof![Just(String::new()), r"\.[0-9a-f]{8}"],
    ) {
        let name = format!("{digest}{unique}.incomplete");
        let (etag, unique) = (digest.to_string(), !unique.is_empty());
        let expected = BlobName::Incomplete { etag: OsStr::new(&etag), unique };
        prop_assert_eq!(BlobName::of(OsStr::new(&name)), expected);
    }
}
