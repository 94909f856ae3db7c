//! The images with Python, as real Docker builds and runs them.

mod long;

use std::{
    fs,
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    process::{Command, Output, Stdio},
    sync::{LazyLock, Mutex, MutexGuard, PoisonError},
};

use contract::{Flavour, label};
use serde_json::Value;

use crate::machine::On;

/// The program under test.
const XTASK: &str = env!("CARGO_BIN_EXE_xtask");

/// The size limit of the `cpu` image.
const CPU_BYTES: u64 = 1_600_000_000;

/// One test after the other: they share tags and the builder's cache.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The image of the flavour `cpu`, made from this tree on a base that needs no registry.
static CPU: LazyLock<Value> =
    LazyLock::new(|| build(&["--flavour", "cpu", "--bootstrap-base", "--json"]));

fn build_image(args: &[&str]) -> Output {
    Command::new(XTASK).arg("build-image").args(args).output().unwrap()
}

fn build(args: &[&str]) -> Value {
    let output = build_image(args);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "build-image {args:?}: {said}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn docker(args: &[&str]) -> String {
    let output = Command::new("docker").args(args).output().unwrap();
    assert!(output.status.success(), "docker {args:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The output of a Python program in a new container, as uid 4242. A warning fails the test.
fn python(image: &str, options: &[&str], script: &str) -> String {
    let mut child = Command::new("docker")
        .args(["run", "--rm", "--interactive", "--network", "none", "--user", "4242:4242"])
        .args(options)
        .args(["--entrypoint", "python3", image, "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{options:?}: {said}");
    assert_eq!(said, "", "{options:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Options for a read-only root, with what must be writable in memory.
const READ_ONLY: [&str; 7] = [
    "--read-only",
    "--tmpfs",
    "/tmp:exec,mode=1777",
    "--tmpfs",
    "/home/user:mode=1777",
    "--tmpfs",
    "/home/user/.cache:mode=1777",
];

/// Prints what a uid without an account has, a line each.
const AT_HOME: &str = r"
import getpass, os, pwd, subprocess, sys, tempfile
print(getpass.getuser(), pwd.getpwuid(os.getuid()).pw_uid, os.path.expanduser('~'))
print(subprocess.run(['/usr/bin/python3', '-c', 'import pwd; print(pwd.getpwuid(4242).pw_uid)'],
    check=True, capture_output=True, text=True).stdout.strip())
for folder in sys.argv[1:] or ['/home/user', '/home/user/.cache', '/tmp']:
    tempfile.TemporaryFile(dir=folder).close()
from torch._inductor.runtime.cache_dir_utils import cache_dir
print(cache_dir())
";

#[test]
#[ignore = "needs Docker, mmdebstrap and a network, and builds for minutes"]
fn any_uid_is_at_home() {
    let _alone = alone();
    let image = CPU["image"].as_str().unwrap();
    let cache = tempfile::tempdir().unwrap();
    let path = cache.path().to_str().unwrap();
    // The container's user may read the cache, not write it.
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    let mount = format!("type=bind,source={path},target={}", contract::path::HF_HOME);
    let read_only_mount = format!("{mount},readonly");
    let mut locked = READ_ONLY.to_vec();
    locked.extend(["--mount", &read_only_mount]);
    for options in [&[][..], &READ_ONLY, &["--mount", &mount], &locked] {
        let said = python(image, options, AT_HOME);
        assert_eq!(said, "user 4242 /home/user\n4242\n/tmp/cache/inductor\n", "{options:?}");
    }
}

#[test]
#[ignore = "needs Docker, mmdebstrap and a network, and builds for minutes"]
fn both_stacks_load_without_a_word() {
    let _alone = alone();
    let image = CPU["image"].as_str().unwrap();
    let script = "import accelerate, ai_energy_benchmarks, codecarbon, datasets, gguf, hf_xet\n\
                  import numpy, optimum_benchmark, pandas, PIL, torch, transformers\n\
                  import optimum_benchmark.backends.pytorch.backend\n\
                  import optimum_benchmark.scenarios.energy_star.scenario\n\
                  import ai_energy_benchmarks.runner\n\
                  print(torch.ones(2).sum().item(), datasets.config.HF_DATASETS_CACHE)";
    for options in [&[][..], &READ_ONLY] {
        assert_eq!(python(image, options, script), "2.0 /tmp/cache/datasets\n");
    }
}

#[test]
#[ignore = "needs Docker, mmdebstrap and a network, and builds for minutes"]
fn an_image_is_small_and_says_what_it_is() {
    let _alone = alone();
    let bytes = CPU["bytes"].as_u64().unwrap();
    assert!(bytes < CPU_BYTES, "{bytes}");
    let version = env!("CARGO_PKG_VERSION");
    let tags = ["ai_energy_score:cpu".to_owned(), format!("ai_energy_score:{version}-cpu")];
    assert_eq!(CPU["tags"], Value::from(tags.to_vec()));
    for tag in tags {
        let labels = docker(&["image", "inspect", "--format", "{{json .Config.Labels}}", &tag]);
        let labels: Value = serde_json::from_str(&labels).unwrap();
        assert_eq!(labels[label::INPUTS], CPU["digest"]);
        assert_eq!(labels[label::FLAVOUR], "cpu");
        for name in ["title", "description", "version", "source", "licenses", "base.name"] {
            let name = format!("org.opencontainers.image.{name}");
            assert!(labels[&name].as_str().is_some_and(|value| !value.is_empty()), "{name}");
        }
    }
    let again = build(&["--flavour", "cpu", "--bootstrap-base", "--json"]);
    assert_eq!((&again["built"], &again["digest"]), (&Value::from(false), &CPU["digest"]));
}

#[test]
#[ignore = "needs Docker and `cargo xtask smoke` once before, and builds for minutes"]
fn no_file_of_an_image_has_a_set_uid_or_set_gid_bit() {
    let _alone = alone();
    for image in [CPU["image"].as_str().unwrap(), &Flavour::Smoke.image()] {
        let container = docker(&["create", image]);
        let container = container.trim();
        let mut export = Command::new("docker")
            .args(["export", container])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut archive = tar::Archive::new(export.stdout.take().unwrap());
        let mut files = 0;
        for entry in archive.entries().unwrap() {
            let entry = entry.unwrap();
            let header = entry.header();
            if header.entry_type().is_file() {
                files += 1;
                let mode = header.mode().unwrap();
                assert_eq!(mode & 0o6000, 0, "{image}: {:?} has {mode:o}", entry.path().unwrap());
            }
        }
        assert!(files > 0 && export.wait().unwrap().success(), "{image}");
        docker(&["rm", container]);
    }
}

#[test]
#[ignore = "needs root, Podman and `cargo xtask smoke` once before"]
fn podman_builds_what_it_runs() {
    // The test's own images, with what Podman is told on a machine such as this.
    On::PodmanRootless.bring_up();
    let folder = tempfile::tempdir().unwrap();
    let (storage, here) = (folder.path().join("storage.conf"), folder.path().display());
    let text = format!(
        "[storage]\ndriver=\"overlay\"\ngraphroot=\"{here}/root\"\nrunroot=\"{here}/run\"\n"
    );
    fs::write(&storage, text).unwrap();
    let told = |(name, _): &(&str, String)| *name == "CONTAINERS_CONF";
    let podman = |program: &str, args: &[&str]| {
        let mut command = Command::new(program);
        command.args(args).envs(On::PodmanRootless.env().into_iter().filter(told));
        let output = command.env("CONTAINERS_STORAGE_CONF", &storage).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{said}");
        String::from_utf8(output.stdout).unwrap()
    };
    let build = || {
        let args = ["build-image", "--engine", "podman", "--json"];
        serde_json::from_str::<Value>(&podman(XTASK, &args)).unwrap()
    };
    let (first, again) = (build(), build());
    assert_eq!((&first["built"], &again["built"]), (&Value::from(true), &Value::from(false)));
    let image = first["image"].as_str().unwrap();
    let said = podman("podman", &["run", "--rm", "--network", "none", image, "--version"]);
    assert!(said.starts_with(contract::ENTRYPOINT), "{said}");
    let args = ["verify", "--engine", "podman", "--results", folder.path().to_str().unwrap()];
    let said = podman(XTASK, &args);
    assert!(said.contains("built from this tree"), "{said}");
}

#[test]
#[ignore = "needs Docker"]
fn a_base_that_cannot_be_pulled_is_no_dead_end() {
    let _alone = alone();
    let output = build_image(&["--flavour", "cuda", "--base", "localhost:1/none:1"]);
    let said = String::from_utf8(output.stderr).unwrap();
    let last = said.lines().last().unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    for part in ["error: ", "`localhost:1/none:1`", "--flavour cuda --bootstrap-base", "image ls"] {
        assert!(last.contains(part), "{last}");
    }
}
