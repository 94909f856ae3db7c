//! Folders of a run on a fake engine: hostile names, symlinks, and a read-only cache.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    process::{Command, Stdio},
};

use rustix::process::geteuid;

use crate::{
    fake_runs::GOOD,
    harness::{FakeDocker, Sandbox, aienergyscore},
};

/// Answers the probe of `verify`, in the results folder alone.
const PROBED: &str = r#"
  for word in "$@"; do
    [ "$leave" = next ] && leave=$word
    [ "$word" = --leave ] && leave=next
  done
  if [ -n "$leave" ]; then
    touch "$RESULTS/$leave"
    echo '{"native":true,"uid":0,"gid":0,"home":{"path":"/home/user","writable":true},"mounts":[]}'
    exit 0
  fi
"#;

#[test]
fn a_cache_that_only_others_may_write_serves_run_and_verify_alike() {
    let docker = FakeDocker::with_run(&format!("{PROBED}\n{GOOD}"));
    let mut sandbox = Sandbox::new(Some(&docker));
    let shared = sandbox.folder("shared");
    fs::create_dir_all(shared.join("hub")).unwrap();
    for folder in [shared.join("hub"), shared.clone()] {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o555)).unwrap();
    }
    sandbox.set("HF_HOME", &shared);
    for command in ["run", "verify"] {
        let asked = sandbox.command([command, "--flavour", "smoke"]);
        let mut command = Command::new(asked.get_program());
        if geteuid().is_root() {
            // Without its capabilities, root is a user whom modes bind.
            command = Command::new("setpriv");
            command.arg("--bounding-set=-all").arg("--").arg(asked.get_program());
        }
        command.args(asked.get_args()).current_dir(sandbox.cwd()).env_clear();
        for (name, value) in asked.get_envs() {
            command.env(name, value.unwrap());
        }
        let output = command.stdin(Stdio::null()).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap()
            + std::str::from_utf8(&output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{said}");
        assert!(said.contains("nothing can be downloaded into it"), "{said}");
    }
}

#[test]
fn folders_with_every_kind_of_name_reach_the_engine() {
    for name in
        ["with space", "co:lon", "com,ma", "quo\"te", "new\nline", "\u{fc}ml\u{e4}ut", "dol$lar`x`"]
    {
        let docker = FakeDocker::with_run("exit 0");
        let mut sandbox = Sandbox::new(Some(&docker));
        sandbox.set("RESULTS_DIR", name);
        let outcome = aienergyscore(&sandbox, ["run", "--flavour", "smoke"]);
        assert_eq!(outcome.code, Some(1), "{name:?}: {}", outcome.stderr);
        let source = sandbox.cwd().join(name);
        assert!(source.is_dir(), "{name:?} was not made");
        let quoted = source.to_str().unwrap().replace('"', "\"\"");
        let mount = format!("type=bind,\"source={quoted}\",target=/results");
        assert!(docker.calls_of("run")[0].contains(&mount), "{name:?}");
    }
}

#[test]
fn a_path_through_a_link_is_the_folder_that_was_made() {
    let docker = FakeDocker::with_run(GOOD);
    let mut sandbox = Sandbox::new(Some(&docker));
    fs::create_dir_all(sandbox.folder("deep/er")).unwrap();
    std::os::unix::fs::symlink("../deep/er", sandbox.cwd().join("link")).unwrap();
    sandbox.set("RESULTS_DIR", "link/../results");
    let outcome = aienergyscore(&sandbox, ["run", "--flavour", "smoke"]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert!(sandbox.folder("deep/results/RUN_COMPLETE.json").exists());
}
