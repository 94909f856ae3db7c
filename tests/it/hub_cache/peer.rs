//! Python environments with a version of huggingface_hub, and the results of its scan.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::Command,
    sync::Mutex,
};

use serde_json::{Value, json};

use super::script;

/// The version whose cache scan is compared with `cache ls`.
pub(crate) const NEWEST: &str = "2.4.0";

/// Python of a virtual environment with this version of huggingface_hub, created once.
pub(crate) fn python(version: &str) -> PathBuf {
    static MADE: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("huggingface_hub-{version}"));
    let python = folder.join("bin/python");
    let mut made = MADE.lock().unwrap();
    if made.insert(version.to_owned()) && !has(&python, version) {
        let venv = Command::new("python3").args(["-m", "venv"]).arg(&folder).status().unwrap();
        assert!(venv.success(), "`python3 -m venv` failed; install python3-venv");
        let lock = script(&format!("requirements/huggingface_hub-{version}.txt"));
        let pip = ["-m", "pip", "install", "--quiet", "--require-hashes", "--no-deps"];
        let pip = Command::new(&python).args(pip).arg("--requirement").arg(lock).status().unwrap();
        assert!(pip.success(), "no network?");
    }
    python
}

/// Whether the environment of `python` has this version of huggingface_hub.
fn has(python: &Path, version: &str) -> bool {
    let code = "import huggingface_hub; print(huggingface_hub.__version__)";
    let output = Command::new(python).args(["-c", code]).output();
    output.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).trim() == version)
}

/// The result of huggingface_hub's own cache scan: repos, revisions and sizes.
pub(crate) fn peers(hub: &Path) -> Value {
    let output = Command::new(python(NEWEST)).arg(script("scan.py")).arg(hub).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The output of `cache ls --json`, reduced to the fields that huggingface_hub's scan has, too.
pub(crate) fn as_peers_do(ours: &Value) -> Value {
    let keep = |value: &Value, keys: &[&str]| {
        let kept = keys.iter().map(|key| ((*key).to_owned(), value[*key].clone()));
        Value::Object(kept.collect())
    };
    let repos = ours["repos"].as_array().unwrap().iter().map(|repo| {
        let keys = ["type", "id", "size_bytes", "files", "last_accessed", "last_modified"];
        let mut kept = keep(repo, &keys);
        let revisions = repo["revisions"].as_array().unwrap().iter().map(|revision| {
            let mut kept =
                keep(revision, &["commit", "refs", "size_bytes", "files", "last_modified"]);
            kept["refs"].as_array_mut().unwrap().sort_by_key(ToString::to_string);
            kept
        });
        kept["revisions"] = revisions.collect();
        kept
    });
    let mut repos: Vec<_> = repos.collect();
    repos.sort_by_key(|repo| (repo["type"].to_string(), repo["id"].to_string()));
    let sum = |key: &str| -> u64 {
        ours["repos"].as_array().unwrap().iter().filter_map(|repo| repo[key].as_u64()).sum()
    };
    let unfinished = [sum("unfinished_files"), sum("unfinished_bytes")];
    json!({ "size_bytes": ours["size_bytes"], "repos": repos, "unfinished": unfinished })
}
