//! Properties of names of any bytes.

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
    fn repo_name_survives_its_folder(
        kind in select(RepoType::ALL.to_vec()),
        id in "[A-Za-z0-9._][A-Za-z0-9._]{0,5}(-[a-z0-9]{1,3})?(/[A-Za-z0-9._]{1,6}(-[a-z0-9]{1,3})?)?",
    ) {
        let name = RepoName { kind, id };
        let folder = name.folder();
        prop_assert!(!folder.contains('/'));
        prop_assert_eq!(RepoName::of_folder(&folder), Some(name));
    }

    #[test]
    fn folder_of_a_repo_survives_its_name(folder in prop_oneof![
        "(model|dataset|space|kernel)s?-{1,5}[a-z-]{0,9}",
        "[^/\0]{0,20}",
    ]) {
        if let Some(name) = RepoName::of_folder(&folder) {
            prop_assert_eq!(name.folder(), folder);
        }
    }

    #[test]
    fn digest_survives_its_name(digest in digest()) {
        let name = digest.to_string();
        prop_assert_eq!(Digest::of_name(name.as_bytes()), Some(digest));
        prop_assert_eq!(BlobName::of(OsStr::new(&name)), BlobName::Named(digest));
        prop_assert_eq!(is_commit(&name), matches!(digest, Digest::Git(_)));
    }

    #[test]
    fn name_of_a_digest_survives_parsing(name in "[0-9a-fA-F]{38,66}") {
        if let Some(digest) = Digest::of_name(name.as_bytes()) {
            prop_assert_eq!(digest.to_string(), name);
        }
    }

    #[test]
    fn kind_of_any_name_fits_its_ending(name in prop_oneof![
        vec(any::<u8>(), 0..50),
        r"\.?[a-z]{0,3}(\.[0-9a-f]{7,9})?\.(incomplete|lock|old|new|shared)?".prop_map(String::into_bytes),
    ]) {
        let ends = |ending: &str| name.ends_with(ending.as_bytes());
        match BlobName::of(OsStr::from_bytes(&name)) {
            BlobName::Incomplete { etag, .. } => {
                prop_assert!(name.starts_with(etag.as_bytes()) && ends(".incomplete"));
            }
            BlobName::Replaced { etag } => {
                prop_assert!(name[1..].starts_with(etag.as_bytes()) && ends(".old"));
            }
            BlobName::Replacement => prop_assert!(ends(".new") || ends(".shared")),
            BlobName::Lock => prop_assert!(ends(".lock")),
            BlobName::Named(digest) => prop_assert_eq!(digest.to_string().into_bytes(), name),
            BlobName::UmaskProbe => prop_assert!(name.starts_with(b"tmp_")),
            BlobName::Other => prop_assert!(!ends(".incomplete") && !ends(".lock")),
        }
    }

    #[test]
    fn unfinished_download_names_its_blob(
        digest in digest(),
        unique in prop_oneof![Just(String::new()), r"\.[0-9a-f]{8}"],
    ) {
        let name = format!("{digest}{unique}.incomplete");
        let (etag, unique) = (digest.to_string(), !unique.is_empty());
        let expected = BlobName::Incomplete { etag: OsStr::new(&etag), unique };
        prop_assert_eq!(BlobName::of(OsStr::new(&name)), expected);
    }
}
