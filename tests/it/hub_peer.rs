//! `aienergyscore cache` on generated caches, compared with huggingface_hub.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::PathBuf,
    process::{Command, Output},
};

use rustix::process::getuid;
use serde_json::Value;

use crate::{
    harness::program,
    hub_cache::{as_peers_do, manifest, peers, script},
};

const LAYOUTS: [&str; 4] = ["mixed", "classic", "shared", "nosymlinks"];
/// The unprivileged user of the cache when the tests run as root.
const SOMEBODY: u32 = 4242;

/// A generated cache and the list of faults planted in it.
struct Made {
    _root: tempfile::TempDir,
    home: PathBuf,
    hub: PathBuf,
    planted: Value,
}

/// Makes a cache of `uid`'s.
fn made(layout: &str, broken: &str) -> Made {
    let root = tempfile::tempdir().unwrap();
    fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let home = root.path().canonicalize().unwrap().join("home");
    let hub = home.join("hub");
    fs::create_dir(&home).unwrap();
    let uid = if getuid().is_root() { SOMEBODY } else { getuid().as_raw() };
    if getuid().is_root() {
        std::os::unix::fs::chown(&home, Some(uid), Some(uid)).unwrap();
    }
    let mut command = Command::new("python3");
    command.arg(script("make_hub_cache.py")).arg(&hub);
    command.args(["--repos", "40", "--revisions", "3", "--files", "12", "--blob-bytes", "20000"]);
    command.args(["--layout", layout, "--uid", &uid.to_string(), "--gid", &uid.to_string()]);
    if !broken.is_empty() {
        command.args(["--break", broken]);
    }
    let output = command.output().expect("python3 can be started");
    assert!(output.status.success(), "{output:?}");
    let planted = serde_json::from_slice(&output.stdout).unwrap();
    Made { _root: root, home, hub, planted }
}

impl Made {
    /// `aienergyscore cache …`, as the owner of the cache.
    fn cache(&self, args: &[&str]) -> Output {
        let ours = program();
        let copy = self.home.with_file_name("aienergyscore");
        fs::copy(ours, &copy).unwrap();
        let mut command = if getuid().is_root() {
            let mut command = Command::new("setpriv");
            command.args([format!("--reuid={SOMEBODY}"), format!("--regid={SOMEBODY}")]);
            command.args(["--clear-groups", "--"]).arg(&copy);
            command
        } else {
            Command::new(&copy)
        };
        command.arg("cache").args(args).env_clear().current_dir(&self.home);
        command.env("PATH", std::env::var("PATH").unwrap());
        command.env("HOME", &self.home).env("HF_HUB_CACHE", &self.hub);
        command.output().unwrap()
    }

    fn json(&self, args: &[&str]) -> Value {
        let output = self.cache(args);
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
    }
}

#[test]
#[ignore = "needs python3 with venv, and a network for huggingface_hub"]
fn a_healthy_cache_counts_as_huggingface_hub_counts_it() {
    for layout in LAYOUTS {
        let made = made(layout, "incomplete-blob,orphan-blob,partial-snapshot");
        let theirs = peers(&made.hub);
        assert_eq!(as_peers_do(&made.json(&["ls", "--json"])), theirs, "{layout}");
        assert_eq!(theirs["repos"].as_array().unwrap().len(), 40);
    }
}

#[test]
#[ignore = "needs python3 with venv, and a network for huggingface_hub"]
fn a_repo_that_huggingface_hub_drops_is_kept_with_what_is_wrong() {
    let kinds =
        ["dangling-symlink", "missing-ref-target", "ref-newline", "ref-tmp", "ref-404-only"];
    let made = made("classic", &kinds.join(","));
    let theirs = peers(&made.hub);
    let ours = made.json(&["ls", "--json"]);
    assert_eq!(theirs["repos"].as_array().unwrap().len(), 40 - kinds.len());
    assert_eq!(ours["repos"].as_array().unwrap().len(), 40);
    let id = |repo: &Value| (repo["type"].to_string(), repo["id"].to_string());
    let counted: Vec<_> = theirs["repos"].as_array().unwrap().iter().map(id).collect();
    let mut faults = 0;
    for repo in as_peers_do(&ours)["repos"].as_array().unwrap() {
        if let Some(at) = counted.iter().position(|counted| *counted == id(repo)) {
            assert_eq!(*repo, theirs["repos"][at]);
        } else {
            faults += 1;
        }
    }
    assert_eq!(faults, kinds.len());
}

/// Each planted fault, the kind of its finding, and whether a repair fixes it.
const KINDS: [(&str, &str, bool); 18] = [
    ("dangling-symlink", "dangling-pointer", true),
    ("corrupt-blob", "corrupt-blob", true),
    ("truncated-blob", "truncated-blob", true),
    ("incomplete-blob", "incomplete-download", true),
    ("missing-ref-target", "broken-ref", false),
    ("foreign-file", "foreign-file", false),
    ("absolute-symlink", "absolute-link", true),
    ("escaping-symlink", "escaping-link", true),
    ("unreadable-file", "unreadable", true),
    ("stale-lock", "stale-lock", true),
    ("missing-from-tree", "foreign-file", false),
    ("partial-snapshot", "partial-snapshot", false),
    ("dangling-shared", "dangling-pointer", false),
    ("ref-newline", "broken-ref", true),
    ("ref-tmp", "leftover", true),
    ("orphan-blob", "orphan-blob", false),
    ("unreadable-dir", "unreadable", true),
    ("root-owned", "foreign-owner", false),
];

#[test]
fn every_planted_fault_is_found_and_only_repairable_ones_are_touched() {
    let mut kinds: Vec<_> = KINDS.iter().map(|(kind, ..)| *kind).collect();
    kinds.push("ref-404-only");
    // Only root could look into these afterwards.
    kinds.retain(|kind| getuid().is_root() || !kind.starts_with("unreadable"));
    let made = made("mixed", &kinds.join(","));
    let found = made.json(&["verify", "--json"]);
    let findings = found["findings"].as_array().unwrap();
    let planted = made.planted["planted"].as_array().unwrap();
    assert!(planted.len() >= kinds.len() - 1, "{planted:?}");
    for (kind, what, _) in KINDS {
        for fault in planted.iter().filter(|fault| fault["kind"] == kind) {
            let repo = fault["repo"].as_str().unwrap();
            let is_it = |finding: &&Value| {
                let path = finding["path"].as_str().unwrap();
                finding["what"] == what && (path.contains(repo) || path == "notes.txt")
            };
            assert!(findings.iter().any(|finding| is_it(&finding)), "{kind} in {repo}: {found:#}");
        }
    }
    assert_eq!(made.cache(&["verify"]).status.code(), Some(1));

    let before = manifest(&made.hub);
    let plan = made.cache(&["repair", "--engine", "host"]);
    assert_eq!(plan.status.code(), Some(1));
    assert_eq!(manifest(&made.hub), before, "a plan changes nothing");

    made.cache(&["repair", "--yes", "--engine", "host"]);
    let after = manifest(&made.hub);
    let touched: Vec<_> = before
        .iter()
        .filter(|(path, what)| after.get(*path) != Some(what))
        .map(|(path, _)| path.to_str().unwrap().to_owned())
        .collect();
    let may_be_touched = |path: &String| {
        let mended = KINDS.iter().filter(|(.., mended)| *mended).map(|(kind, ..)| *kind);
        let mended: Vec<_> = mended.collect();
        planted.iter().any(|fault| {
            mended.contains(&fault["kind"].as_str().unwrap())
                && ["paths", "pointers"].iter().any(|key| {
                    let paths = fault[*key].as_array().into_iter().flatten();
                    paths.filter_map(Value::as_str).any(|touched| touched == path)
                })
        })
    };
    for path in &touched {
        assert!(may_be_touched(path), "{path} was touched: {touched:#?}");
    }
    assert!(touched.len() >= 10, "{touched:?}");
    let again = manifest(&made.hub);
    made.cache(&["repair", "--yes", "--engine", "host"]);
    assert_eq!(manifest(&made.hub), again, "a second repair has nothing to do");
}
