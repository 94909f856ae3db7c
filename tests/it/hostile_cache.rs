//! `aienergyscore cache` on a cache in which a container left traps.

use std::{
    fs::{self, File, Permissions},
    os::unix::{
        fs::{PermissionsExt as _, lchown, symlink},
        process::CommandExt as _,
    },
    path::{Path, PathBuf},
    process::{Command, Output},
};

use rustix::{
    fs::{CWD, FileType, Mode, mknodat},
    process::getuid,
};
use serde_json::Value;

use crate::harness::program;

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
/// Git's id of a file without bytes.
const EMPTY: &str = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391";
/// The unprivileged user of the cache when the tests run as root.
const SOMEBODY: u32 = 4242;

/// No limit of `prlimit` that matters.
const NO_LIMIT: &str = "--core=0";

/// A home with a cache in it, and beside that a folder of secrets.
struct World(tempfile::TempDir);

impl World {
    fn new() -> Self {
        let world = Self(tempfile::tempdir().unwrap());
        fs::set_permissions(world.0.path(), Permissions::from_mode(0o755)).unwrap();
        // The build folder may lie where somebody cannot go. No child of another test's must have
        // the copy open for writing.
        let copy = world.at("aienergyscore");
        assert!(Command::new("cp").arg(program()).arg(copy).status().unwrap().success());
        for folder in ["home/hub", "home/secrets"] {
            fs::create_dir_all(world.at(folder)).unwrap();
        }
        fs::write(world.at("home/secrets/id_rsa"), "a private key").unwrap();
        world
    }

    fn at(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    /// Makes the model `id` of one file; its folder.
    fn model(&self, id: &str) -> PathBuf {
        let repo = self.at("home/hub").join(format!("models--{}", id.replace('/', "--")));
        for folder in ["refs", "blobs", "trees", &format!("snapshots/{COMMIT}")] {
            fs::create_dir_all(repo.join(folder)).unwrap();
        }
        fs::write(repo.join("refs/main"), COMMIT).unwrap();
        fs::write(repo.join("blobs").join(EMPTY), "").unwrap();
        let link = repo.join("snapshots").join(COMMIT).join("config.json");
        symlink(Path::new("../../blobs").join(EMPTY), link).unwrap();
        repo
    }

    /// `aienergyscore cache …` under this limit of `prlimit`, as somebody without privileges.
    fn cache(&self, limit: &str, args: &[&str]) -> Output {
        let mut command = Command::new("prlimit");
        command
            .args([limit, "--"])
            .arg(self.at("aienergyscore"))
            .arg("cache")
            .args(args)
            .env_clear();
        command.env("HF_HUB_CACHE", self.at("home/hub")).env("HOME", self.at("home"));
        if getuid().is_root() {
            give(&self.at("home"), SOMEBODY);
            command.uid(SOMEBODY).gid(SOMEBODY);
        }
        command.current_dir(self.at("home")).output().unwrap()
    }

    fn json(&self, args: &[&str]) -> Value {
        let output = self.cache(NO_LIMIT, &[args, &["--json"]].concat());
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
    }

    /// The findings of `verify`: kind, path and evidence.
    fn findings(&self) -> Vec<[String; 3]> {
        let found = self.json(&["verify"]);
        let findings = found["findings"].as_array().unwrap().iter();
        findings
            .map(|found| {
                ["what", "path", "evidence"].map(|key| found[key].as_str().unwrap().to_owned())
            })
            .collect()
    }
}

/// Makes `uid` the owner of everything below `folder` except files named `shadow`.
fn give(folder: &Path, uid: u32) {
    for entry in walkdir::WalkDir::new(folder) {
        let entry = entry.unwrap();
        if entry.file_name() != "shadow" {
            lchown(entry.path(), Some(uid), Some(uid)).unwrap();
        }
    }
}

#[test]
fn huge_lists_are_found_and_not_read_into_memory() {
    let world = World::new();
    for number in 0..4 {
        let repo = world.model(&format!("org/m{number}"));
        let sparse = |name: &str| {
            File::create(repo.join(name)).unwrap().set_len(1 << 30).unwrap();
        };
        if number > 0 {
            sparse(&format!("trees/{COMMIT}.json"));
        } else {
            sparse(&format!("blobs/{}", "a".repeat(40)));
            let index = format!("snapshots/{COMMIT}/model.safetensors.index.json");
            symlink(format!("../../blobs/{}", "a".repeat(40)), repo.join(index)).unwrap();
            sparse("refs/vast");
        }
    }
    for args in [["ls"].as_slice(), &["verify", "--quick"]] {
        let output = world.cache("--as=600000000", args);
        assert!(output.status.code().is_some_and(|code| code <= 1), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stdout).contains("org"), "{output:?}");
    }
    let found = world.json(&["verify", "--quick"]);
    let kinds = found["findings"].as_array().unwrap().iter();
    let kinds: Vec<_> = kinds.map(|found| found["what"].as_str().unwrap()).collect();
    let three = ["broken-tree"; 3];
    assert_eq!(kinds, [&three[..], &["broken-ref", "foreign-file"]].concat(), "{found:#}");
}

#[test]
fn ref_that_is_a_fifo_or_symlink_is_reported() {
    let world = World::new();
    let repo = world.model("org/fifo");
    fs::remove_file(repo.join("refs/main")).unwrap();
    mknodat(CWD, repo.join("refs/main"), FileType::Fifo, Mode::RWXU, 0).unwrap();
    let repo = world.model("org/link");
    fs::remove_file(repo.join("refs/main")).unwrap();
    symlink("../../../secrets/id_rsa", repo.join("refs/main")).unwrap();
    let found = world.findings();
    let what: Vec<_> = found.iter().map(|[what, ..]| what.as_str()).collect();
    assert_eq!(what, ["broken-ref"; 2], "{found:?}");
    assert!(found[0][2].contains("FIFO") && found[1][2].contains("symlink"), "{found:?}");
    let output = world.cache(NO_LIMIT, &["ls"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

#[test]
fn symlink_to_a_folder_of_the_user_is_not_read() {
    let world = World::new();
    symlink("../secrets", world.at("home/hub/models--org--repo")).unwrap();
    for folder in ["blobs", "snapshots", "refs", "trees"] {
        let repo = world.model(&format!("org/{folder}"));
        fs::remove_dir_all(repo.join(folder)).unwrap();
        symlink("../../secrets", repo.join(folder)).unwrap();
    }
    let repo = world.model("org/snapshot");
    fs::remove_dir_all(repo.join("snapshots").join(COMMIT)).unwrap();
    symlink("../../../secrets", repo.join("snapshots").join(COMMIT)).unwrap();
    for args in [["ls"].as_slice(), &["ls", "--json"], &["verify"], &["repair", "--quick"]] {
        let output = world.cache(NO_LIMIT, args);
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(!said.contains("id_rsa") && output.status.code() < Some(2), "{args:?}: {output:?}");
    }
    let found = world.findings();
    let places = found.iter().filter(|[what, ..]| what == "escaping-link");
    let places: Vec<_> = places.map(|[_, path, _]| path.as_str()).collect();
    let snapshot = format!("models--org--snapshot/snapshots/{COMMIT}");
    assert_eq!(
        places,
        [
            "models--org--blobs/blobs",
            "models--org--refs/refs",
            "models--org--repo",
            &snapshot,
            "models--org--snapshots/snapshots",
        ],
        "{found:#?}"
    );
}

#[test]
fn folders_on_other_disks_are_read_through_symlinks() {
    let world = World::new();
    let repo = world.model("org/m");
    let whole = world.json(&["ls"]);
    for (place, disk) in [(repo.join("blobs"), "disk1"), (repo, "disk2")] {
        fs::rename(&place, world.at(disk)).unwrap();
        symlink(world.at(disk), &place).unwrap();
        let linked = world.json(&["ls"]);
        for key in ["size_bytes", "files", "faults"] {
            assert_eq!(linked["repos"][0][key], whole["repos"][0][key], "{disk}: {linked:#}");
        }
        // In full: on a slow machine, the first disk's content is old enough to be remembered.
        let found = world.json(&["verify", "--full"]);
        assert_eq!(found["checked"]["hashed"], 1, "{disk}: {found:#}");
    }
}

#[test]
fn checks_run_in_one_thread_when_no_other_can_start() {
    let world = World::new();
    for number in 0..20 {
        let repo = world.model(&format!("org/m{number}"));
        File::create(repo.join("blobs").join("b".repeat(40))).unwrap().set_len(1 << 20).unwrap();
    }
    for args in [["ls"].as_slice(), &["verify"]] {
        let output = world.cache("--nproc=1", args);
        assert!(output.status.code().is_some_and(|code| code <= 1), "{output:?}");
        assert!(output.stderr.is_empty(), "{output:?}");
    }
}

#[test]
#[ignore = "needs root, to make root-owned files"]
fn root_owned_files_outside_repos_are_not_reclaimed() {
    assert!(getuid().is_root());
    let world = World::new();
    world.model("org/m");
    let backup = world.at("home/hub");
    fs::create_dir(backup.join("private")).unwrap();
    for path in ["shadow", "private/shadow", "models--org--m/shadow", "models--org--m/blobs/shadow"]
    {
        fs::write(backup.join(path), "root's").unwrap();
    }
    let planned = world.json(&["repair", "--quick"]);
    let paths: Vec<_> =
        planned["steps"].as_array().unwrap().iter().map(|step| &step["paths"]).collect();
    assert_eq!(paths, [&serde_json::json!(["models--org--m/blobs/shadow"])], "{planned:#}");
}

#[test]
#[ignore = "needs root, to make a root-owned folder"]
fn root_owned_folder_behind_a_symlink_is_not_reclaimed() {
    assert!(getuid().is_root());
    let world = World::new();
    let backups = world.at("backups");
    fs::create_dir_all(backups.join("models--a--b/blobs")).unwrap();
    for path in ["shadow", "models--a--b/shadow"] {
        fs::write(backups.join(path), "root's").unwrap();
    }
    fs::remove_dir(world.at("home/hub")).unwrap();
    symlink(&backups, world.at("home/hub")).unwrap();
    let planned = world.json(&["repair", "--quick"]);
    let steps = planned["steps"].as_array().unwrap().iter();
    let paths: Vec<_> = steps.map(|step| &step["paths"]).collect();
    let repo = serde_json::json!(["models--a--b", "models--a--b/blobs"]);
    assert_eq!(paths, [&repo], "{planned:#}");
    // What nobody can look into may be anything.
    fs::set_permissions(&backups, Permissions::from_mode(0o700)).unwrap();
    let output = world.cache(NO_LIMIT, &["repair", "--quick", "--yes"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("is closed to you") && !said.contains("may do without sudo"), "{said}");
}
