//! Programs that do not answer, and signals that come late.

use std::fs;

use insta::assert_snapshot;
use rustix::process::{Pid, Signal, kill_process};

use super::{Fake, killed::reaper};
use crate::{
    fake_runs::{GOOD, sandbox_with},
    harness::HANGS,
    waiting::until_delivered,
    watch::Watch,
};

/// Tells the container's id, as the engine's client does.
pub(super) const WITH_ID: &str = r#"
  while [ "$1" != --cidfile ]; do shift; done
  printf %064d 7 >"$2"
"#;

#[test]
fn signal_after_the_benchmark_changes_nothing() {
    let mut fake = Fake::new(GOOD);
    let waits = r#"container) mkfifo "$HERE/go"; : >"$HERE/asked"; cat "$HERE/go" ;;"#;
    fake.sandbox = sandbox_with(&fake.docker, waits);
    let mut run = fake.start(&[]);
    let asked = fake.sandbox.folder("before/asked");
    run.until("the end", || asked.exists());
    run.signal(Signal::TERM);
    until_delivered(run.child.id(), Signal::TERM);
    fs::write(fake.sandbox.folder("before/go"), "").unwrap();
    assert_snapshot!(fake.left(run), @r"
    exit code 0, in time
    kept: GPU_ENERGY_SUMMARY.json, RUN_COMPLETE.json, benchmark_report.json, host_meter.json
    containers: none
    ");
}

#[test]
fn signal_with_complete_results_is_a_success() {
    let fake = Fake::new(&format!("{WITH_ID}\n{GOOD}\nwait_for go"));
    let mut run = fake.start(&[]);
    let proof = fake.results().join("RUN_COMPLETE.json");
    run.until("the proof", || proof.exists());
    run.signal(Signal::TERM);
    let said = run.said.clone();
    run.until("the signal", || fs::read_to_string(&said).unwrap().contains("stopping"));
    fake.docker.open("go");
    assert_snapshot!(fake.left(run), @r"
    exit code 0, in time
    SIGTERM: stopping the benchmark; once more kills it at once
    warning: the signal came after the benchmark's end; its results are complete
    kept: GPU_ENERGY_SUMMARY.json, RUN_COMPLETE.json, benchmark_report.json, host_meter.json
    containers: none
    ");
}

#[test]
fn out_of_memory_kill_with_complete_results_is_a_warning() {
    let fake = Fake::new(GOOD);
    let state = |code: i32| {
        format!(
            r#"{{"Running":false,"OOMKilled":true,"ExitCode":{code},"Error":"","StartedAt":"2026"}}"#
        )
    };
    fake.docker.answer("container", &state(0));
    assert_snapshot!(fake.run(&[]), @r"
    exit code 0, in time
    warning: the results are complete, but the kernel killed one of its processes for lack of memory
    kept: GPU_ENERGY_SUMMARY.json, RUN_COMPLETE.json, benchmark_report.json, host_meter.json
    containers: none
    ");
    fake.docker.answer("container", &state(137));
    assert_snapshot!(fake.run(&[]), @r"
    exit code 137, in time
    earlier results: moved to CWD/results/previous/TIME
    error: the benchmark ran out of memory and was killed
    results so far: CWD/results
    kept: GPU_ENERGY_SUMMARY.json, RUN_COMPLETE.json, benchmark_report.json, previous/TIME/GPU_ENERGY_SUMMARY.json, previous/TIME/RUN_COMPLETE.json, previous/TIME/benchmark_report.json, previous/TIME/host_meter.json
    containers: none
    ");
}

#[test]
fn stopped_reaper_is_killed() {
    let fake = Fake::new(&format!(": >\"$RESULTS/started\"\nwait_for go\n{GOOD}"));
    let mut run = fake.start(&[]);
    let started = fake.results().join("started");
    run.until("the benchmark", || started.exists());
    let pid = reaper(&fake.docker.calls_of("run")[0][3]);
    kill_process(Pid::from_raw(pid).unwrap(), Signal::STOP).unwrap();
    fake.docker.open("go");
    let left = fake.left(run).replace(&pid.to_string(), "PID");
    assert_snapshot!(left, @r"
    exit code 0, in time
    warning: the cleanup process (pid PID) did not answer for 5 seconds and was killed
    kept: GPU_ENERGY_SUMMARY.json, RUN_COMPLETE.json, benchmark_report.json, host_meter.json, started
    containers: none
    ");
}

#[test]
fn container_removed_by_somebody_else_fails_the_run() {
    // As by `podman rm --force` from outside, of Podman 5.8 and 6.1.
    let removed = "wait_for removal; rm \"$2\"; exit 137";
    let mut fake = Fake::new(&format!("{WITH_ID}\n: >\"$RESULTS/started\"; {removed}"));
    let gone = "container) echo 'Error: no such container: x' >&2; exit 1 ;;";
    fake.sandbox = sandbox_with(&fake.docker, gone);
    let mut run = fake.start(&[]);
    let started = fake.results().join("started");
    run.until("the container", || started.exists());
    // The meter reads the id about as often as the watch over the client, which has it then, too.
    let (watch, mut reads) = (Watch::for_reads(&fake.sandbox.folder("run")), 0);
    run.until("readers of the id", || {
        reads += watch.names().iter().filter(|name| name.ends_with("-cid")).count();
        reads >= 6
    });
    fake.docker.open("removal");
    assert_snapshot!(fake.left(run), @r"
    exit code 1, in time
    error: somebody else removed the container while it ran
    results so far: CWD/results
    kept: started
    containers: none
    ");
}

#[test]
fn client_that_does_not_return_times_out() {
    let fake = Fake::new(&format!("{WITH_ID}\n{GOOD}\ntrap '' TERM; {HANGS}"));
    assert_snapshot!(fake.run(&[]), @r"
    exit code 0, in time
    warning: the benchmark has ended, but `docker run` has not returned for 15 seconds: its daemon hangs
    kept: GPU_ENERGY_SUMMARY.json, RUN_COMPLETE.json, benchmark_report.json, host_meter.json
    containers: none
    ");
}

mod long {
    use super::{Fake, HANGS, assert_snapshot, sandbox_with};

    #[test]
    #[ignore = "takes more than a minute"]
    fn engine_that_hangs_while_creating_a_container_times_out() {
        let mut fake = Fake::new(HANGS);
        fake.sandbox = sandbox_with(&fake.docker, &format!("container|rm) {HANGS} ;;"));
        let left = fake.run(&[]);
        let (time, left) = left.split_once('\n').unwrap();
        assert!(time.starts_with("exit code 1, "), "{time}");
        let left = left.replace(&fake.docker.calls_of("run")[0][3], "CONTAINER");
        assert_snapshot!(left, @r"
        warning: docker makes no container and does not answer: `docker container inspect` has not answered for 30 seconds, and was ended: its daemon hangs, or the machine does; look at the daemon's log, or start it anew
        warning: `docker rm --force aienergyscore-RUN` failed: `docker rm` has not answered for 30 seconds, and was ended: its daemon hangs, or the machine does; look at the daemon's log, or start it anew; remove the container yourself once docker serves, and the next run says if it is still there
        error: docker does not tell how the container ended (its client's exit code was 137); asked for its state it answered: `docker container inspect` has not answered for 30 seconds, and was ended: its daemon hangs, or the machine does; look at the daemon's log, or start it anew
        results so far: CWD/results
        kept: nothing
        containers: CONTAINER
        ");
    }
}
