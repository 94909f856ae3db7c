//! `aienergyscore cache` as a script sees it: exit codes, messages, and the keys of its JSON.

use std::{
    ffi::OsStr,
    fs::{self, Permissions},
    os::unix::{
        ffi::OsStrExt as _,
        fs::{PermissionsExt as _, symlink},
        process::CommandExt as _,
    },
    path::Path,
    process::{Command, Output},
};

use rustix::process::getuid;
use serde_json::{Value, json};

use crate::harness::{copy_program, program};

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
    let mut command = Command::new(program());
    command.arg("cache").args(args).env_clear();
    // Digests that are remembered from other caches must not count here.
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
    let same: Value = serde_json::from_slice(&cache(&hub, &["list", "--json"]).stdout).unwrap();
    assert_eq!(same["repos"], list["repos"]);
    let repo = &list["repos"][0];
    assert_eq!(
        (&list["size_bytes"], &repo["type"], &repo["id"]),
        (&0.into(), &"model".into(), &"org/m".into())
    );
    let revision = &repo["revisions"][0];
    assert_eq!((&repo["files"], &revision["commit"]), (&1.into(), &COMMIT.into()));
    assert_eq!((&revision["refs"][0], &revision["complete"]), (&"main".into(), &false.into()));

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
fn folder_that_is_no_cache_is_named_with_a_hint() {
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
}

#[test]
fn escape_sequences_in_names_of_a_cache_are_escaped() {
    let home = tempfile::tempdir().unwrap();
    let hub = home.path().join("hub");
    model(&hub);
    let repo = hub.join("models--org--m");
    let hostile: [&[u8]; 6] = [
        b"new\nline",
        b"\x1b[31mred\x1b]0;title\x07",
        b"no\xfftext",
        "\u{202e}gnp.exe".as_bytes(),
        "\u{9b}31m".as_bytes(),
        b"\rover",
    ];
    for name in hostile.map(OsStr::from_bytes) {
        fs::write(repo.join("refs").join(name), COMMIT).unwrap();
        fs::write(repo.join("blobs").join(name), "1").unwrap();
        fs::write(hub.join(name), "").unwrap();
        symlink(
            Path::new("../../blobs").join(name),
            repo.join("snapshots").join(COMMIT).join(name),
        )
        .unwrap();
        symlink(name, repo.join("snapshots").join(name)).unwrap();
        fs::create_dir_all(repo.join("trees").join(name)).unwrap();
        let mut other = OsStr::new("models--org--").to_owned();
        other.push(name);
        fs::create_dir_all(hub.join(&other).join("snapshots").join(name)).unwrap();
        fs::write(hub.join(&other).join("stray"), "").unwrap();
    }
    let commands: [&[&str]; 4] = [&["ls"], &["ls", "--revisions"], &["verify"], &["repair"]];
    for args in commands {
        let output = cache(&hub, args);
        for text in [&output.stdout, &output.stderr] {
            let text = std::str::from_utf8(text).unwrap();
            let odd = |c: char| c != '\n' && c.is_control() || c == '\u{202e}';
            assert!(!text.contains(odd), "{args:?}: {text:?}");
        }
        let output = cache(&hub, &[args, &["--json"]].concat());
        serde_json::from_slice::<Value>(&output.stdout).unwrap();
    }
    let list = cache(&hub, &["ls"]);
    let list = String::from_utf8_lossy(&list.stdout);
    assert!(list.contains(r"org/new\nline ") && list.contains(r"\u{1b}[31mred"), "{list}");
}

/// A cache with one model that has a payload in the store, a list and a copy in a folder.
fn shared_model(hub: &Path) {
    model(hub);
    let repo = hub.join("models--org--m");
    let payload = "ab".repeat(32);
    let sha256 = "63e09b3fac1bf8a440400f858b8112161dd439f380a4d04ce048ee9f479fad6b";
    fs::create_dir_all(hub.join("blobs/ab")).unwrap();
    fs::write(hub.join("blobs/.huggingface-shared-blobs"), "1\n").unwrap();
    // Of a version that nothing here knows: what it needs only a load can tell.
    fs::write(hub.join("blobs/ab").join(&payload), b"GGUF\x09\0\0\0").unwrap();
    symlink(format!("../../blobs/ab/{payload}"), repo.join("blobs").join(sha256)).unwrap();
    let snapshot = repo.join("snapshots").join(COMMIT);
    symlink(Path::new("../../blobs").join(sha256), snapshot.join("model.gguf")).unwrap();
    fs::create_dir_all(snapshot.join("onnx")).unwrap();
    fs::write(snapshot.join("onnx/copy"), "").unwrap();
    let entry = |size: u64, id: &str| json!({"size": size, "blob_id": id});
    let list = json!({"format_version": 1, "files": {
        "config.json": entry(0, EMPTY),
        "model.gguf": entry(8, sha256),
        "onnx/copy": entry(0, EMPTY),
    }});
    fs::create_dir_all(repo.join("trees")).unwrap();
    fs::write(repo.join("trees").join(format!("{COMMIT}.json")), list.to_string()).unwrap();
}

#[test]
fn unreadable_folder_is_never_called_missing_or_empty() {
    let home = tempfile::tempdir().unwrap();
    fs::set_permissions(home.path(), Permissions::from_mode(0o755)).unwrap();
    // The build folder may lie where a stranger cannot go.
    let copy = home.path().join("aienergyscore");
    copy_program(&copy);
    let snapshot = format!("models--org--m/snapshots/{COMMIT}");
    let tree = format!("models--org--m/trees/{COMMIT}.json");
    let payload = format!("blobs/ab/{}", "ab".repeat(32));
    // Closed altogether, or open for names and not for what they stand for.
    let closed = [
        ("models--org--m", 0o000),
        ("models--org--m", 0o744),
        ("models--org--m/blobs", 0o000),
        ("models--org--m/blobs", 0o744),
        ("models--org--m/blobs", 0o711),
        ("models--org--m/snapshots", 0o000),
        ("models--org--m/snapshots", 0o744),
        (&snapshot, 0o000),
        (&snapshot, 0o744),
        (&format!("{snapshot}/onnx"), 0o000),
        (&format!("{snapshot}/onnx"), 0o744),
        ("models--org--m/refs", 0o000),
        ("models--org--m/refs", 0o744),
        ("models--org--m/refs/main", 0o000),
        ("models--org--m/trees", 0o000),
        (&tree, 0o000),
        ("blobs", 0o000),
        ("blobs", 0o744),
        ("blobs", 0o711),
        ("blobs/.huggingface-shared-blobs", 0o000),
        ("blobs/ab", 0o000),
        ("blobs/ab", 0o744),
        (&payload, 0o000),
    ];
    for (number, (path, mode)) in closed.iter().enumerate() {
        let hub = home.path().join(number.to_string());
        shared_model(&hub);
        let path = hub.join(path);
        let stranger = |args: &[&str]| {
            let mut command = Command::new(&copy);
            command.arg("cache").args(args).arg("--json").env_clear().env("HF_HUB_CACHE", &hub);
            command.env("HOME", "/nonexistent").current_dir("/");
            let mode = if getuid().is_root() {
                command.uid(4321).gid(4321);
                *mode
            } else {
                // Of one's own entries the first digit counts.
                (mode & 0o007) << 6
            };
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let output = command.output().unwrap();
            fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
            serde_json::from_slice::<Value>(&output.stdout).unwrap_or_else(|_| {
                panic!("{}: {}", path.display(), said(&output));
            })
        };
        let case = format!("{} {mode:04o}", path.display());
        let list = stranger(&["ls"]);
        let repo = &list["repos"][0];
        let faults = format!("{}{}", repo["faults"], list["faults"]);
        for wrong in ["missing", "not here", "no repo"] {
            assert!(!faults.contains(wrong), "{case}: {faults}");
        }
        let complete = &repo["revisions"][0]["complete"];
        assert!(complete.is_null() || *complete == true, "{case}");
        if !faults.contains("out of sight") && !faults.contains("cannot be read") {
            assert_eq!(list["size_bytes"], 8, "{case}: {faults}");
        }
        let found = stranger(&["verify"]);
        let kinds = found["findings"].as_array().unwrap().iter();
        let kinds: Vec<_> = kinds.map(|found| found["what"].as_str().unwrap()).collect();
        let told = ["unreadable", "broken-tree"];
        let times = kinds.iter().filter(|kind| told.contains(kind)).count();
        assert_eq!(times, 1, "{case}: {kinds:?}");
        let beside = ["foreign-owner", "copies", "unverifiable"];
        let wrong = kinds.iter().find(|kind| !told.contains(kind) && !beside.contains(kind));
        assert_eq!(wrong, None, "{case}: {found:#}");
    }
}
