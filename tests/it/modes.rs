//! The guide's list of promises, on real engines in every mode.

use std::{
    fs,
    io::{Read as _, Write as _},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown},
    path::PathBuf,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use engine::{Engine, Groups};
use rustix::process::Signal;
use serde_json::Value;

use crate::{
    ada::Ada,
    harness::smoke,
    machine::On,
    under_way::{run, said, signal, started, until_removed},
    waiting::until,
};

/// A name that shells, engines and lists stumble over.
const HOSTILE: &str = "a b,c:d\"e'f\ng\u{fc}";

/// The same without a colon, which Docker's client cannot pass to Podman.
const HOSTILE_ENOUGH: &str = "a b,c;d\"e'f\ng\u{fc}";

/// A group without members.
const GROUP: u32 = 2500;

/// Whether a run has reached a stage.
type Stage = fn(&Ada) -> bool;

/// The root of the files that the container of a run sees, and its first process.
fn inside(ada: &Ada) -> (PathBuf, String) {
    let name = ada.containers().remove(0);
    let pid = ada.on.docker(&["inspect", "--format", "{{.State.Pid}}", &name]);
    let pid = pid.trim().to_owned();
    (PathBuf::from(format!("/proc/{pid}/root")), pid)
}

/// Results and cache: read and written as the user, whatever the folders are called, and nothing
/// changes its owner.
fn files_stay_the_users(on: On) {
    let mut ada = Ada::on(on, &[smoke::GGUF]);
    let hostile = if on == On::PodmanBehindDocker { HOSTILE_ENOUGH } else { HOSTILE };
    let cache = ada.home().join(format!("hf {hostile}"));
    fs::rename(ada.home().join("hf"), &cache).unwrap();
    ada.set("HF_HOME", cache.to_str().unwrap());
    ada.set("RESULTS_DIR", hostile);
    let owners = || {
        let entries = walkdir::WalkDir::new(&cache).into_iter().map(Result::unwrap);
        let owner = |entry: walkdir::DirEntry| {
            let data = entry.metadata().unwrap();
            (entry.into_path(), data.uid(), data.gid(), data.mode(), data.mtime_nsec())
        };
        entries.map(owner).collect::<Vec<_>>()
    };
    let before = owners();
    let output = run(&ada, &["-n", "1"]);
    assert!(output.status.success(), "{on:?}: {}", said(&output));
    assert!(said(&output).contains("weights reused: 0 B downloaded"), "{}", said(&output));
    assert_eq!(owners(), before, "{on:?}");
    for entry in walkdir::WalkDir::new(ada.home().join(hostile)) {
        let entry = entry.unwrap();
        let data = entry.metadata().unwrap();
        assert_eq!((data.uid(), data.gid()), (ada.uid, ada.uid), "{on:?}: {:?}", entry.path());
        assert!(data.mode() & 0o400 != 0, "{on:?}: {:?}", entry.path());
    }
    assert_eq!(ada.containers(), [""; 0], "{on:?}");

    let args = ["verify", "--engine", on.choice(), "--flavour", "smoke", "--json"];
    let output = ada.command(&args).output().unwrap();
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let findings = found["findings"].as_array().unwrap();
    let probe = findings.iter().find(|finding| finding["check"] == "probe").unwrap();
    assert_eq!(probe["severity"], "ok", "{on:?}: {probe}");
}

/// The token is in one file inside, and nowhere else; other tokens are covered. Without a network
/// there is none.
fn secrets_and_network_are_closed(on: On) {
    let mut ada = Ada::on(on, &[smoke::GGUF]);
    let token = "hf_0123456789abcdefghij";
    // The Hub cache is the HuggingFace home: two mounts show the tokens.
    let home = ada.home().join("hf");
    fs::rename(home.join("hub").join(smoke::GGUF), home.join(smoke::GGUF)).unwrap();
    ada.set("HF_HUB_CACHE", home.to_str().unwrap());
    for name in ["token", "stored_tokens"] {
        let file = home.join(name);
        fs::write(&file, format!("hf_other_{name}")).unwrap();
        chown(&file, Some(ada.uid), Some(ada.uid)).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    }
    ada.set("HF_TOKEN", token);
    let engine = on.choice();
    let args =
        ["run", "--engine", engine, "--flavour", "smoke", "--offline", smoke::MODEL, "-n", "1000"];
    let mut command = ada.command(&args);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let log = ada.results().join("benchmark.log");
    until("the first prompt", || {
        fs::read_to_string(&log).is_ok_and(|log| log.contains("tokens/s"))
    });
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let words = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        assert!(!String::from_utf8_lossy(&words).contains(token), "{on:?}: {:?}", entry.path());
    }
    let name = ada.containers().remove(0);
    let seen = on.docker(&["inspect", &name]);
    assert!(seen.contains("/run/secrets/hf_token") && !seen.contains(token), "{on:?}");
    let (root, pid) = inside(&ada);
    let read = |path: &str| fs::read_to_string(root.join(path)).unwrap();
    assert_eq!(read("run/secrets/hf_token"), token, "{on:?}");
    for name in ["token", "stored_tokens"] {
        for folder in ["home/user/.cache/huggingface", "hub_cache"] {
            let covered = root.join(folder).join(name);
            assert_eq!(fs::read_to_string(covered).unwrap(), "", "{on:?}: {folder}/{name}");
        }
    }
    for home in ["home/user", "home/user/.cache"] {
        let mode = root.join(home).metadata().unwrap().mode() & 0o7777;
        assert_eq!(mode, 0o1777, "{on:?}: {home}");
    }
    let mounts = fs::read_to_string(format!("/proc/{pid}/mountinfo")).unwrap();
    let of_root = mounts.lines().find(|line| line.split(' ').nth(4) == Some("/")).unwrap();
    assert!(of_root.split(' ').nth(5).unwrap().starts_with("ro,"), "{on:?}: {of_root}");
    let network = fs::read_to_string(format!("/proc/{pid}/net/dev")).unwrap();
    let devices: Vec<_> =
        network.lines().skip(2).filter_map(|line| line.split(':').next()).collect();
    assert!(
        devices.iter().all(|device| ["lo", "tunl0", "sit0"].contains(&device.trim())),
        "{on:?}: {network}"
    );
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = |name: &str| status.lines().find(|line| line.starts_with(name)).unwrap();
    assert!(line("CapEff:").ends_with("0000000000000000"), "{on:?}: {status}");
    assert!(line("NoNewPrivs:").ends_with('1'), "{on:?}: {status}");
    signal(child.id(), Signal::TERM);
    assert_eq!(child.wait().unwrap().code(), Some(143), "{on:?}");
    for entry in walkdir::WalkDir::new(ada.results()) {
        let entry = entry.unwrap();
        let bytes = fs::read(entry.path()).unwrap_or_default();
        assert!(!String::from_utf8_lossy(&bytes).contains(token), "{on:?}: {:?}", entry.path());
    }
    // The files are what they were.
    let stored = fs::read_to_string(ada.home().join("hf/stored_tokens")).unwrap();
    assert_eq!(stored, "hf_other_stored_tokens");
}

/// A signal ends the container, and what it wrote is kept.
fn signals_stop_it(on: On) {
    for (asked, code) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)] {
        let ada = Ada::on(on, &[smoke::GGUF]);
        let mut child = started(&ada);
        let began = Instant::now();
        signal(child.id(), asked);
        assert_eq!(child.wait().unwrap().code(), Some(code), "{on:?}");
        assert!(began.elapsed() < Duration::from_secs(30), "{on:?}: {:?}", began.elapsed());
        assert_eq!(ada.containers(), [""; 0], "{on:?}");
        assert!(ada.results().join("benchmark.log").exists(), "{on:?}");
        assert!(!ada.results().join("GPU_ENERGY_SUMMARY.json").exists(), "{on:?}");
    }
    // While the engine still starts.
    let engine = on.choice();
    let args = ["run", "--engine", engine, "--flavour", "smoke", smoke::MODEL, "-n", "1000"];
    let client: Stage = |ada| ada.client().is_some();
    let container: Stage = |ada| !ada.containers().is_empty();
    for (what, has_begun) in [("the client", client), ("the container", container)] {
        let ada = Ada::on(on, &[smoke::GGUF]);
        let mut child =
            ada.command(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        until(what, || has_begun(&ada));
        signal(child.id(), Signal::TERM);
        assert_eq!(child.wait().unwrap().code(), Some(143), "{on:?} with {what}");
        assert_eq!(ada.containers(), [""; 0], "{on:?} with {what}");
    }
}

/// No container is left when the runner or the engine's client is killed.
fn death_leaves_nothing(on: On) {
    let ada = Ada::on(on, &[smoke::GGUF]);
    let mut child = started(&ada);
    assert_eq!(ada.containers().len(), 1, "{on:?}");
    signal(child.id(), Signal::KILL);
    child.wait().unwrap();
    until_removed(&ada);
    drop(ada);

    let ada = Ada::on(on, &[smoke::GGUF]);
    let mut child = started(&ada);
    let client = ada.client().expect("the client runs");
    signal(client.try_into().unwrap(), Signal::KILL);
    let code = child.wait().unwrap().code();
    assert!([Some(1), Some(137), Some(143)].contains(&code), "{on:?}: {code:?}");
    until_removed(&ada);
}

/// The code is the benchmark's own, never a false 0.
fn failures_are_failures(on: On) {
    let ada = Ada::on(on, &[]);
    // Of a version that the runner does not know: what it knows to be broken is not started.
    fs::write(ada.home().join("broken.gguf"), b"GGUF\x09\0\0\0").unwrap();
    let engine = on.choice();
    let args = ["run", "--engine", engine, "--flavour", "smoke", "backend.model=./broken.gguf"];
    let output = ada.command(&args).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{on:?}: {}", said(&output));
    assert!(!ada.results().join("GPU_ENERGY_SUMMARY.json").exists(), "{on:?}");
    assert_eq!(ada.containers(), [""; 0], "{on:?}");
}

/// A cache that only a group of the user's may use is used, or it is said that it cannot be.
fn groups_come_along_or_are_missed(on: On) {
    let mut ada = Ada::on(on, &[smoke::GGUF]);
    ada.join(GROUP);
    let cache = ada.home().join("hf");
    for entry in walkdir::WalkDir::new(&cache) {
        let path = entry.unwrap().into_path();
        std::os::unix::fs::lchown(&path, Some(0), Some(GROUP)).unwrap();
        if path.is_dir() {
            fs::set_permissions(&path, fs::Permissions::from_mode(0o2770)).unwrap();
        }
    }
    let output = run(&ada, &["-n", "1"]);
    // These engines have `runc`; with `crun` rootless Podman passes groups on.
    let engine = Engine { runtime: "runc".into(), ..on.engine() };
    let is_lost = matches!(engine.groups(), Groups::Never(_));
    let missed = "what only your group 2500 may use in the mounted folders is closed";
    assert_eq!(said(&output).contains(missed), is_lost, "{on:?}: {}", said(&output));
    assert_eq!(output.status.success(), !is_lost, "{on:?}: {}", said(&output));
}

/// `host.docker.internal` is this machine.
fn a_server_on_the_host_is_reached(on: On) {
    let mut ada = Ada::on(on, &[]);
    let server = thread::spawn(move || on.listen()).join().unwrap();
    let port = server.local_addr().unwrap().port();
    ada.set("VLLM_ENDPOINT", format!("http://host.docker.internal:{port}/v1"));
    let engine = on.choice();
    let args = ["run", "--engine", engine, "--flavour", "smoke", "--backend", "vllm", "--dry-run"];
    let shown = ada.command(&[&args[..], &["--json"]].concat()).output().unwrap();
    let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!(shown["mode"], on.mode());
    // The client of the server is in another image; here the same container only waits.
    let words: Vec<_> =
        shown["argv"].as_array().unwrap().iter().map(|w| w.as_str().unwrap()).collect();
    let image = words.iter().position(|word| *word == "ai_energy_score:smoke").unwrap();
    fs::create_dir(ada.results()).unwrap();
    ada.own(&ada.results());
    let wait = r#"{"folder":"/tmp","inode":0,"uid":0,"gid":0,"owners":[],"listed":true}"#;
    let words = [&words[..=image], &["reclaim", wait]].concat();
    let mut waiting = ada.other(words[0], &words[1..]).stdin(Stdio::piped()).spawn().unwrap();
    until("the container", || {
        ada.containers().first().is_some_and(|name| {
            on.docker(&["inspect", "--format", "{{.State.Running}}", name]).trim() == "true"
        })
    });
    let (root, pid) = inside(&ada);
    let hosts = fs::read_to_string(root.join("etc/hosts")).unwrap();
    let named =
        |line: &&str| line.split_whitespace().skip(1).any(|name| name == "host.docker.internal");
    let address = hosts.lines().find(named).unwrap().split_whitespace().next().unwrap();
    let answer = thread::spawn(move || {
        let (mut stream, _) = server.accept().unwrap();
        stream.write_all(b"here").unwrap();
    });
    let script = format!("exec 3<>/dev/tcp/{address}/{port}; head -c 4 <&3");
    let mut asked = Command::new("timeout")
        .args(["20", "nsenter", "--target", &pid, "--net", "bash", "-c", &script])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut heard = String::new();
    asked.stdout.take().unwrap().read_to_string(&mut heard).unwrap();
    asked.wait().unwrap();
    drop(waiting.stdin.take());
    waiting.wait().unwrap();
    assert_eq!(heard, "here", "{on:?}: {hosts}");
    answer.join().unwrap();
}

/// The promises, in the order of the guide's list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Promise {
    Results,
    Cache,
    Home,
    Secrets,
    Network,
    Groups,
    Signals,
    Death,
    Missing,
    Paths,
    ExitCodes,
    Confinement,
}

impl Promise {
    const ALL: [Self; 12] = [
        Self::Results,
        Self::Cache,
        Self::Home,
        Self::Secrets,
        Self::Network,
        Self::Groups,
        Self::Signals,
        Self::Death,
        Self::Missing,
        Self::Paths,
        Self::ExitCodes,
        Self::Confinement,
    ];
}

/// The promises, each as a test of one mode: by a real engine, or before one is needed.
macro_rules! promises {
    (
        $mode:ident, $on:expr;
        $($test:ident: [$($promise:ident),*]),*;
        $($fake:ident: [$($before:ident),*]),*
    ) => {
        mod $mode {
            use crate::machine::On;

            $(#[test]
            #[ignore = "needs root, to bring the engine up, and `cargo xtask smoke` once before"]
            fn $test() {
                super::$test($on);
            })*

            $(#[test]
            fn $fake() {
                crate::fake_modes::$fake($on);
            })*

            /// Every promise has a test in this mode.
            #[test]
            fn no_promise_is_left_out() {
                use super::Promise;

                let mut held = vec![$($(Promise::$promise),*),*, $($(Promise::$before),*),*];
                held.sort();
                held.dedup();
                assert_eq!(held, Promise::ALL);
            }
        }
    };
    ($($mode:ident: $on:expr),*) => {
        $(promises!(
            $mode, $on;
            files_stay_the_users: [Results, Cache, Home, Paths],
            secrets_and_network_are_closed: [Secrets, Network, Confinement, Home],
            a_server_on_the_host_is_reached: [Network],
            signals_stop_it: [Signals],
            death_leaves_nothing: [Death],
            failures_are_failures: [ExitCodes],
            groups_come_along_or_are_missed: [Groups];
            missing_folders_are_made_by_the_user: [Missing]
        );)*
    };
}

promises!(
    docker_rootful: On::DockerRootful,
    docker_userns_remap: On::DockerUsernsRemap,
    docker_rootless: On::DockerRootless,
    podman_rootless: On::PodmanRootless,
    podman_rootful: On::PodmanRootful,
    podman_behind_docker: On::PodmanBehindDocker
);
