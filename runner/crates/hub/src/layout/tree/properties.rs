//! Properties of lists of any text.

use std::path::{Component, Path};

use host::testing::broken;
use proptest::{collection::btree_map, option, prelude::*};
use serde_json::{Value, json};

use super::{Tree, TreeFault};

const LIST: &str = r#"{"format_version": 1, "files": {"a/b.bin": {"size": 3, "blob_id": "g", "lfs_sha256": "s", "lfs_size": 0, "xet_hash": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}, "c": {"size": 7, "blob_id": "g", "more": 1}}}"#;

/// A path that stays in a snapshot, or nearly.
fn path() -> impl Strategy<Value = String> {
    prop_oneof!["[./a\0]{0,6}", "[a-z]{1,3}(/[a-z]{1,3}){0,2}", any::<String>()]
}

/// Whether `path` lies below the folder that it is joined to, as the kernel would follow it.
fn is_below(path: &str) -> bool {
    let parts: Vec<_> = Path::new(path).components().collect();
    !parts.is_empty()
        && !path.contains('\0')
        && parts.iter().all(|part| matches!(part, Component::Normal(_)))
}

proptest! {
    #[test]
    fn list_is_parsed_as_written(files in btree_map(
        "[a-z]{1,3}(/[a-z]{1,3}){0,2}",
        (any::<u64>(), any::<String>(), option::of(any::<String>()), option::of(any::<u64>())),
        0..5,
    )) {
        let entries = files.iter().map(|(path, (size, id, sha256, lfs_size))| {
            let entry = json!({"size": size, "blob_id": id, "lfs_sha256": sha256, "lfs_size": lfs_size, "n": 0});
            (path.clone(), entry)
        });
        let list = json!({"format_version": 1, "files": Value::Object(entries.collect())});
        let Tree(read) = Tree::parse(list.to_string().as_bytes()).unwrap();
        prop_assert_eq!(read.len(), files.len());
        for ((path, file), (wanted, (size, id, sha256, lfs_size))) in read.iter().zip(&files) {
            prop_assert_eq!(path, wanted);
            prop_assert_eq!(file.etag(), sha256.as_ref().unwrap_or(id));
            prop_assert_eq!(file.size(), lfs_size.unwrap_or(*size));
        }
    }

    #[test]
    fn path_out_of_the_snapshot_is_refused(path in path()) {
        let list = json!({"format_version": 1, "files": {path.clone(): {"size": 1, "blob_id": "g"}}});
        match Tree::parse(list.to_string().as_bytes()) {
            Ok(_) => prop_assert!(is_below(&path)),
            Err(TreeFault::Unusable(why)) => {
                prop_assert!(why.contains(&format!("{path:?}")), "{}", why);
            }
            Err(fault) => prop_assert!(false, "{:?}", fault),
        }
    }

    #[test]
    fn any_text_is_parsed_or_refused_with_a_reason(text in prop_oneof![broken(LIST), any::<String>()]) {
        match Tree::parse(text.as_bytes()) {
            Ok(Tree(files)) => prop_assert!(files.keys().all(|path| is_below(path))),
            Err(TreeFault::Unusable(why) | TreeFault::OtherVersion(why)) => {
                prop_assert!(!why.is_empty());
            }
            Err(fault) => prop_assert!(false, "{:?}", fault),
        }
    }
}
