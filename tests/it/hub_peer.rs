//! `aienergyscore cache` on caches that a generator makes, whole and broken, and beside
//! huggingface_hub.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    process::{Command, Output},
};

use rustix::process::getuid;
use serde_json::{Value, json};

use crate::harness::{program, workspace};

const HUGGINGFACE_HUB: &str = "huggingface_hub==2.4.0";
const LAYOUTS: [&str; 4] = ["mixed", "classic", "shared", "nosymlinks"];
/// Somebody without privileges, when the tests are root's.
const SOMEBODY: u32 = 4242;

fn script(name: &str) -> PathBuf {
    workspace().join("tests/it/hub_cache").join(name)
}

/// A cache in a folder of its own, with what is planted in it.
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
    /// `aienergyscore cache …`, as whoever owns the cache.
    fn cache(&self, args: &[&str]) -> Output {
        let ours = program("aienergyscore");
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

    /// What is at each path: kind, mode, owner, bytes' times or a link's text.
    fn manifest(&self) -> BTreeMap<PathBuf, String> {
        let entries = walkdir::WalkDir::new(&self.hub).into_iter().map(Result::unwrap);
        entries
            .map(|entry| {
                let data = entry.metadata().unwrap();
                let link = fs::read_link(entry.path()).unwrap_or_default();
                let times = if data.is_dir() { 0 } else { data.mtime_nsec() + data.mtime() };
                let path = entry.path().strip_prefix(&self.hub).unwrap().to_owned();
                let what = format!(
                    "{:o} {}:{} {} {times} {link:?}",
                    data.mode(),
                    data.uid(),
                    data.gid(),
                    if data.is_dir() { 0 } else { data.len() },
                );
                (path, what)
            })
            .collect()
    }
}

/// The Python of an environment that has huggingface_hub, made once.
fn python() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("hub-peer");
    let python = folder.join("bin/python");
    let works = |python: &Path| {
        let import = Command::new(python).args(["-c", "import huggingface_hub"]).output();
        import.is_ok_and(|output| output.status.success())
    };
    if !works(&python) {
        let made = Command::new("python3").args(["-m", "venv"]).arg(&folder).status().unwrap();
        assert!(made.success(), "`python3 -m venv` failed; install python3-venv");
        let pip = ["-m", "pip", "install", "--quiet", HUGGINGFACE_HUB];
        assert!(Command::new(&python).args(pip).status().unwrap().success(), "no network?");
    }
    python
}

/// What huggingface_hub counts.
fn peers(python: &Path, hub: &Path) -> Value {
    let output = Command::new(python).arg(script("scan.py")).arg(hub).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What we count, without what only we count.
fn as_peers_do(ours: &Value) -> Value {
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

#[test]
#[ignore = "needs python3 with venv, and a network for huggingface_hub"]
fn a_healthy_cache_counts_as_huggingface_hub_counts_it() {
    let python = python();
    for layout in LAYOUTS {
        let made = made(layout, "incomplete-blob,orphan-blob,partial-snapshot");
        let theirs = peers(&python, &made.hub);
        assert_eq!(as_peers_do(&made.json(&["ls", "--json"])), theirs, "{layout}");
        assert_eq!(theirs["repos"].as_array().unwrap().len(), 40);
    }
}

#[test]
#[ignore = "needs python3 with venv, and a network for huggingface_hub"]
fn a_repo_that_huggingface_hub_drops_is_kept_with_what_is_wrong() {
    let python = python();
    let kinds =
        ["dangling-symlink", "missing-ref-target", "ref-newline", "ref-tmp", "ref-404-only"];
    let made = made("classic", &kinds.join(","));
    let theirs = peers(&python, &made.hub);
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

/// What each kind that is planted is called, and whether a repair mends it.
const KINDS: [(&str, &str, bool); 18] = [
    ("dangling-symlink", "dangling-pointer", true),
    ("corrupt-blob", "corrupt-blob", true),
    ("truncated-blob", "truncated-blob", true),
    ("incomplete-blob", "incomplete-download", true),
    ("missing-ref-target", "ref-to-nothing", false),
    ("foreign-file", "foreign-file", false),
    ("absolute-symlink", "absolute-link", true),
    ("escaping-symlink", "escaping-link", true),
    ("unreadable-file", "unreadable-file", true),
    ("stale-lock", "stale-lock", true),
    ("missing-from-tree", "foreign-file", false),
    ("partial-snapshot", "partial-snapshot", false),
    ("dangling-shared", "dangling-store-link", false),
    ("ref-newline", "ref-spelling", true),
    ("ref-tmp", "leftover", true),
    ("orphan-blob", "orphan-blob", false),
    ("unreadable-dir", "closed-folder", true),
    ("root-owned", "foreign-owner", false),
];

#[test]
#[ignore = "needs python3; finds what belongs to root only when it is root's"]
fn everything_that_is_planted_is_found_and_only_what_can_be_mended_is_touched() {
    let mut kinds: Vec<_> = KINDS.iter().map(|(kind, ..)| *kind).collect();
    kinds.push("ref-404-only");
    let made = made("mixed", &kinds.join(","));
    let found = made.json(&["verify", "--json"]);
    let findings = found["findings"].as_array().unwrap();
    let planted = made.planted["planted"].as_array().unwrap();
    assert!(planted.len() >= 18, "{planted:?}");
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

    let before = made.manifest();
    let plan = made.cache(&["repair", "--engine", "host"]);
    assert_eq!(plan.status.code(), Some(1));
    assert_eq!(made.manifest(), before, "a plan changes nothing");

    made.cache(&["repair", "--yes", "--engine", "host"]);
    let after = made.manifest();
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
    let again = made.manifest();
    made.cache(&["repair", "--yes", "--engine", "host"]);
    assert_eq!(made.manifest(), again, "a second repair has nothing to do");
}
