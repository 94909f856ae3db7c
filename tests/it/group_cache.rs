//! A Hub cache that two members of a group share.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, lchown},
    path::{Path, PathBuf},
    process::{Command, Output},
};

use rustix::process::getuid;
use serde_json::Value;

use crate::harness::copy_program;

const GROUP: u32 = 2500;
const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
/// Git's id of a file without bytes.
const EMPTY: &str = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391";

/// A folder that the group shares.
struct Shared(tempfile::TempDir);

impl Shared {
    fn new() -> Self {
        let shared = Self(tempfile::tempdir().unwrap());
        fs::set_permissions(shared.0.path(), fs::Permissions::from_mode(0o755)).unwrap();
        copy_program(shared.0.path().join("aienergyscore"));
        fs::create_dir(shared.hub()).unwrap();
        chown(shared.hub(), Some(Member::Ada as u32), Some(GROUP)).unwrap();
        fs::set_permissions(shared.hub(), fs::Permissions::from_mode(0o2775)).unwrap();
        shared
    }

    fn hub(&self) -> PathBuf {
        self.0.path().join("hub")
    }

    fn at(&self, path: &str) -> PathBuf {
        self.hub().join(path)
    }
}

/// The users, by their ids. The group is their own, as a container knows no other.
#[derive(Debug, Clone, Copy)]
enum Member {
    Ada = 4242,
    Ben = 4243,
}

impl Member {
    fn command(self, shared: &Shared, words: &[&str]) -> Output {
        let mut command = Command::new("setpriv");
        command.args([format!("--reuid={}", self as u32), format!("--regid={GROUP}")]);
        command.args(["--clear-groups", "--"]).args(words).env_clear().current_dir(shared.hub());
        command.env("PATH", std::env::var("PATH").unwrap());
        command.env("HOME", shared.0.path()).env("HF_HUB_CACHE", shared.hub());
        command.output().unwrap()
    }

    /// A shell's work with the umask of those who share.
    fn shell(self, shared: &Shared, text: &str) -> bool {
        let text = format!("umask 002; {text}");
        self.command(shared, &["sh", "-ec", &text]).status.success()
    }

    /// Writes a repo as a client does, with lists that only their owner can read.
    fn downloads(self, shared: &Shared, repo: &str) {
        let text = format!(
            "mkdir -p {repo}/blobs {repo}/refs {repo}/trees {repo}/snapshots/{COMMIT}; \
             : >{repo}/blobs/{EMPTY}; printf {COMMIT} >{repo}/refs/main; \
             ln -s ../../blobs/{EMPTY} {repo}/snapshots/{COMMIT}/config.json; umask 077; \
             printf '{{\"format_version\":1,\"files\":{{\"config.json\":\
             {{\"size\":0,\"blob_id\":\"{EMPTY}\"}}}}}}' >{repo}/trees/{COMMIT}.json"
        );
        assert!(self.shell(shared, &text));
    }

    fn cache(self, shared: &Shared, args: &[&str]) -> (Option<i32>, Value) {
        let ours = shared.0.path().join("aienergyscore");
        let output =
            self.command(shared, &[&[ours.to_str().unwrap(), "cache"], args, &["--json"]].concat());
        let json = serde_json::from_slice(&output.stdout);
        (output.status.code(), json.unwrap_or_else(|error| panic!("{error}: {output:?}")))
    }

    /// Kinds and paths of what a verification finds.
    fn findings(self, shared: &Shared) -> Vec<(String, String)> {
        let (_, found) = self.cache(shared, &["verify"]);
        let text = |finding: &Value, key: &str| finding[key].as_str().unwrap().to_owned();
        let findings = found["findings"].as_array().unwrap().iter();
        findings.map(|finding| (text(finding, "what"), text(finding, "path"))).collect()
    }

    fn repair(self, shared: &Shared, more: &[&str]) -> (Option<i32>, Value) {
        self.cache(shared, &[&["repair", "--engine", "host"], more].concat())
    }
}

fn found(what: &str, path: &str) -> (String, String) {
    (what.to_owned(), path.to_owned())
}

#[test]
#[ignore = "needs root, to run as two users"]
fn download_of_one_member_serves_the_other() {
    assert!(getuid().is_root(), "only root can be two users");
    let shared = Shared::new();
    Member::Ada.downloads(&shared, "models--ada--m");
    Member::Ben.downloads(&shared, "models--ben--m");
    let work = format!("cat models--ada--m/blobs/{EMPTY} && : >models--ada--m/refs/new.lock");
    assert!(Member::Ben.shell(&shared, &format!("{work} && rm models--ada--m/refs/new.lock")));
    for member in [Member::Ada, Member::Ben] {
        assert_eq!(member.findings(&shared), []);
        assert_eq!(member.repair(&shared, &[]).0, Some(0));
    }

    let blob = format!("models--ada--m/blobs/{EMPTY}");
    let closed = |mode| fs::set_permissions(shared.at(&blob), fs::Permissions::from_mode(mode));
    closed(0o600).unwrap();
    assert_eq!(Member::Ada.findings(&shared), [found("group-closed", &blob)]);
    assert!(Member::Ben.findings(&shared).contains(&found("unreadable", &blob)));
    // Only Ada can change this, so nothing is planned for Ben, and nothing of hers is reclaimed.
    let (code, planned) = Member::Ben.repair(&shared, &[]);
    assert_eq!((code, &planned["sudo"]), (Some(0), &Value::Null), "{planned:#}");
    let steps = planned["steps"].as_array().unwrap();
    assert!(steps.iter().all(|step| step["state"] == "left"), "{planned:#}");
    let why = steps[0]["reason"].as_str().unwrap();
    assert!(why.contains("uid 4242"), "{why}");
    Member::Ben.repair(&shared, &["--yes"]);
    assert_eq!(fs::metadata(shared.at(&blob)).unwrap().uid(), Member::Ada as u32);
    closed(0o640).unwrap();
    assert_eq!(Member::Ben.findings(&shared), []);
}

#[test]
#[ignore = "needs root, to run as two users"]
fn root_owned_entries_are_reclaimed_for_the_group() {
    assert!(getuid().is_root(), "only root can be two users");
    let shared = Shared::new();
    Member::Ada.downloads(&shared, "models--ada--m");
    // As a container's root makes them: with the group of the folder that they are made in.
    let roots = ["models--ada--m/blobs", "models--ada--m/blobs/new", "models--ada--m/refs/main"];
    fs::write(shared.at(roots[1]), "").unwrap();
    for path in roots {
        lchown(shared.at(path), Some(0), None).unwrap();
    }
    fs::set_permissions(shared.at(roots[0]), fs::Permissions::from_mode(0o2755)).unwrap();
    let (_, planned) = Member::Ben.repair(&shared, &[]);
    let line = planned["sudo"].as_str().unwrap();
    assert!(
        line.starts_with("sudo find ") && line.ends_with("-execdir chown -h 4243 {} +"),
        "{line}"
    );
    let line = line.replace("sudo ", "");
    assert!(Command::new("sh").args(["-c", &line]).status().unwrap().success(), "{line}");
    let owner = |path: &Path| {
        let data = fs::symlink_metadata(path).unwrap();
        (data.uid(), data.gid())
    };
    assert_eq!(owner(&shared.at(roots[0])), (Member::Ben as u32, GROUP));
    assert_eq!(fs::metadata(shared.at(roots[0])).unwrap().mode() & 0o7777, 0o2755);
}
