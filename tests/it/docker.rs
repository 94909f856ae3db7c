//! What real Docker really does, with a real model, started by an unprivileged user.

use std::{
    fs,
    os::unix::{
        fs::{MetadataExt as _, chown},
        process::ExitStatusExt as _,
    },
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, getuid, kill_process};

use crate::{
    ada::{Ada, docker},
    harness::smoke,
};

/// Ada with the smoke test's model.
fn ada() -> Ada {
    Ada::with(&[smoke::GGUF])
}

/// A run of hers with that model in the smoke image.
fn run(ada: &Ada, args: &[&str]) -> Output {
    let fixed = ["run", "--engine", "docker", "--flavour", "smoke", smoke::MODEL];
    ada.command(&[&fixed, args].concat()).output().unwrap()
}

/// A run that is under way, and would last for minutes.
fn started(ada: &Ada) -> Child {
    let args = ["run", "--engine", "docker", "--flavour", "smoke", smoke::MODEL, "-n", "1000"];
    let mut command = ada.command(&args);
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let log = ada.results().join("benchmark.log");
    until("the first prompt", || {
        fs::read_to_string(&log).is_ok_and(|log| log.contains("tokens/s"))
    });
    child
}

/// Waits for what must come, and fails after a minute.
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < end, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_raw(child.id().try_into().unwrap()).unwrap(), signal).unwrap();
}

#[test]
#[ignore = "needs Docker and `cargo xtask smoke` once before"]
fn results_are_the_users_and_weights_are_reused() {
    let mut ada = ada();
    for name in ["results", "a b,c:d\"e'f\ng\u{fc}"] {
        ada.set("RESULTS_DIR", name);
        let output = run(&ada, &["-n", "2"]);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{stderr}");
        let results = ada.home().join(name);
        for entry in walkdir::WalkDir::new(&results) {
            let entry = entry.unwrap();
            assert_eq!(entry.metadata().unwrap().uid(), ada.uid, "{}", entry.path().display());
        }
        let summary = fs::read(results.join("GPU_ENERGY_SUMMARY.json")).unwrap();
        let summary: contract::summary::Summary = serde_json::from_slice(&summary).unwrap();
        assert_eq!((summary.run.prompts, summary.cache.unwrap().blobs_added), (2, 0));
        assert!(summary.run.completion_tokens.unwrap() >= 2);
    }
    assert_eq!(ada.containers(), [""; 0]);
}

#[test]
#[ignore = "needs Docker and `cargo xtask smoke` once before"]
fn offline_works_from_a_read_only_cache() {
    let ada = ada();
    let output = run(&ada, &["-n", "1", "--offline"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
#[ignore = "needs Docker and `cargo xtask smoke` once before"]
fn a_failing_benchmark_is_a_failing_run() {
    let ada = ada();
    let args = ["run", "--engine", "docker", "--flavour", "smoke", "backend.model=no/such"];
    let output = ada.command(&args).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("no/such"), "{stderr}");
    assert!(!ada.results().join("GPU_ENERGY_SUMMARY.json").exists());
    assert_eq!(ada.containers(), [""; 0]);
}

#[test]
#[ignore = "needs Docker and `cargo xtask smoke` once before"]
fn a_signal_stops_the_container_and_keeps_what_it_wrote() {
    for (asked, code) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)] {
        let ada = ada();
        let mut child = started(&ada);
        signal(&child, asked);
        assert_eq!(child.wait().unwrap().code(), Some(code));
        assert_eq!(ada.containers(), [""; 0]);
        assert!(ada.results().join("benchmark.log").exists());
        assert!(!ada.results().join("GPU_ENERGY_SUMMARY.json").exists());
    }
}

#[test]
#[ignore = "needs Docker and `cargo xtask smoke` once before"]
fn a_killed_runner_leaves_no_container() {
    let ada = ada();
    let mut child = started(&ada);
    assert_eq!(ada.containers().len(), 1);
    signal(&child, Signal::KILL);
    assert_eq!(child.wait().unwrap().signal(), Some(9));
    until("the container's end", || ada.containers().is_empty());
}

#[test]
#[ignore = "needs Docker and `cargo xtask smoke` once before"]
fn a_runner_killed_while_the_engine_starts_leaves_no_container() {
    let ada = ada();
    let args = ["run", "--engine", "docker", "--flavour", "smoke", smoke::MODEL, "-n", "1000"];
    for pause in [0, 5, 10, 20, 40] {
        let mut child =
            ada.command(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        until("the client", || ada.client().is_some());
        std::thread::sleep(Duration::from_millis(pause));
        signal(&child, Signal::KILL);
        child.wait().unwrap();
        // The reaper holds the folder's lock until it has done its work.
        until("the reaper's end", || {
            let lock = fs::File::open(ada.results().join(".aienergyscore.lock")).unwrap();
            lock.try_lock().is_ok()
        });
        assert_eq!(ada.containers(), [""; 0], "killed after {pause} ms");
    }
}

#[test]
#[ignore = "needs Docker and `cargo xtask smoke` once before"]
fn a_killed_client_leaves_no_container() {
    let ada = ada();
    let mut child = started(&ada);
    let client = ada.client().expect("the client runs");
    kill_process(Pid::from_raw(client).unwrap(), Signal::KILL).unwrap();
    // The container may have ended by itself before the runner asks for its state: by then its
    // entrypoint has seen that nobody is there any more.
    let code = child.wait().unwrap().code();
    assert!([Some(1), Some(143)].contains(&code), "{code:?}");
    assert_eq!(ada.containers(), [""; 0]);
}

#[test]
#[ignore = "needs Docker and `cargo xtask smoke` once before"]
fn a_token_shows_neither_in_ps_nor_in_inspect() {
    let mut ada = ada();
    let token = "hf_0123456789abcdefghij";
    ada.set("HF_TOKEN", token);
    let mut child = started(&ada);
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let words = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        assert!(!String::from_utf8_lossy(&words).contains(token), "{:?}", entry.path());
    }
    let name = ada.containers().remove(0);
    let seen = docker(&["inspect", &name]);
    assert!(seen.contains("/run/secrets/hf_token") && !seen.contains(token));
    signal(&child, Signal::TERM);
    child.wait().unwrap();
}

#[test]
#[ignore = "needs Docker and `cargo xtask smoke` once before"]
fn verify_proves_the_mounts_with_a_container() {
    let ada = ada();
    let args = ["verify", "--engine", "docker", "--flavour", "smoke", "--json"];
    let finding = |check: &str| {
        let output = ada.command(&args).output().unwrap();
        let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let findings = answer["findings"].as_array().unwrap();
        let found = findings.iter().find(|finding| finding["check"] == check).unwrap();
        (output.status.code(), found["severity"].as_str().unwrap().to_owned(), found.clone())
    };
    let (code, severity, probe) = finding("probe");
    assert_eq!((code, severity.as_str()), (Some(0), "ok"), "{probe}");
    if getuid().is_root() {
        chown(ada.results(), Some(0), Some(0)).unwrap();
        let (code, severity, results) = finding("results");
        assert_eq!((code, severity.as_str()), (Some(1), "error"), "{results}");
        assert!(results["text"].as_str().unwrap().contains("sudo chown"), "{results}");
    }
}

#[test]
#[ignore = "needs Docker and `cargo xtask smoke` once before"]
fn verify_names_a_container_whose_runner_is_gone() {
    let ada = ada();
    let name = format!("aienergyscore-left-{}", std::process::id());
    // No process has a number that high.
    let label = format!("{}=20260101T000000Z-4194305", contract::label::RUN);
    let user = format!("{}={}", contract::label::USER, ada.uid);
    let labels = ["--label", &label, "--label", &user];
    docker(&[&["create", "--name", &name], &labels[..], &["ai_energy_score:smoke"]].concat());
    let output =
        ada.command(&["verify", "--engine", "docker", "--flavour", "smoke"]).output().unwrap();
    docker(&["rm", "--force", &name]);
    let said = String::from_utf8(output.stdout).unwrap();
    let line = said.lines().find(|line| line.contains(&name)).expect(&said);
    assert!(line.starts_with("warning engine ") && line.contains("docker rm --force"), "{line}");
}

#[test]
#[ignore = "needs root, to make a full disk, Docker, and `cargo xtask smoke` once before"]
fn a_full_disk_fails_with_its_reason() {
    assert!(getuid().is_root(), "only root can mount a small disk");
    let ada = ada();
    let results = ada.results();
    fs::create_dir(&results).unwrap();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o"])
        .arg(format!("size=8k,uid={0},gid={0}", ada.uid))
        .arg("tmpfs")
        .arg(&results)
        .status()
        .unwrap();
    assert!(mounted.success());
    let output = run(&ada, &["-n", "1"]);
    assert!(Command::new("umount").arg(&results).status().unwrap().success());
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("No space left on device"), "{stderr}");
}
