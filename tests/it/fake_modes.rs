//! Promises that are kept before a container is started, on a fake engine in each mode.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
};

use rustix::process::geteuid;
use serde_json::Value;

use crate::{
    fake_runs::GOOD,
    harness::{FakeDocker, Sandbox, aienergyscore},
    machine::On,
};

/// A fake engine that answers like `on` and runs this shell text, and a sandbox that finds it.
fn machine(on: On, run: &str) -> (FakeDocker, Sandbox) {
    let engine = FakeDocker::with_run(run);
    let sandbox = Sandbox::new(Some(&engine));
    let security = match on {
        On::DockerUsernsRemap => r#","name=userns""#,
        On::DockerRootless | On::PodmanBehindDocker => r#","name=rootless""#,
        _ => "",
    };
    let info = format!(
        r#"{{"ServerVersion":"20.10.24","SecurityOptions":["name=seccomp,profile=default"{security}]}}"#
    );
    engine.answer("info", &info);
    match on {
        On::PodmanBehindDocker => {
            let server = r#"{"Components":[{"Name":"Podman Engine","Version":"5.4.2"}]}"#;
            engine.answer("version", server);
        }
        On::PodmanRootless | On::PodmanRootful => {
            let info = format!(
                r#"{{"host": {{"arch": "amd64", "cgroupVersion": "v2", "ociRuntime": {{"name": "crun"}},
                "security": {{"rootless": {}}}}}, "version": {{"Version": "5.4.2"}}}}"#,
                on == On::PodmanRootless
            );
            engine.answer("info", &info);
            let docker = engine.path().split(':').next().unwrap().to_owned() + "/docker";
            let podman = sandbox.folder("bin/podman");
            fs::copy(docker, &podman).unwrap();
            fs::set_permissions(podman, fs::Permissions::from_mode(0o755)).unwrap();
        }
        _ => {}
    }
    (engine, sandbox)
}

/// Missing folders are created by the user before the engine sees them; missing inputs are refused.
pub(crate) fn missing_folders_are_made_by_the_user(on: On) {
    let (engine, mut sandbox) = machine(on, &format!("[ -d \"$RESULTS\" ] || exit 1\n{GOOD}"));
    let cache = sandbox.home().join("new/cache");
    sandbox.set("HF_HOME", &cache).set("RESULTS_DIR", "new/results");
    let fixed = ["run", "--engine", on.choice(), "--flavour", "smoke"];
    let run = |args: &[&str]| aienergyscore(&sandbox, fixed.iter().chain(args));
    let shown = run(&["--dry-run", "--json", "backend.model=m"]);
    let shown: Value = serde_json::from_str(&shown.stdout).expect(&shown.stderr);
    assert_eq!(shown["mode"], on.mode());
    assert!(!cache.exists() && !sandbox.cwd().join("new").exists(), "a dry run makes nothing");

    for refused in [&["backend.model=./none"][..], &["--offline", "backend.model=org/none"]] {
        assert_ne!(run(refused).code, Some(0), "{on:?} {refused:?}");
    }
    assert!(engine.calls_of("run").is_empty(), "{on:?}");
    assert!(!sandbox.cwd().join("none").exists(), "{on:?}");
    let outcome = run(&["backend.model=m"]);
    assert_eq!(outcome.code, Some(0), "{on:?}: {}", outcome.stderr);
    let mounted = format!("source={}", cache.display());
    let asked = engine.calls_of("run").concat();
    assert!(
        cache.is_dir() && asked.iter().any(|word| word.contains(&mounted)),
        "{on:?}: {asked:?}"
    );
    for folder in [sandbox.home(), sandbox.cwd()] {
        for entry in walkdir::WalkDir::new(folder) {
            let entry = entry.unwrap();
            let uid = entry.metadata().unwrap().uid();
            assert_eq!(uid, geteuid().as_raw(), "{on:?}: {:?}", entry.path());
        }
    }
}
