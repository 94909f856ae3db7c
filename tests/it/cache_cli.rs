//! `aienergyscore cache` as a script sees it: exit codes, messages, and the keys of its JSON.

use std::{
    fs,
    os::unix::fs::symlink,
    path::Path,
    process::{Command, Output},
};

use serde_json::Value;

use crate::harness::program;

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
/// Git's id of a file without bytes.
const EMPTY: &str = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391";

/// A cache with one model of one file.
fn model(hub: &Path) {
    let repo = hub.join("models--org--m");
    for folder in ["refs", "blobs", &format!("snapshots/{COMMIT}")] {
        fs::create_dir_all(repo.join(folder)).unwrap();
    }
    fs::write(repo.join("refs/main"), COMMIT).unwrap();
    fs::write(repo.join("blobs").join(EMPTY), "").unwrap();
    let link = repo.join("snapshots").join(COMMIT).join("config.json");
    symlink(Path::new("../../blobs").join(EMPTY), link).unwrap();
}

fn cache(hub: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(program("aienergyscore"));
    command.arg("cache").args(args).env_clear();
    // What is remembered of other caches is nobody's business here.
    command.env("HF_HUB_CACHE", hub).env("HOME", hub.parent().unwrap()).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_whole_cache_is_listed_verified_and_left_alone() {
    let home = tempfile::tempdir().unwrap();
    let hub = home.path().join("hub");
    model(&hub);
    let list: Value = serde_json::from_slice(&cache(&hub, &["ls", "--json"]).stdout).unwrap();
    let repo = &list["repos"][0];
    assert_eq!(
        (&list["size_bytes"], &repo["type"], &repo["id"]),
        (&0.into(), &"model".into(), &"org/m".into())
    );
    let revision = &repo["revisions"][0];
    assert_eq!((&repo["files"], &revision["commit"]), (&1.into(), &COMMIT.into()));
    assert_eq!((&revision["refs"][0], &revision["complete"]), (&"main".into(), &Value::Null));

    let output = cache(&hub, &["verify", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&found["errors"], &found["findings"]), (&0.into(), &Value::Array(vec![])));
    let repaired = cache(&hub, &["repair"]);
    assert_eq!(repaired.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&repaired.stdout), "nothing to repair\n");
}

#[test]
fn a_corrupt_blob_is_an_error_until_it_is_set_aside() {
    let home = tempfile::tempdir().unwrap();
    let hub = home.path().join("hub");
    model(&hub);
    let blob = hub.join("models--org--m/blobs").join(EMPTY);
    fs::write(&blob, "not empty").unwrap();
    let output = cache(&hub, &["verify", "org/m", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let finding = &found["findings"][0];
    assert_eq!((&finding["severity"], &finding["what"]), (&"error".into(), &"corrupt-blob".into()));
    for key in ["path", "repo", "bytes", "evidence", "remedy", "repair"] {
        assert!(!finding[key].is_null(), "{key}");
    }
    assert_eq!(cache(&hub, &["repair"]).status.code(), Some(1));
    assert!(blob.exists(), "a plan does nothing");
    let done = cache(&hub, &["repair", "--yes", "--json"]);
    assert_eq!(done.status.code(), Some(0), "{}", said(&done));
    let done: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(done["steps"][0]["state"], "done");
    let aside =
        fs::read_dir(hub.join("models--org--m/.set-aside")).unwrap().flatten().next().unwrap();
    assert_eq!(fs::read(aside.path()).unwrap(), b"not empty");
    assert!(hub.join(format!("models--org--m/snapshots/{COMMIT}/config.json")).is_symlink());
}

#[test]
fn what_is_no_cache_or_no_repo_is_said_with_what_to_do() {
    let home = tempfile::tempdir().unwrap();
    let hub = home.path().join("hub");
    for command in ["ls", "verify", "repair"] {
        let output = cache(&hub, &[command]);
        assert_eq!(output.status.code(), Some(1), "{command}");
        assert!(said(&output).contains("does not exist"), "{command}: {}", said(&output));
    }
    fs::write(home.path().join("file"), "").unwrap();
    let output = cache(&home.path().join("file"), &["ls"]);
    assert!(said(&output).contains("is no folder"), "{}", said(&output));
    model(&hub);
    let output = cache(&hub, &["verify", "org/other"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("no repo `org/other`"), "{}", said(&output));
    let output = cache(&hub, &["ls", "--filter", "colour=red"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("`colour` is not known"), "{}", said(&output));
}
