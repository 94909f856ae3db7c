//! Runs of the smoke test's model: to their end, or under way and ended from outside.

use std::{
    fs::{self, File},
    process::{Child, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::{ada::Ada, harness::smoke};

/// The file of a home with what a run that was [`started`] says.
const SAID: &str = "said";

/// What a program said.
pub(crate) fn said(output: &Output) -> String {
    let [out, err] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    format!("{out}{err}")
}

/// A run with the smoke test's model in the smoke image.
pub(crate) fn run(ada: &Ada, args: &[&str]) -> Output {
    let fixed = ["run", "--engine", ada.on.choice(), "--flavour", "smoke", smoke::MODEL];
    ada.command(&[&fixed, args].concat()).output().unwrap()
}

/// Waits for what must come, and fails after a minute and a half.
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(90);
    while !holds() {
        assert!(Instant::now() < end, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(20));
    }
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
    let end = Instant::now() + Duration::from_secs(90);
    loop {
        let left = ada.containers();
        if left.is_empty() {
            return;
        }
        let said = fs::read_to_string(ada.home().join(SAID)).unwrap();
        let log = fs::read_to_string(ada.results().join("benchmark.log")).unwrap();
        assert!(Instant::now() < end, "{:?}: left {left:?}: {said}\n{log}", ada.on);
        thread::sleep(Duration::from_millis(100));
    }
}

/// Sends a signal to a process.
pub(crate) fn signal(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(pid.try_into().unwrap()).unwrap(), signal).unwrap();
}
