//! `aienergyscore --version`: the commit of a git checkout, and the version alone elsewhere.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::harness::{Sandbox, aienergyscore, workspace};

const FIRST: &str = "2026-01-02";
const SECOND: &str = "2026-03-04";

/// The compiled build script of the runner, and a folder for checkouts.
struct Script {
    folder: tempfile::TempDir,
}

impl Script {
    fn compile() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let source = workspace().join("runner/build.rs");
        let mut rustc = Command::new(std::env::var_os("RUSTC").unwrap_or("rustc".into()));
        rustc.args(["--edition", "2024", "-o"]).arg(folder.path().join("script")).arg(source);
        assert!(rustc.status().unwrap().success());
        Self { folder }
    }

    /// A folder with a package `runner`.
    fn workspace(&self, name: &str) -> PathBuf {
        let workspace = self.folder.path().join(name);
        fs::create_dir_all(workspace.join("runner")).unwrap();
        workspace
    }

    /// A workspace in a git repository with two commits on `main`.
    fn repository(&self, name: &str) -> PathBuf {
        let workspace = self.workspace(name);
        git(&workspace, "init -q -b main .");
        for date in [FIRST, SECOND] {
            git_on(date, &workspace, "commit -q --allow-empty -m x");
        }
        workspace
    }

    /// Version and watched files in `workspace`, with the programs in `path`.
    fn run_with(&self, workspace: &Path, path: &str) -> (String, Vec<PathBuf>) {
        let mut script = Command::new(self.folder.path().join("script"));
        script.current_dir(workspace.join("runner")).env("CARGO_PKG_VERSION", "0.1.0");
        let output = script.env("PATH", path).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        let lines = text.lines().filter_map(|line| line.strip_prefix("cargo::"));
        let values =
            |key: &'static str| lines.clone().filter_map(move |line| line.strip_prefix(key));
        let version = values("rustc-env=AIENERGYSCORE_VERSION=").collect();
        let watched = values("rerun-if-changed=").skip(1);
        let watched = watched.map(|file| {
            let file = workspace.join("runner").join(file).canonicalize().unwrap();
            file.strip_prefix(self.folder.path().canonicalize().unwrap()).unwrap().to_owned()
        });
        (version, watched.collect())
    }

    fn run(&self, workspace: &Path) -> (String, Vec<PathBuf>) {
        self.run_with(workspace, &std::env::var("PATH").unwrap())
    }
}

fn git(folder: &Path, args: &str) -> String {
    git_on(FIRST, folder, args)
}

fn git_on(date: &str, folder: &Path, args: &str) -> String {
    let mut git = Command::new("git");
    git.current_dir(folder).args(args.split(' ')).env("GIT_CONFIG_GLOBAL", "/dev/null");
    for who in ["AUTHOR", "COMMITTER"] {
        git.env(format!("GIT_{who}_NAME"), "a").env(format!("GIT_{who}_EMAIL"), "a@b");
    }
    let output = git.env("GIT_COMMITTER_DATE", format!("{date}T12:00:00Z")).output().unwrap();
    assert!(output.status.success(), "git {args}: {output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn version(workspace: &Path, date: &str) -> String {
    format!("0.1.0 ({} {date})", git(workspace, "rev-parse --short=9 HEAD"))
}

fn paths(names: &[&str]) -> Vec<PathBuf> {
    names.iter().map(PathBuf::from).collect()
}

#[test]
fn program_prints_its_version_in_one_line() {
    let outcome = aienergyscore(&Sandbox::new(None), ["--version"]);
    let line = outcome.stdout.strip_suffix('\n').unwrap();
    let rest = line.strip_prefix(concat!("aienergyscore ", env!("CARGO_PKG_VERSION"))).unwrap();
    let commit = rest.strip_prefix(" (").and_then(|rest| rest.strip_suffix(')'));
    if workspace().join(".git").exists() && Command::new("git").arg("version").output().is_ok() {
        let (hash, date) = commit.unwrap().split_once(' ').unwrap();
        assert!(hash.len() >= 9 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()), "{line}");
        assert_eq!(date.split('-').map(str::len).collect::<Vec<_>>(), [4, 2, 2], "{line}");
    } else {
        assert_eq!(rest, "");
    }
}

#[test]
fn commit_is_that_of_the_checked_out_branch_commit_or_worktree() {
    let script = Script::compile();
    let main = script.repository("a");
    let watched = paths(&["a/.git/HEAD", "a/.git/refs/heads/main"]);
    assert_eq!(script.run(&main), (version(&main, SECOND), watched));

    git(&main, "worktree add -q -b other ../b HEAD~1");
    let worktree = script.workspace("b");
    let watched = paths(&["a/.git/worktrees/b/HEAD", "a/.git/refs/heads/other"]);
    assert_eq!(script.run(&worktree), (version(&worktree, FIRST), watched));

    git(&main, "pack-refs --all");
    let (packed, watched) = script.run(&main);
    assert_eq!(packed, version(&main, SECOND));
    assert_eq!(watched, paths(&["a/.git/HEAD", "a/.git/logs/HEAD", "a/.git/packed-refs"]));

    git(&main, "checkout -q --detach HEAD~1");
    assert_eq!(script.run(&main), (version(&main, FIRST), paths(&["a/.git/HEAD"])));
}

#[test]
fn version_stands_alone_without_git_a_commit_or_a_repository_of_this_workspace() {
    let script = Script::compile();
    let alone = "0.1.0".to_owned();
    let repository = script.repository("a");
    let watched = paths(&["a/.git/HEAD", "a/.git/refs/heads/main"]);
    assert_eq!(script.run_with(&repository, "/nowhere"), (alone.clone(), watched));

    let below = script.workspace("a/unpacked");
    assert_eq!(script.run(&below), (alone.clone(), vec![]));

    let new = script.workspace("new");
    git(&new, "init -q -b main .");
    assert_eq!(script.run(&new), (alone, paths(&["new/.git/HEAD"])));
}
