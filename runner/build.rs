//! Adds the commit to the version when this workspace is a git checkout.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let mut version = env::var("CARGO_PKG_VERSION").expect("Cargo sets the version");
    // Not a repository farther up, which only surrounds an unpacked archive.
    let checkout = Checkout::find(Path::new("../.git"));
    if let Some(commit) = checkout.as_ref().and_then(Checkout::commit) {
        version += &format!(" ({commit})");
    }
    println!("cargo::rustc-env=AIENERGYSCORE_VERSION={version}");
    for file in checkout.iter().flat_map(Checkout::files_of_head) {
        println!("cargo::rerun-if-changed={}", file.display());
    }
}

/// The folders of a checkout in git's format. They differ in a worktree.
struct Checkout {
    /// Contains `HEAD`.
    own: PathBuf,
    /// Contains the branches, for all worktrees.
    common: PathBuf,
}

impl Checkout {
    fn find(dot_git: &Path) -> Option<Self> {
        let own = match fs::read_to_string(dot_git) {
            Ok(text) => dot_git.parent()?.join(text.strip_prefix("gitdir:")?.trim()),
            Err(_) if dot_git.is_dir() => dot_git.to_owned(),
            Err(_) => return None,
        };
        let common = match fs::read_to_string(own.join("commondir")) {
            Ok(text) => own.join(text.trim()),
            Err(_) => own.clone(),
        };
        Some(Self { own, common })
    }

    /// Abbreviated hash and date of the commit, unless git is missing or there is no commit.
    fn commit(&self) -> Option<String> {
        // With the folder given, git works in another user's checkout, too.
        let output = Command::new("git")
            .arg("--git-dir")
            .arg(&self.own)
            .args(["log", "-1", "--no-show-signature", "--abbrev=9"])
            .args(["--date=short", "--format=%h %cd"])
            .output()
            .ok()
            .filter(|output| output.status.success())?;
        Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
    }

    /// Files that change with the commit. Cargo rebuilds always when one of them is missing, so only
    /// existing files are returned.
    fn files_of_head(&self) -> Vec<PathBuf> {
        let head = self.own.join("HEAD");
        let text = fs::read_to_string(&head).unwrap_or_default();
        let branch = text.strip_prefix("ref: ").map(|name| self.common.join(name.trim()));
        let mut files = vec![head];
        match branch {
            Some(branch) if branch.is_file() => files.push(branch),
            // A packed branch gets its own file with the next commit, which also changes this log.
            Some(_) => files.extend([
                self.own.join("logs/HEAD"),
                self.common.join("packed-refs"),
                self.common.join("reftable/tables.list"),
            ]),
            None => {}
        }
        files.retain(|file| file.is_file());
        files
    }
}
