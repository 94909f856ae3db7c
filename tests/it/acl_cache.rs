//! A root-owned cache that an access control list opens to another user.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    process::Command,
};

use rustix::{
    fs::{XattrFlags, setxattr},
    process::getuid,
};
use serde_json::Value;

use crate::harness::copy_program;

const USER: u32 = 4242;
const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
/// Git's id of a file without bytes.
const EMPTY: &str = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391";

/// Sets the access list of `setfacl -m u:USER:…` on an entry without permissions for group and others.
fn grant(path: &Path, rights: u16) {
    let of_owner = if path.is_dir() { 7 } else { 6 };
    let nobody = u32::MAX;
    // acl(5): owner, the user, the owner's group, the mask, others.
    let entries = [
        (0x01_u16, of_owner, nobody),
        (0x02, rights, USER),
        (0x04, 0, nobody),
        (0x10, rights, nobody),
        (0x20, 0, nobody),
    ];
    let mut list = 2_u32.to_le_bytes().to_vec();
    for (tag, rights, id) in entries {
        list.extend(tag.to_le_bytes());
        list.extend(rights.to_le_bytes());
        list.extend(id.to_le_bytes());
    }
    setxattr(path, "system.posix_acl_access", &list, XattrFlags::empty()).unwrap();
}

/// Makes a root-owned cache with one model that no other user can read.
fn cache(home: &Path) -> PathBuf {
    let hub = home.join("hub");
    let repo = hub.join("models--org--m");
    for folder in ["blobs", "refs", "trees", &format!("snapshots/{COMMIT}")] {
        fs::create_dir_all(repo.join(folder)).unwrap();
    }
    fs::write(repo.join("refs/main"), COMMIT).unwrap();
    fs::write(repo.join("blobs").join(EMPTY), "").unwrap();
    let link = repo.join(format!("snapshots/{COMMIT}/config.json"));
    symlink(format!("../../blobs/{EMPTY}"), link).unwrap();
    let list = format!(
        r#"{{"format_version":1,"files":{{"config.json":{{"size":0,"blob_id":"{EMPTY}"}}}}}}"#
    );
    fs::write(repo.join(format!("trees/{COMMIT}.json")), list).unwrap();
    for entry in walkdir::WalkDir::new(&hub).into_iter().map(Result::unwrap) {
        if !entry.path_is_symlink() {
            fs::set_permissions(entry.path(), fs::Permissions::from_mode(0o700)).unwrap();
        }
    }
    hub
}

/// Exit code and JSON of `aienergyscore cache …`, run by that user.
fn says(home: &Path, args: &[&str]) -> (Option<i32>, Value) {
    let ours = home.join("aienergyscore");
    let mut command = Command::new("setpriv");
    command.args([format!("--reuid={USER}"), format!("--regid={USER}"), "--clear-groups".into()]);
    command.arg(ours).arg("cache").args(args).arg("--json").env_clear().current_dir(home);
    command.env("HOME", home).env("HF_HUB_CACHE", home.join("hub"));
    let output = command.output().unwrap();
    let json = serde_json::from_slice(&output.stdout);
    (output.status.code(), json.unwrap_or_else(|error| panic!("{error}: {output:?}")))
}

#[test]
#[ignore = "needs root, to run as two users"]
fn access_lists_count_as_permissions() {
    assert!(getuid().is_root(), "only root can be two users");
    let home = tempfile::tempdir().unwrap();
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755)).unwrap();
    copy_program(home.path().join("aienergyscore"));
    let hub = cache(home.path());
    let entries: Vec<_> = walkdir::WalkDir::new(&hub)
        .into_iter()
        .map(|entry| entry.unwrap().into_path())
        .filter(|path| !path.is_symlink())
        .collect();
    entries.iter().for_each(|path| grant(path, if path.is_dir() { 7 } else { 6 }));
    let (code, found) = says(home.path(), &["verify"]);
    assert_eq!((code, &found["findings"]), (Some(0), &Value::Array(vec![])), "{found:#}");
    // A commit's list is its writer's alone, and a new blob may be closed by its own mode.
    let repo = hub.join("models--org--m");
    for (file, rights) in [(format!("trees/{COMMIT}.json"), 0), (format!("blobs/{EMPTY}"), 4)] {
        grant(&repo.join(file), rights);
    }
    let (code, planned) = says(home.path(), &["repair", "--yes", "--engine", "host"]);
    assert_eq!((code, &planned["steps"]), (Some(0), &Value::Array(vec![])), "{planned:#}");
    grant(&repo.join("blobs").join(EMPTY), 0);
    let (_, planned) = says(home.path(), &["repair", "--yes", "--engine", "host"]);
    assert_eq!(planned["steps"], Value::Array(vec![]), "no root-owned file is taken: {planned:#}");
    let (code, found) = says(home.path(), &["verify"]);
    assert_eq!((code, &found["findings"][0]["what"]), (Some(1), &"unreadable".into()));
    assert!(entries.iter().all(|path| fs::metadata(path).unwrap().uid() == 0));
}
