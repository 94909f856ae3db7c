//! Orphaned containers, engines that hang, closed terminals, clocks that jump.
//!
//! Elsewhere: killed runners and clients, and signals (`modes`), a closed pipe, a full disk behind the
//! output and a second run in a folder (`fake_runs`).

use std::{
    fs,
    os::fd::OwnedFd,
    process::Stdio,
    time::{Duration, SystemTime},
};

use insta::assert_snapshot;
use rustix::process::{Pid, Signal, getuid, kill_process};

use super::{Fake, IN_TIME, SmallDisk, killed::reaper};
use crate::{
    fake_runs::{GOOD, sandbox_with},
    harness::HANGS,
    waiting::holds_within,
};

/// A benchmark that goes on until it is told to end.
const ENDLESS: &str = r#"
  : >"$RESULTS/benchmark.log"
  cat >/dev/null
  exit 143
"#;

/// The line of `ps` for the container of a run that is gone.
fn listed(state: &str) -> String {
    let (run, uid) = ("20260101T000000Z-4194305", getuid().as_raw());
    format!("aienergyscore-{run}\t{state}\t{run}\t{uid}\n")
}

#[test]
fn orphaned_container_is_a_warning() {
    let fake = Fake::new(GOOD);
    fake.docker.answer("ps", &listed("exited"));
    assert_snapshot!(fake.run(&[]), @r#"
    exit code 0, in time
    warning: 1 container(s) left behind by a run that is gone; remove with `docker rm --force aienergyscore-RUN`
    kept: GPU_ENERGY_SUMMARY.json, RUN_COMPLETE.json, benchmark_report.json, host_meter.json
    containers: none
    "#);
}

#[test]
fn running_orphaned_container_is_a_warning() {
    let fake = Fake::new(GOOD);
    fake.docker.answer("ps", &listed("running"));
    assert_snapshot!(fake.run(&[]), @r#"
    exit code 0, in time
    warning: 1 container(s) left behind by a run that is gone; aienergyscore-RUN still works, and spoils what is measured beside it; remove with `docker rm --force aienergyscore-RUN`
    kept: GPU_ENERGY_SUMMARY.json, RUN_COMPLETE.json, benchmark_report.json, host_meter.json
    containers: none
    "#);
}

#[test]
fn failed_listing_of_containers_is_a_warning() {
    let fake = Fake::new(GOOD);
    fake.docker.fail("ps");
    assert_snapshot!(fake.run(&[]), @r#"
    exit code 0, in time
    warning: containers that earlier runs left are not known: `docker ps` failed: it said nothing
    kept: GPU_ENERGY_SUMMARY.json, RUN_COMPLETE.json, benchmark_report.json, host_meter.json
    containers: none
    "#);
}

#[test]
fn engine_that_hangs_before_the_run_times_out() {
    let mut fake = Fake::new(GOOD);
    fake.sandbox = sandbox_with(&fake.docker, &format!("info) {HANGS} ;;"));
    fake.result("benchmark_report.json", "precious");
    assert_snapshot!(fake.run(&["--engine", "docker"]), @r#"
    exit code 1, in time
    error: `docker info` has not answered for 30 seconds, and was ended: its daemon hangs, or the machine does; look at the daemon's log, or start it anew
    kept: benchmark_report.json
    containers: none
    "#);
}

#[test]
fn listing_of_containers_that_hangs_times_out() {
    let mut fake = Fake::new(GOOD);
    let hangs = format!("ps) echo $$ >\"$HERE/asked\"; {HANGS} ;;");
    fake.sandbox = sandbox_with(&fake.docker, &hangs);
    assert_snapshot!(fake.run(&[]), @r#"
    exit code 0, in time
    warning: containers that earlier runs left are not known: `docker ps` has not answered for 10 seconds, and was ended: its daemon hangs, or the machine does; look at the daemon's log, or start it anew
    kept: GPU_ENERGY_SUMMARY.json, RUN_COMPLETE.json, benchmark_report.json, host_meter.json
    containers: none
    "#);
    let client = fs::read_to_string(fake.sandbox.folder("before/asked")).unwrap();
    let words = || fs::read(format!("/proc/{}/cmdline", client.trim())).unwrap_or_default();
    assert!(holds_within(IN_TIME, || words().is_empty()), "the client that hangs is left");
}

#[test]
fn hangup_stops_the_benchmark() {
    let fake = Fake::new(ENDLESS);
    let mut run = fake.start(&[]);
    let log = fake.results().join("benchmark.log");
    run.until("the benchmark", || log.exists());
    run.signal(Signal::HUP);
    assert_snapshot!(fake.left(run), @r#"
    exit code 129, in time
    SIGHUP: stopping the benchmark; once more kills it at once
    error: stopped by SIGHUP; the benchmark is ended, and what it wrote is kept
    results so far: CWD/results
    kept: benchmark.log
    containers: none
    "#);
}

#[test]
fn closed_terminal_stops_the_benchmark() {
    use rustix::pty::{OpenptFlags, grantpt, ptsname, unlockpt};
    let fake = Fake::new(&format!("seq 100\n{ENDLESS}"));
    // Nobody else may hold it: its end is the test's to choose.
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let terminal = rustix::pty::openpt(flags).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let name = ptsname(&terminal, vec![]).unwrap().into_string().unwrap();
    // `setsid --ctty` makes it the controlling terminal, whose end is a hangup.
    let asked = fake.command(&[]);
    let mut command = std::process::Command::new("setsid");
    command.args(["--ctty", "--wait"]).arg(asked.get_program()).args(asked.get_args());
    command.env_clear().current_dir(fake.sandbox.cwd());
    command.envs(asked.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let side =
        || -> OwnedFd { fs::File::options().read(true).write(true).open(&name).unwrap().into() };
    command.stdin(Stdio::from(side())).stdout(Stdio::from(side())).stderr(Stdio::from(side()));
    let mut child = command.spawn().unwrap();
    drop(command);
    let log = fake.results().join("benchmark.log");
    let has_begun = holds_within(IN_TIME, || {
        assert_eq!(child.try_wait().unwrap(), None, "the run ended early");
        log.exists()
    });
    assert!(has_begun, "no benchmark");
    drop(terminal);
    if !holds_within(IN_TIME, || child.try_wait().unwrap().is_some()) {
        child.kill().unwrap();
        panic!("the run goes on without its terminal");
    }
    assert_eq!(child.wait().unwrap().code(), Some(129));
    assert_eq!(fake.containers(), [""; 0]);
    assert!(log.exists());
}

#[test]
fn files_of_the_future_are_archived() {
    // What is there is of the future, as after a jump: files, folders, and a run's proof.
    let fake = Fake::new(GOOD);
    let future = SystemTime::now() + Duration::from_secs(400 * 24 * 3600);
    let proof = r#"{"run_id":"20990101T000000Z-1","exit_code":0}"#;
    for (name, text) in [("benchmark_report.json", "precious"), ("RUN_COMPLETE.json", proof)] {
        fake.result(name, text);
        let file = fs::File::options().write(true).open(fake.results().join(name)).unwrap();
        file.set_modified(future).unwrap();
    }
    fs::create_dir_all(fake.results().join("previous/20990101T000000Z")).unwrap();
    assert_snapshot!(fake.run(&[]), @r#"
    exit code 0, in time
    earlier results: moved to CWD/results/previous/TIME
    kept: GPU_ENERGY_SUMMARY.json, RUN_COMPLETE.json, benchmark_report.json, host_meter.json, previous/TIME/RUN_COMPLETE.json, previous/TIME/benchmark_report.json
    containers: none
    "#);
}

#[test]
#[ignore = "needs root, to make a full disk"]
fn full_temporary_folder_fails_only_a_run_with_a_token() {
    let mut fake = Fake::new(GOOD);
    fake.result("benchmark_report.json", "precious");
    let full = fake.sandbox.folder("tmp");
    let _disk = SmallDisk::at(&full, 4096, getuid().as_raw());
    fs::write(full.join("full"), vec![b' '; 4096]).unwrap();
    // What a run writes there is the token of a variable; the rest has its place beside its target.
    fake.sandbox.set("XDG_RUNTIME_DIR", "").set("TMPDIR", &full);
    assert_snapshot!(fake.run(&[]), @r#"
    exit code 0, in time
    earlier results: moved to CWD/results/previous/TIME
    kept: GPU_ENERGY_SUMMARY.json, RUN_COMPLETE.json, benchmark_report.json, host_meter.json, previous/TIME/benchmark_report.json
    containers: none
    "#);
    fake.sandbox.set("HF_TOKEN", "hf_secret_of_ada");
    assert_snapshot!(fake.run(&[]), @r#"
    exit code 1, in time
    earlier results: moved to CWD/results/previous/TIME
    error: writing the secret of HF_TOKEN to `ROOT/tmp/aienergyscore-RUN-token`: No space left on device (os error 28)
    kept: previous/TIME/benchmark_report.json, previous/TIME/GPU_ENERGY_SUMMARY.json, previous/TIME/RUN_COMPLETE.json, previous/TIME/benchmark_report.json, previous/TIME/host_meter.json
    containers: none
    "#);
    assert_eq!(fs::read_dir(&full).unwrap().count(), 1, "half a token is left");
    // Nothing was started, so nothing keeps the results folder.
    fake.sandbox.set("HF_TOKEN", "");
    let again = fake.run(&[]).to_string();
    assert!(again.starts_with("exit code 0"), "{again}");
}

#[test]
fn container_is_orphaned_when_runner_and_reaper_are_killed() {
    // The container's program removes the list of mounts when it has read it.
    let fake = Fake::new(&format!("rm \"$RESULTS\"/.aienergyscore-new-*\n{ENDLESS}"));
    let mut run = fake.start(&[]);
    let log = fake.results().join("benchmark.log");
    run.until("the benchmark", || log.exists());
    let container = fake.containers().remove(0);
    let kill = |pid| kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
    kill(reaper(&container));
    run.signal(Signal::KILL);
    assert_snapshot!(fake.left(run).replace(&container, "CONTAINER"), @r#"
    exit code signal: 9 (SIGKILL), in time
    kept: benchmark.log
    containers: CONTAINER
    "#);
}
