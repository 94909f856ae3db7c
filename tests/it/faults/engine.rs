//! The engine is missing, does not answer, or kills a container.
//!
//! Elsewhere: a daemon that hangs (`fake_runs`, `process`, `waits`), an unknown engine (`fake_runs`).

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown},
};

use insta::assert_snapshot;

use super::{Fake, Run, start};
use crate::{
    ada::{Ada, docker},
    daemon::Daemon,
    fake_runs::{GOOD, sandbox_with},
    harness::{FakeDocker, aienergyscore, smoke},
};

/// A machine with an earlier result, which no fault of the engine may move.
fn with_result() -> Fake {
    let fake = Fake::new(GOOD);
    fake.result("benchmark_report.json", "precious");
    fake
}

#[test]
fn missing_engine_stops_the_run() {
    let mut fake = with_result();
    let nothing = fake.sandbox.folder("nothing");
    fs::create_dir(&nothing).unwrap();
    fake.sandbox.set("PATH", &nothing).set("AIENERGYSCORE_ENTRYPOINT", nothing.join("entrypoint"));
    assert_snapshot!(fake.run(&[]), @r#"
    exit code 1, in time
    error: no engine at all: `docker` is not on PATH; install it, or correct PATH; nor does Podman serve: `podman` is not on PATH; install it, or correct PATH: the program of the host engine, `aienergyscore-entrypoint`, was not found beside the runner or on PATH; build it with `cargo xtask smoke`, or name it in AIENERGYSCORE_ENTRYPOINT
    kept: benchmark_report.json
    containers: none
    "#);
    assert_snapshot!(fake.run(&["--engine", "docker"]), @r#"
    exit code 1, in time
    error: `docker` is not on PATH; install it, or correct PATH
    kept: benchmark_report.json
    containers: none
    "#);
}

#[test]
fn unreachable_docker_is_replaced_by_podman() {
    let docker = FakeDocker::with_run(GOOD);
    let sandbox = sandbox_with(&docker, "*) echo 'permission denied at the socket' >&2; exit 1 ;;");
    let podman = sandbox.folder("before").join("podman");
    let info = r#"{"host": {"arch": "amd64", "cgroupVersion": "v2", "ociRuntime": {"name": "crun"},
        "security": {"rootless": true}}, "version": {"Version": "4.3.1"}}"#;
    fs::write(&podman, format!("#!/bin/sh\necho '{info}'\n")).unwrap();
    fs::set_permissions(&podman, fs::Permissions::from_mode(0o755)).unwrap();
    let said = aienergyscore(&sandbox, ["verify", "--flavour", "smoke"]).stdout;
    let engine = said.lines().find(|line| line.contains(" engine ")).unwrap();
    assert!(engine.contains("Podman is used, as Docker does not serve: `docker info`"), "{said}");
    assert!(engine.contains("permission denied at the socket"), "{said}");
}

/// The same machine, whose Docker fails with this complaint.
fn complaining(complaint: &str) -> Fake {
    let mut fake = with_result();
    fake.sandbox = sandbox_with(&fake.docker, &format!("*) echo '{complaint}' >&2; exit 1 ;;"));
    fake.result("benchmark_report.json", "precious");
    fake
}

#[test]
fn stopped_daemon_stops_the_run() {
    let fake = complaining(
        "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon \
         running?",
    );
    assert_snapshot!(fake.run(&["--engine", "docker"]), @r#"
    exit code 1, in time
    error: `docker info` failed (exit code 1): Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?; is the daemon running, and are you in the group that may use it?
    kept: benchmark_report.json
    containers: none
    "#);
}

#[test]
fn socket_without_permission_stops_the_run() {
    let fake = complaining(
        "permission denied while trying to connect to the Docker daemon socket at \
         unix:///var/run/docker.sock: Get \
         \"http://%2Fvar%2Frun%2Fdocker.sock/v1.50/info\": dial unix /var/run/docker.sock: \
         connect: permission denied",
    );
    assert_snapshot!(fake.run(&["--engine", "docker"]), @r#"
    exit code 1, in time
    error: `docker info` failed (exit code 1): permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock: Get "http://%2Fvar%2Frun%2Fdocker.sock/v1.50/info": dial unix /var/run/docker.sock: connect: permission denied; is the daemon running, and are you in the group that may use it?
    kept: benchmark_report.json
    containers: none
    "#);
}

/// A run of Ada's that has answered a prompt.
fn under_way(ada: &Ada) -> Run {
    let mut run = start(ada, &[smoke::MODEL, "-n", "1000"]);
    let log = ada.results().join("benchmark.log");
    run.until("a prompt", || fs::read_to_string(&log).is_ok_and(|log| log.contains("tokens/s")));
    run
}

#[test]
#[ignore = "needs Docker and `cargo xtask smoke` once before"]
fn killed_container_is_exit_code_137() {
    let ada = Ada::with(&[smoke::GGUF]);
    let run = under_way(&ada);
    docker(&["kill", &ada.containers()[0]]);
    assert_snapshot!(run.left(|| ada.containers()), @r#"
    exit code 137, in time
    error: the benchmark was killed, and all that watched it there (exit code 137): somebody ended it, or the machine ran out of memory; what it wrote is kept
    results so far: RESULTS
    kept: benchmark.log
    containers: none
    "#);
}

#[test]
#[ignore = "needs Docker and `cargo xtask smoke` once before"]
fn container_out_of_memory_is_exit_code_137() {
    let ada = Ada::with(&[smoke::GGUF]);
    let run = start(&ada, &[smoke::MODEL, "-n", "1", "--memory", "64m"]);
    assert_snapshot!(run.left(|| ada.containers()), @r#"
    exit code 137, in time
    error: the `native` backend failed: exit code 137
    error: the benchmark ran out of memory and was killed
    results so far: RESULTS
    kept: RUN_COMPLETE.json, benchmark.log
    containers: none
    "#);
}

/// `text` without the numbers of processes that were ended.
fn without_pids(text: &str) -> String {
    let Some((before, rest)) = text.split_once("(pid ") else { return text.to_owned() };
    let (_, after) = rest.split_once(')').unwrap();
    format!("{before}(pid PIDS){after}")
}

/// The processes of a benchmark, by the run's id in their environment.
fn processes_of(container: &str) -> Vec<u32> {
    let run = container.strip_prefix("aienergyscore-").unwrap();
    let variable = format!("{}={run}", contract::env::RUN_ID);
    let entries = fs::read_dir("/proc").unwrap();
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let works = |pid: &u32| {
        let words = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        words.split(|byte| *byte == 0).any(|word| word == variable.as_bytes())
    };
    pids.filter(works).collect()
}

#[test]
#[ignore = "needs root, Docker and `cargo xtask smoke` once before"]
fn killed_daemon_ends_the_benchmark() {
    let mut ada = Ada::with(&[smoke::GGUF]);
    let group = fs::metadata("/var/run/docker.sock").expect("a Docker socket").gid();
    let daemon = Daemon::start(group, None);
    chown(daemon.path(""), None, Some(group)).unwrap();
    ada.set("DOCKER_HOST", daemon.socket());
    let run = under_way(&ada);
    let container = daemon.containers().remove(0);
    let works = || processes_of(&container);
    assert!(!works().is_empty());
    daemon.kill();
    let named = |left: String| left.replace(&container, "CONTAINER");
    // Docker's client says the time before what it has to say.
    let left = named(run.left(Vec::new)).replace(&daemon.socket(), "SOCKET");
    let left = without_pids(&left);
    let of_client = |line: &&str| line.starts_with("time=");
    let left = left.lines().filter(|line| !of_client(line)).collect::<Vec<_>>().join("\n");
    assert_snapshot!(left, @r#"
    exit code 1, in time
    warning: `docker rm --force aienergyscore-RUN` failed: Cannot connect to the Docker daemon at SOCKET. Is the docker daemon running?; remove the container yourself once docker serves, and the next run says if it is still there
    warning: docker left the benchmark running; ended it (pid PIDS)
    error: docker does not tell how the container ended (its client's exit code was 125); asked for its state it answered: exit code 1: Cannot connect to the Docker daemon at SOCKET. Is the docker daemon running?
    results so far: RESULTS
    kept: RUN_COMPLETE.json, benchmark.log
    containers: none
    "#);
    assert_eq!(works(), [0; 0], "the benchmark goes on without its daemon");

    // It comes back, with the container; the next run says so.
    daemon.again();
    let run = start(&ada, &[smoke::MODEL, "-n", "1"]);
    assert_snapshot!(named(run.left(|| daemon.containers())), @r#"
    exit code 0, in time
    earlier results: moved to RESULTS/previous/TIME
    warning: 1 container(s) left behind by a run that is gone; remove with `docker rm --force aienergyscore-RUN`
    kept: GPU_ENERGY_SUMMARY.json, GPU_ENERGY_WH.txt, RUN_COMPLETE.json, benchmark.log, benchmark_report.json, host_meter.json, previous/TIME/RUN_COMPLETE.json, previous/TIME/benchmark.log
    containers: CONTAINER
    "#);
}
