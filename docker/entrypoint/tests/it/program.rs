//! Starts the program with an environment that says everything.

use std::{
    fs,
    path::Path,
    process::{Command, Output, Stdio},
};

/// The program with the results folder `results`, and nothing of the caller's environment.
pub(crate) fn program(results: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_aienergyscore-entrypoint"));
    command.env_clear().env("RESULTS_DIR", results).env("HOME", results);
    command
}

/// Runs `command` to its end as a supervisor would: under an id, its standard input kept open.
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

/// The exit code in the proof of completion, and its run id.
pub(crate) fn completion(results: &Path) -> (u64, String) {
    let text = fs::read_to_string(results.join("RUN_COMPLETE.json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    (json["exit_code"].as_u64().unwrap(), json["run_id"].as_str().unwrap().to_owned())
}
