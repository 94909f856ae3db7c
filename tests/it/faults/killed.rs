//! A run whose processes are killed at once, and what the next command does about what it left.

use std::{
    fs,
    path::PathBuf,
    process::{Child, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use super::{Fake, IN_TIME, waits::WITH_ID};
use crate::{fake_runs::GOOD, harness::FakeDocker};

/// The reaper of a run, which is told the container's name.
pub(super) fn reaper(container: &str) -> i32 {
    let pids = fs::read_dir("/proc").unwrap();
    let mut pids = pids.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    pids.find(|pid| {
        let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let words = String::from_utf8_lossy(&words);
        words.starts_with("container-reaper\0") && words.contains(container)
    })
    .expect("a reaper")
}

fn kill(pid: i32) {
    kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
}

/// A run with a secret whose container has its id.
fn under_way(fake: &mut Fake) -> Child {
    fake.sandbox.set("HF_TOKEN", "hf_secret_of_ada");
    let mut command = fake.command(&[]);
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let begun = Instant::now();
    while !fake.results().join("started").exists() {
        assert!(begun.elapsed() < IN_TIME, "no benchmark");
        thread::sleep(Duration::from_millis(10));
    }
    child
}

fn secrets(fake: &Fake) -> Vec<PathBuf> {
    let entries = fs::read_dir(fake.sandbox.folder("run")).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

fn ids(fake: &Fake) -> Vec<PathBuf> {
    let entries = fs::read_dir(fake.results()).unwrap();
    let entries = entries.map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|end| end == "cid")).collect()
}

/// Any other command of the same user.
fn another(fake: &Fake) {
    assert!(fake.sandbox.command(["cache", "ls"]).output().unwrap().status.success());
}

#[test]
fn the_next_command_removes_what_a_dead_run_left_and_nothing_of_a_living_one() {
    let endless = format!("{WITH_ID}\n: >\"$RESULTS/started\"\ncat >/dev/null\nexit 143");
    let mut fake = Fake::new(&endless);
    let mut child = under_way(&mut fake);
    assert_eq!(secrets(&fake).len(), 1);
    assert!(secrets(&fake)[0].to_str().unwrap().ends_with(&format!("-{}-token", child.id())));
    another(&fake);
    assert_eq!(secrets(&fake).len(), 1, "the run still lives");

    kill(reaper(&fake.docker.calls_of("run")[0][3]));
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!((secrets(&fake).len(), ids(&fake).len()), (1, 1));
    another(&fake);
    assert_eq!(secrets(&fake), [""; 0].map(PathBuf::from));

    // The folder's next run.
    let docker = FakeDocker::with_run(GOOD);
    fake.sandbox.set("PATH", docker.path());
    assert!(fake.command(&[]).output().unwrap().status.success());
    assert_eq!(ids(&fake), [""; 0].map(PathBuf::from));
}

#[test]
fn a_killed_runner_leaves_nothing_to_its_reaper() {
    let endless = format!("{WITH_ID}\n: >\"$RESULTS/started\"\ncat >/dev/null\nexit 143");
    let mut fake = Fake::new(&endless);
    let mut child = under_way(&mut fake);
    child.kill().unwrap();
    child.wait().unwrap();
    let begun = Instant::now();
    while !(secrets(&fake).is_empty() && ids(&fake).is_empty() && fake.containers().is_empty()) {
        assert!(begun.elapsed() < IN_TIME, "{:?} {:?}", secrets(&fake), ids(&fake));
        thread::sleep(Duration::from_millis(10));
    }
}
