//! Killed runners, and the cleanup by the reaper or the next command.

use std::{
    fs,
    process::{Child, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};

use super::{Fake, IN_TIME, waits::WITH_ID};
use crate::waiting::holds_within;

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
    let started = fake.results().join("started");
    assert!(holds_within(IN_TIME, || started.exists()), "no benchmark");
    child
}

/// The files that a run makes beside its results: its secrets, the id of its container, and the one that
/// shows that it lives.
fn files(fake: &Fake) -> Vec<String> {
    let entries = fs::read_dir(fake.sandbox.folder("run")).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Any other command of the same user.
fn another(fake: &Fake) {
    assert!(fake.sandbox.command(["cache", "ls"]).output().unwrap().status.success());
}

#[test]
fn next_command_removes_files_of_dead_runs_only() {
    let endless = format!("{WITH_ID}\n: >\"$RESULTS/started\"\ncat >/dev/null\nexit 143");
    let mut fake = Fake::new(&endless);
    let mut child = under_way(&mut fake);
    let made = files(&fake);
    let of_run = |what: &str| format!("-{}-{what}", child.id());
    let expected = ["alive", "cid", "token"].map(of_run);
    let is_expected = made.iter().zip(&expected).all(|(name, end)| name.ends_with(end));
    assert!(made.len() == expected.len() && is_expected, "{made:?}");
    another(&fake);
    assert_eq!(files(&fake), made, "the run still lives");

    kill(reaper(&fake.docker.calls_of("run")[0][3]));
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(files(&fake), made);
    another(&fake);
    assert_eq!(files(&fake), [""; 0]);
}

#[test]
fn reaper_cleans_up_after_a_killed_runner() {
    let endless = format!("{WITH_ID}\n: >\"$RESULTS/started\"\ncat >/dev/null\nexit 143");
    let mut fake = Fake::new(&endless);
    let mut child = under_way(&mut fake);
    child.kill().unwrap();
    child.wait().unwrap();
    let is_clean = || files(&fake).is_empty() && fake.containers().is_empty();
    assert!(holds_within(IN_TIME, is_clean), "{:?}", files(&fake));
}
