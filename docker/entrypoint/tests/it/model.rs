//! Runs of the smoke test's model: their output files, and every way to stop one.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open},
};

use crate::program::{PATIENCE, completion, program, stderr};

/// The `HF_HOME` that `cargo xtask smoke` creates.
const SMOKE_HOME: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/smoke/huggingface");
const SMOKE_MODEL: &str = "backend.model=smoke/SmolLM2-135M-Instruct-GGUF";

fn smoke(results: &Path) -> Command {
    let mut command = program(results);
    command.env("HF_HOME", SMOKE_HOME).args(["--config-name", "text_generation", SMOKE_MODEL]);
    command
}

/// A long run that has loaded its model, and the rest of its output.
fn long_run(results: &Path) -> (Child, BufReader<ChildStdout>) {
    let mut child = smoke(results)
        .args(["scenario.num_samples=1000", "scenario.generate_kwargs.max_new_tokens=500"])
        .env("AIENERGYSCORE_RUN_ID", "run-1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.starts_with("loaded") {
        line.clear();
        assert_ne!(out.read_line(&mut line).unwrap(), 0, "the run ended early");
    }
    (child, out)
}

fn json(path: PathBuf) -> serde_json::Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
#[ignore = "needs the smoke model: run `cargo xtask smoke` first"]
fn run_leaves_report_summary_energy_log_and_completion_marker() {
    let results = tempfile::tempdir().unwrap();
    let output = smoke(results.path())
        .args(["scenario.num_samples=3", "scenario.generate_kwargs.max_new_tokens=4"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(stderr(&output), "");
    let out = String::from_utf8(output.stdout).unwrap();
    assert!(out.contains("prompt 3/3: 4 tokens, "), "{out}");
    assert_eq!(fs::read_to_string(results.path().join("benchmark.log")).unwrap(), out);

    let report = json(results.path().join("benchmark_report.json"));
    assert_eq!(report["format"], "native");
    assert_eq!(report["prompts"].as_array().unwrap().len(), 3);
    assert_eq!(report["config"]["weights_computed"], "61 x F32, 211 x Q8_0");
    assert_eq!(report["config"]["file_sha256"].as_str().unwrap().len(), 64);
    let summary = json(results.path().join("GPU_ENERGY_SUMMARY.json"));
    assert_eq!(summary["total"], serde_json::Value::Null);
    assert_eq!(summary["run"]["prompts"], 3);
    assert_eq!(summary["run"]["completion_tokens"], 12);
    assert!(summary["run"]["tokens_per_second"].as_f64().unwrap() > 0.0);
    let energy = fs::read_to_string(results.path().join("GPU_ENERGY_WH.txt")).unwrap();
    assert!(energy.starts_with("not measured: no GPU was used"), "{energy}");
    assert_eq!(completion(results.path()), (0, String::new()));
}

#[test]
#[ignore = "needs the smoke model: run `cargo xtask smoke` first"]
fn same_arguments_give_the_same_answers() {
    let answers = || {
        let results = tempfile::tempdir().unwrap();
        let output = smoke(results.path()).arg("scenario.num_samples=3").output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let report = json(results.path().join("benchmark_report.json"));
        let prompts = report["prompts"].as_array().unwrap().clone();
        prompts.into_iter().map(|prompt| prompt["completion"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(answers(), answers());
}

#[test]
#[ignore = "needs the smoke model: run `cargo xtask smoke` first"]
fn short_dataset_is_noted() {
    let results = tempfile::tempdir().unwrap();
    let prompts = results.path().join("prompts.jsonl");
    fs::write(&prompts, "{\"text\": \"One\"}\n{\"text\": \"\"}\n{\"text\": \"Two\"}\n").unwrap();
    let output = smoke(results.path())
        .args(["scenario.num_samples=5", "scenario.warmup_runs=0", "scenario.prompt_prefix='> '"])
        .args(["scenario.reasoning=True", "scenario.generate_kwargs.max_new_tokens=2"])
        .arg(format!("scenario.dataset_name={}", prompts.display()))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let note = "5 prompts were asked for, the dataset has 2: all of them ran";
    let out = String::from_utf8(output.stdout).unwrap();
    assert!(out.contains(&format!("note: {note}\n")), "{out}");
    let report = json(results.path().join("benchmark_report.json"));
    let prompts = report["prompts"].as_array().unwrap();
    let prompts: Vec<_> = prompts.iter().map(|prompt| prompt["prompt"].as_str().unwrap()).collect();
    assert_eq!(prompts, ["> One", "> Two"]);
    assert_eq!(report["config"]["prompt_format"], "chat template");
    let summary = json(results.path().join("GPU_ENERGY_SUMMARY.json"));
    assert_eq!(
        (&summary["run"]["prompts_asked"], &summary["run"]["prompts"]),
        (&5.into(), &2.into())
    );
    assert_eq!(summary["notes"], serde_json::json!([note]));
}

#[test]
#[ignore = "needs the smoke model: run `cargo xtask smoke` first"]
fn reasoning_is_limited_to_the_context_length() {
    let results = tempfile::tempdir().unwrap();
    let output = smoke(results.path())
        .args(["scenario.num_samples=1", "scenario.warmup_runs=0", "scenario.reasoning=True"])
        .arg("scenario.prompt_prefix='Answer yes or no. '")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let report = json(results.path().join("benchmark_report.json"));
    let config = &report["config"];
    assert_eq!((&config["min_new_tokens"], &config["max_new_tokens"]), (&1.into(), &6144.into()));
    let note = "the model holds 8192 tokens: answers end after 6144, not 8192";
    assert_eq!(report["notes"], serde_json::json!([note]));
}

#[test]
#[ignore = "needs the smoke model: run `cargo xtask smoke` first"]
fn unknown_chat_template_parameter_is_refused_before_the_weights_are_read() {
    let results = tempfile::tempdir().unwrap();
    let effort = "scenario.reasoning_params.reasoning_effort=low";
    let output = smoke(results.path()).args(["scenario.reasoning=True", effort]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = stderr(&output);
    let named = "`scenario.reasoning_params.reasoning_effort`: its chat template does not use it";
    assert!(said.contains(named), "{said}");
    assert!(!String::from_utf8(output.stdout).unwrap().contains("loaded"));
}

#[test]
#[ignore = "needs the smoke model: run `cargo xtask smoke` first"]
fn closed_standard_input_stops_the_run() {
    let results = tempfile::tempdir().unwrap();
    let (mut child, mut out) = long_run(results.path());
    drop(child.stdin.take());
    out.read_to_string(&mut String::new()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(143));
    assert!(stderr(&output).contains("standard input was closed"), "{}", stderr(&output));
    assert_eq!(completion(results.path()), (143, "run-1".to_owned()));
    assert!(!results.path().join("GPU_ENERGY_SUMMARY.json").exists());
}

#[test]
#[ignore = "needs the smoke model: run `cargo xtask smoke` first"]
fn signals_are_passed_on() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let results = tempfile::tempdir().unwrap();
        let (mut child, mut out) = long_run(results.path());
        // Kept open, because closing it would stop the run, too.
        let input = child.stdin.take();
        kill_process(Pid::from_child(&child), signal).unwrap();
        out.read_to_string(&mut String::new()).unwrap();
        let output = child.wait_with_output().unwrap();
        drop(input);
        assert_eq!(output.status.code(), Some(143), "{signal:?}");
        assert!(stderr(&output).contains("after a signal to end"), "{}", stderr(&output));
        assert_eq!(completion(results.path()), (143, "run-1".to_owned()));
    }
}

#[test]
#[ignore = "needs the smoke model: run `cargo xtask smoke` first"]
fn killed_supervisor_takes_the_backend_with_it() {
    let results = tempfile::tempdir().unwrap();
    let (mut child, mut out) = long_run(results.path());
    let children = format!("/proc/{0}/task/{0}/children", child.id());
    let backend = fs::read_to_string(children).unwrap().trim().to_owned();
    let backend = Pid::from_raw(backend.parse().unwrap()).unwrap();
    let backend = pidfd_open(backend, PidfdFlags::empty()).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    out.read_to_string(&mut String::new()).unwrap();
    let patience = Timespec::try_from(PATIENCE).unwrap();
    let exited = poll(&mut [PollFd::new(&backend, PollFlags::IN)], Some(&patience)).unwrap();
    assert_eq!(exited, 1, "the backend is still running");
}
