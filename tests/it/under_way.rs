//! Runs of the smoke test's model on a real engine, finished or still running.

use std::{
    fs::{self, File},
    path::PathBuf,
    process::{Child, Output, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

use crate::{
    ada::Ada,
    harness::smoke,
    waiting::{holds_within, until},
};

/// The file of a home with what a run that was [`started`] says.
const SAID: &str = "said";

/// Standard output and standard error of a program.
pub(crate) fn said(output: &Output) -> String {
    let [out, err] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    format!("{out}{err}")
}

/// A run with the smoke test's model in the smoke image.
pub(crate) fn run(ada: &Ada, args: &[&str]) -> Output {
    let fixed = ["run", "--engine", ada.on.choice(), "--flavour", "smoke", smoke::MODEL];
    ada.command(&[&fixed, args].concat()).output().unwrap()
}

/// A run that is under way, and would last for minutes.
pub(crate) fn started(ada: &Ada) -> Child {
    let engine = ada.on.choice();
    let args = ["run", "--engine", engine, "--flavour", "smoke", smoke::MODEL, "-n", "1000"];
    let mut command = ada.command(&args);
    let said = File::create(ada.home().join(SAID)).unwrap();
    let child = command.stdout(Stdio::null()).stderr(said).spawn().unwrap();
    let log = ada.results().join("benchmark.log");
    until("the first prompt", || {
        fs::read_to_string(&log).is_ok_and(|log| log.contains("tokens/s"))
    });
    child
}

/// Waits until the container of a run that was [`started`] is removed.
pub(crate) fn until_removed(ada: &Ada) {
    let mut left = vec![];
    let is_removed = holds_within(Duration::from_secs(90), || {
        left = ada.containers();
        left.is_empty()
    });
    let read = |path: PathBuf| fs::read_to_string(path).unwrap();
    let (said, log) = (read(ada.home().join(SAID)), read(ada.results().join("benchmark.log")));
    assert!(is_removed, "{:?}: left {left:?}: {said}\n{log}", ada.on);
}

/// Sends a signal to a process.
pub(crate) fn signal(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(pid.try_into().unwrap()).unwrap(), signal).unwrap();
}
