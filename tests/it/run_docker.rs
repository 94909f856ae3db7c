//! `ai_helpers/run_docker.sh`: which program it takes, and when it builds one.

use std::{
    fs::{self, File},
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    process::{Command, Output},
    time::{Duration, SystemTime},
};

use crate::harness::workspace;

const SCRIPT: &str = "a workspace, x:y/ai_helpers/run_docker.sh";
const RELEASE: &str = "a workspace, x:y/target/release/aienergyscore";
const DEBUG: &str = "a workspace, x:y/target/debug/aienergyscore";
const INSTALLED: &str = "bin/aienergyscore";

/// A `cargo` that builds a program that says `built`, after saying for which profile.
const CARGO: &str = r#"#!/bin/sh
echo "$1 $4 $5 $6 $7" >&2
for target; do :; done
folder=$target/$5
[ "$5" = dev ] && folder=$target/debug
mkdir -p "$folder"
printf '#!/bin/sh\necho built\n' >"$folder/aienergyscore"
chmod +x "$folder/aienergyscore"
"#;

#[test]
fn the_newest_build_gets_the_same_arguments_where_it_was_called() {
    let tree = Tree::new();
    tree.program(INSTALLED, "installed", 9);
    tree.program(DEBUG, "debug", 6);
    assert_eq!(tree.said(), "debug in cwd of Ada, x:y: [run][-n][3][a b][]\n");
    tree.program(RELEASE, "release", 7);
    assert!(tree.said().starts_with("release in "));
    tree.program(DEBUG, "debug", 8);
    assert!(tree.said().starts_with("debug in "));
}

#[test]
fn a_link_finds_its_workspace() {
    let tree = Tree::new();
    tree.program(RELEASE, "release", 6);
    let link = tree.path("link to it");
    symlink(SCRIPT, &link).unwrap();
    let output = tree.run(&link);
    assert!(text(&output.stdout).starts_with("release in "), "{output:?}");
}

#[test]
fn a_newer_source_has_its_program_built_again() {
    for (name, profile) in [(RELEASE, "release"), (DEBUG, "dev")] {
        let tree = Tree::new();
        tree.program(name, "old", 6);
        tree.file("a workspace, x:y/docker/entrypoint/src/main.rs", "", 7);
        tree.file("a workspace, x:y/docker/requirements/cpu.txt", "", 7);
        assert!(tree.said().starts_with("old in "), "the image's, not the program's");
        tree.file("a workspace, x:y/docker/new_crate/src/a/b/c/deep.rs", "", 7);
        let warned = tree.run(&tree.path(SCRIPT));
        assert!(text(&warned.stdout).starts_with("old in "), "{warned:?}");
        assert!(text(&warned.stderr).contains("is older than"), "{warned:?}");

        tree.file("bin/cargo", CARGO, 5);
        let output = tree.run(&tree.path(SCRIPT));
        assert_eq!(text(&output.stdout), "built\n", "{output:?}");
        let asked = format!("build --profile {profile} --package aienergyscore\n");
        assert!(text(&output.stderr).ends_with(&asked), "{output:?}");
    }
}

#[test]
fn every_crate_of_the_program_counts_at_any_depth() {
    let manifest = fs::read_to_string(workspace().join("Cargo.toml")).expect("the workspace's");
    let runner = fs::read_to_string(workspace().join("runner/Cargo.toml")).expect("the runner's");
    let local = manifest.lines().filter_map(|line| {
        let (name, rest) = line.split_once(" = { path = \"")?;
        let (folder, _) = rest.split_once('"')?;
        runner.contains(&format!("\n{name}.workspace = true")).then_some(folder)
    });
    let folders: Vec<_> = local.chain(["runner"]).collect();
    assert!(folders.len() > 4, "{folders:?}");
    for folder in folders {
        let tree = Tree::new();
        tree.program(RELEASE, "old", 6);
        tree.file(&format!("a workspace, x:y/{folder}/src/a/b/c/deep.rs"), "", 7);
        tree.file("bin/cargo", CARGO, 5);
        let output = tree.run(&tree.path(SCRIPT));
        assert_eq!(text(&output.stdout), "built\n", "{folder}: {output:?}");
    }
}

#[test]
fn without_a_build_the_installed_program_serves_and_then_cargo() {
    let tree = Tree::new();
    let output = tree.run(&tree.path(SCRIPT));
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("install Rust"), "{output:?}");

    tree.file("bin/cargo", CARGO, 5);
    tree.program(INSTALLED, "installed", 5);
    assert!(tree.said().starts_with("installed in "));

    fs::remove_file(tree.path(INSTALLED)).unwrap();
    let output = tree.run(&tree.path(SCRIPT));
    assert_eq!(text(&output.stdout), "built\n", "{output:?}");
    assert!(text(&output.stderr).contains("build --profile release"), "{output:?}");
}

#[test]
fn a_build_that_fails_ends_it() {
    let tree = Tree::new();
    tree.program(RELEASE, "old", 6);
    tree.file("a workspace, x:y/Cargo.lock", "", 7);
    tree.file("bin/cargo", "#!/bin/sh\nexit 101\n", 5);
    let output = tree.run(&tree.path(SCRIPT));
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(101), ""));
}

/// A workspace whose sources are of hour 5, beside a folder of programs.
struct Tree(tempfile::TempDir);

impl Tree {
    fn new() -> Self {
        let tree = Self(tempfile::tempdir().expect("a temporary folder"));
        for name in [
            "Cargo.toml",
            "Cargo.lock",
            "runner/crates/plan/src/run_plan.rs",
            "docker/contract/src/lib.rs",
            "docker/backend_reports/src/lib.rs",
            "docker/streams/src/lib.rs",
            "docker/untrusted/src/lib.rs",
        ] {
            tree.file(&format!("a workspace, x:y/{name}"), "", 5);
        }
        let script = fs::read_to_string(workspace().join("ai_helpers/run_docker.sh"));
        tree.file(SCRIPT, &script.expect("the script"), 5);
        fs::create_dir(tree.path("cwd of Ada, x:y")).expect("a folder");
        tree
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// An executable file, last changed at an hour of the first day of 1970.
    fn file(&self, name: &str, text: &str, hour: u64) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a file has a folder")).expect("its folder");
        fs::write(&path, text).expect("the file");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("its mode");
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(hour * 3600);
        let file = File::options().append(true).open(&path).expect("the file");
        file.set_modified(time).expect("its time");
    }

    /// A program that says who it is, where it was started and with what.
    fn program(&self, name: &str, who: &str, hour: u64) {
        let script = "printf '%s in %s: ' WHO \"${PWD##*/}\"; printf '[%s]' \"$@\"; echo";
        self.file(name, &format!("#!/bin/sh\n{}\n", script.replace("WHO", who)), hour);
    }

    fn run(&self, script: &Path) -> Output {
        Command::new(script)
            .args(["-n", "3", "a b", ""])
            .env_clear()
            .env("PATH", format!("{}:/usr/bin:/bin", self.path("bin").display()))
            .current_dir(self.path("cwd of Ada, x:y"))
            .output()
            .expect("the script can be started")
    }

    /// The output of a successful call.
    fn said(&self) -> String {
        let output = self.run(&self.path(SCRIPT));
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        text(&output.stdout).to_owned()
    }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("UTF-8")
}
