//! Starts the built program with a complete environment of its own.

use std::{
    fs,
    path::Path,
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

/// Timeout for a program that hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The program with the results folder `results` and none of the caller's variables.
pub(crate) fn program(results: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_aienergyscore-entrypoint"));
    command.env_clear().env("RESULTS_DIR", results).env("HOME", results);
    command
}

/// Runs `command` as a supervisor does: with a run id, and with standard input kept open.
pub(crate) fn supervised(command: &mut Command, run_id: &str) -> Output {
    let piped = command.env("AIENERGYSCORE_RUN_ID", run_id).stdin(Stdio::piped());
    let mut child = piped.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let input = child.stdin.take();
    let output = child.wait_with_output().unwrap();
    drop(input);
    output
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Waits for the exit of `child`. Kills it after [`PATIENCE`].
pub(crate) fn exited(mut child: Child) -> ExitStatus {
    let id = Pid::from_child(&child);
    let (sender, status) = mpsc::channel();
    thread::spawn(move || sender.send(child.wait()));
    let status = status.recv_timeout(PATIENCE).unwrap_or_else(|_| {
        let _ = kill_process(id, Signal::KILL);
        panic!("the program did not exit");
    });
    status.unwrap()
}

/// Exit code and run id of the completion marker.
pub(crate) fn completion(results: &Path) -> (u64, String) {
    let text = fs::read_to_string(results.join("RUN_COMPLETE.json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    (json["exit_code"].as_u64().unwrap(), json["run_id"].as_str().unwrap().to_owned())
}
