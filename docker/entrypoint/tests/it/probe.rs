//! `probe`: its JSON, its exit code, and the files that it leaves.

use std::fs;

use crate::program::program;

#[test]
fn findings_are_one_json_object() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let output = program(folder.path()).args(["probe", path]).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["native"], cfg!(feature = "native"));
    assert_eq!(found["home"]["path"], path);
    assert_eq!(found["home"]["writable"], true);
    assert_eq!(found["mounts"][0]["path"], path);
    assert_eq!(found["mounts"][0]["ok"], true);
    assert_eq!(found["mounts"][0]["error"], serde_json::Value::Null);
    assert_eq!(found["mounts"][0]["owner_uid"], found["uid"]);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn one_unwritable_mount_fails() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let args = ["probe", "--leave", "mark", path, "/proc/self"];
    let output = program(folder.path()).args(args).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["mounts"][0]["ok"], true);
    assert_eq!(found["mounts"][1]["ok"], false);
    assert!(found["mounts"][1]["error"].is_string());
    assert!(folder.path().join("mark").exists());
}

#[test]
fn missing_home_fails() {
    let folder = tempfile::tempdir().unwrap();
    let output = program(folder.path()).env_remove("HOME").arg("probe").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["home"], serde_json::json!({ "path": null, "writable": false }));
}
