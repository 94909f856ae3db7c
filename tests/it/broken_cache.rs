//! Caches with every generated fault, for the tests of repairs.

use std::{
    collections::{BTreeMap, hash_map::DefaultHasher},
    fs,
    hash::{Hash as _, Hasher as _},
    os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use rustix::process::getuid;
use serde_json::Value;

use crate::harness::{copy_program, workspace};

/// The unprivileged user of the cache when the tests run as root.
pub(crate) const SOMEBODY: u32 = 4242;

/// Everything that the generator can break and the user can still read.
const KINDS: &str = "dangling-symlink,corrupt-blob,truncated-blob,incomplete-blob,\
                     missing-ref-target,foreign-file,absolute-symlink,escaping-symlink,root-owned,\
                     stale-lock,missing-from-tree,partial-snapshot,dangling-shared,ref-newline,\
                     ref-tmp,orphan-blob";

/// Faults that only a test that runs as root can look into.
const CLOSED: &str = ",unreadable-file,unreadable-dir";

/// A broken cache in the home of an unprivileged user.
pub(crate) struct BrokenCache {
    root: tempfile::TempDir,
}

/// The state of an entry, seen from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    /// `file`, `folder`, `link` or another kind.
    pub(crate) kind: &'static str,
    /// Permissions.
    pub(crate) mode: u32,
    /// Owner and group.
    pub(crate) owner: (u32, u32),
    /// Last change of its bytes, or of what is in a folder.
    pub(crate) modified: Option<(i64, i64)>,
    /// Its length, a hash of its bytes, or a link's text.
    pub(crate) content: String,
    /// Names of its extended attributes, of which an access list is one.
    pub(crate) attributes: Vec<u8>,
}

impl BrokenCache {
    /// Makes one.
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).unwrap();
        // The build folder may lie where somebody cannot go.
        copy_program(root.path().join("aienergyscore"));
        let cache = Self { root };
        fs::create_dir(cache.home()).unwrap();
        let uid = if getuid().is_root() { SOMEBODY } else { getuid().as_raw() };
        if getuid().is_root() {
            std::os::unix::fs::chown(cache.home(), Some(uid), Some(uid)).unwrap();
        }
        let mut command = Command::new("python3");
        command.arg(workspace().join("tests/it/hub_cache/make_hub_cache.py")).arg(cache.hub());
        command.args(["--repos", "24", "--revisions", "2", "--files", "8", "--blob-bytes", "9000"]);
        command.args(["--uid", &uid.to_string(), "--gid", &uid.to_string(), "--break"]);
        command.arg(format!("{KINDS}{}", if getuid().is_root() { CLOSED } else { "" }));
        let output = command.output().expect("python3 can be started");
        assert!(output.status.success(), "{output:?}");
        cache
    }

    fn home(&self) -> PathBuf {
        self.root.path().join("home")
    }

    /// The cache's folder.
    pub(crate) fn hub(&self) -> PathBuf {
        self.home().join("hub")
    }

    /// Keeps a copy of the cache as it is.
    pub(crate) fn keep(&self) {
        copy(&self.hub(), &self.root.path().join("kept"));
    }

    /// Makes the cache what it was when it was kept. Its path is the same, as links name it.
    pub(crate) fn restore(&self) {
        if getuid().is_root() {
            fs::remove_dir_all(self.hub()).unwrap();
        } else {
            // Closed folders cannot be removed before they are open.
            let open = ["-R", "u+rwX", "--"];
            Command::new("chmod").args(open).arg(self.hub()).status().unwrap();
            fs::remove_dir_all(self.hub()).unwrap();
        }
        copy(&self.root.path().join("kept"), &self.hub());
    }

    /// `aienergyscore cache …` without an engine, as the owner of the cache.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let ours = self.root.path().join("aienergyscore");
        let mut command = if getuid().is_root() {
            let mut command = Command::new("setpriv");
            command.args([format!("--reuid={SOMEBODY}"), format!("--regid={SOMEBODY}")]);
            command.args(["--clear-groups", "--"]).arg(ours);
            command
        } else {
            Command::new(ours)
        };
        command.arg("cache").args(args).env_clear().current_dir(self.home()).stdin(Stdio::null());
        command.env("PATH", std::env::var("PATH").unwrap());
        command.env("HOME", self.home()).env("HF_HUB_CACHE", self.hub());
        command
    }

    /// What it says.
    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// `cache repair` without an engine, as JSON.
    pub(crate) fn repair(&self, more: &[&str]) -> Value {
        let args = [&["repair", "--engine", "host", "--json"][..], more].concat();
        let output = self.run(&args);
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
    }

    /// Kinds and paths of what `cache verify` finds.
    pub(crate) fn findings(&self) -> Vec<(String, String)> {
        let output = self.run(&["verify", "--json"]);
        let found: Value = serde_json::from_slice(&output.stdout).unwrap();
        let text = |finding: &Value, key: &str| finding[key].as_str().unwrap().to_owned();
        let findings = found["findings"].as_array().unwrap().iter();
        let mut findings: Vec<_> =
            findings.map(|finding| (text(finding, "what"), text(finding, "path"))).collect();
        findings.sort();
        findings
    }

    /// Everything in the cache, seen from outside; as root, in closed folders, too.
    pub(crate) fn manifest(&self) -> BTreeMap<PathBuf, Seen> {
        let hub = self.hub();
        let entries = walkdir::WalkDir::new(&hub).into_iter().map(Result::unwrap);
        entries
            .map(|entry| {
                let below = entry.path().strip_prefix(&hub).unwrap().to_owned();
                (below, Seen::at(entry.path()))
            })
            .collect()
    }
}

impl Seen {
    /// The entry at `path` itself.
    pub(crate) fn at(path: &Path) -> Self {
        let data = path.symlink_metadata().unwrap();
        let (kind, content) = if data.is_dir() {
            ("folder", String::new())
        } else if data.is_symlink() {
            ("link", format!("{:?}", fs::read_link(path).unwrap()))
        } else if data.is_file() {
            let mut hasher = DefaultHasher::new();
            fs::read(path).unwrap_or_default().hash(&mut hasher);
            ("file", format!("{} bytes, {:x}", data.len(), hasher.finish()))
        } else if data.file_type().is_fifo() {
            ("pipe", String::new())
        } else {
            ("odd", format!("{:x}", data.rdev()))
        };
        let mut names = vec![0; 4096];
        let length = rustix::fs::llistxattr(path, &mut names[..]).unwrap_or_default();
        names.truncate(length);
        Self {
            kind,
            mode: data.mode() & 0o7777,
            owner: (data.uid(), data.gid()),
            modified: Some((data.mtime(), data.mtime_nsec())),
            content,
            attributes: names,
        }
    }
}

fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-a").args([from, to]).status().unwrap().success());
}
