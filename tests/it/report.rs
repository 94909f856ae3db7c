//! `aienergyscore report`: output, exit codes and the files that it writes.

use std::{fs, path::Path, process::Command};

use crate::{
    ada::Ada,
    harness::{Outcome, Sandbox, aienergyscore, smoke, workspace},
    results::{Leaves, edit},
    under_way::{run, said},
};

fn report(sandbox: &Sandbox, args: &[&str]) -> Outcome {
    aienergyscore(sandbox, ["report"].iter().chain(args))
}

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new(None);
    Leaves::score().write(&sandbox.cwd().join("results"));
    sandbox
}

#[test]
fn default_results_folder_is_read_unless_another_is_named() {
    let mut sandbox = sandbox();
    let outcome = report(&sandbox, &[]);
    assert_eq!((outcome.code, &*outcome.stderr), (Some(0), ""));
    assert!(outcome.stdout.contains("GPU 21.60 measured"), "{}", outcome.stdout);
    sandbox.set("RESULTS_DIR", "elsewhere");
    let outcome = report(&sandbox, &[]);
    assert_eq!(outcome.code, Some(1));
    assert!(outcome.stdout.contains("elsewhere: it cannot be read"), "{}", outcome.stdout);
    assert_eq!(report(&sandbox, &["results", "elsewhere"]).code, Some(0));
}

#[test]
fn earlier_results_are_read_only_on_request() {
    let sandbox = sandbox();
    let earlier = sandbox.cwd().join("results/previous/2026-11-24T01-05-16Z");
    Leaves { gpu_wh: Some(21.2), ..Leaves::score() }.write(&earlier);
    assert!(!report(&sandbox, &[]).stdout.contains("21.20"));
    let both = report(&sandbox, &["--previous"]).stdout;
    assert!(both.contains("21.20") && both.contains("GPU 21.40 ± 1.3 % measured"), "{both}");
}

#[test]
fn reports_of_the_stacks_are_read_and_broken_folders_are_warnings() {
    let sandbox = Sandbox::new(None);
    let real = workspace().join("docker/backend_reports/tests/reports");
    let outcome = report(&sandbox, &[real.to_str().unwrap(), "--json"]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let value: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(value["runs"].as_array().unwrap().len(), 6);
    assert_eq!(value["broken"].as_array().unwrap().len(), 2);
    assert!(value["runs"].as_array().unwrap().iter().all(|run| {
        run["wh_per_1000_prompts"]["gpu"].is_null() && run["numbers_from"] == "report"
    }));
    assert_eq!(outcome.stderr.lines().count(), 2, "{}", outcome.stderr);
    assert!(outcome.stderr.contains("warning: ") && outcome.stderr.contains("optimum_cpu_empty"));
    let csv = report(&sandbox, &[real.to_str().unwrap(), "--csv"]).stdout;
    assert_eq!(csv.lines().count(), 9, "{csv}");
    assert!(!csv.contains("0.0000,0.0000"), "{csv}");
}

#[test]
fn page_is_overwritten_only_on_request() {
    let sandbox = sandbox();
    let page = sandbox.cwd().join("page.html");
    let outcome = report(&sandbox, &["--html", "page.html"]);
    assert_eq!((outcome.code, &*outcome.stdout), (Some(0), ""));
    let first = fs::read(&page).unwrap();
    let outcome = report(&sandbox, &["--html", "page.html"]);
    assert_eq!(outcome.code, Some(1));
    assert!(outcome.stderr.contains("is there already"), "{}", outcome.stderr);
    fs::write(&page, "mine").unwrap();
    assert_eq!(report(&sandbox, &["--html", "page.html", "--overwrite"]).code, Some(0));
    assert_eq!(fs::read(&page).unwrap(), first, "equal results make an equal page");
    assert_eq!(report(&sandbox, &["--html", "page.html", "--json"]).code, Some(2));
}

/// Unpacks an archive with Python, verifies its checksums with `sha256sum`, and returns the output.
fn verified(archive: &Path) -> String {
    let folder = tempfile::tempdir().unwrap();
    let unpack = "import sys, zipfile; zipfile.ZipFile(sys.argv[1]).extractall(sys.argv[2])";
    let mut python = Command::new("python3");
    python.args(["-c", unpack]).arg(archive).arg(folder.path());
    assert!(python.status().unwrap().success());
    let sums = Command::new("sha256sum")
        .args(["--check", "--strict", "SHA256SUMS"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    let checksums = String::from_utf8(sums.stdout).unwrap();
    assert!(sums.status.success(), "{checksums}");
    assert!(folder.path().join("MANIFEST.json").exists());
    checksums
}

#[test]
fn valid_run_is_packed_with_its_checksums() {
    let sandbox = sandbox();
    fs::write(sandbox.cwd().join("results/my notes.txt"), "mine").unwrap();
    let outcome = report(&sandbox, &["--submission", "out.zip"]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("the mean of 10 runs, and this is 1"), "{}", outcome.stderr);
    let archive = sandbox.cwd().join("out.zip");
    let checksums = verified(&archive);
    for name in ["GPU_ENERGY_SUMMARY.json", "GPU_ENERGY_WH.txt", "benchmark.log", "host_meter.json"]
    {
        assert!(checksums.contains(&format!("{name}: OK")), "{checksums}");
    }
    assert!(!checksums.contains("notes"), "{checksums}");

    let first = fs::read(&archive).unwrap();
    let again = report(&sandbox, &["--submission", "out.zip"]);
    assert_eq!(again.code, Some(1));
    assert!(again.stderr.contains("is there already"), "{}", again.stderr);
    assert_eq!(report(&sandbox, &["--submission", "out.zip", "--overwrite"]).code, Some(0));
    assert_eq!(fs::read(&archive).unwrap(), first, "equal logs make equal bytes");

    let second = sandbox.cwd().join("second");
    Leaves { gpu_wh: Some(21.5), ..Leaves::score() }.write(&second);
    let both = report(&sandbox, &["results", "second", "--submission", "two.zip"]);
    assert_eq!(both.code, Some(0), "{}", both.stderr);
    assert!(verified(&sandbox.cwd().join("two.zip")).contains("run-02/benchmark.log: OK"));
}

#[test]
fn invalid_run_is_refused_with_every_reason() {
    let sandbox = Sandbox::new(None);
    let results = sandbox.cwd().join("results");
    Leaves { model: "org/m", gpu_wh: None, prompts: 20 }.write(&results);
    edit(&results.join("GPU_ENERGY_SUMMARY.json"), |summary| {
        summary["run"]["seconds"] = 1.5.into()
    });
    let outcome = report(&sandbox, &["--submission", "out.zip"]);
    assert_eq!(outcome.code, Some(1));
    assert!(!sandbox.cwd().join("out.zip").exists());
    insta::assert_snapshot!(outcome.stderr, @r"
    refused ./results: `run` in `GPU_ENERGY_SUMMARY.json` is not what `benchmark_report.json` gives [unaltered: logs are unaltered, and of this very test]
    refused ./results: no GPU was measured; CPU: RAPL counter, read by codecarbon 3.0.8; RAM: estimated from a model, by codecarbon 3.0.8 [energy: GPU energy alone is scored, and it is measured]
    refused ./results: 20 prompts were answered, of 1000; run with `-n 1000` [dataset: a task is its dataset of 1,000 prompts]
    error: no submission was made; the rules are in https://huggingface.github.io/AIEnergyScore/#evaluating-models (index.md of commit a5b9a04, December 2025)
    ");
}

#[test]
fn settings_that_differ_from_the_task_are_refused_with_their_values() {
    let sandbox = sandbox();
    let results = sandbox.cwd().join("results");
    edit(&results.join("run_record.json"), |record| {
        record["completion_tokens"] = 3000.into();
        record["prompt_format"] = "chat template, reasoning_effort=low".into();
        (record["prompts_cut"], record["prompt_tokens_cut"]) = (2.into(), 17.into());
        let scenario = &mut record["scenario"];
        scenario["generate_kwargs"]["max_new_tokens"] = 3.into();
        scenario["generate_kwargs"]["do_sample"] = true.into();
        scenario["reasoning"] = true.into();
        scenario["truncation"] = serde_json::Value::Null;
    });
    edit(&results.join("benchmark_config.json"), |config| {
        config["scenario"]["truncation"] = serde_json::Value::Null;
    });
    let summary = backend_reports::read(&backend_reports::Folder::open(&results).unwrap()).unwrap();
    edit(&results.join("GPU_ENERGY_SUMMARY.json"), |file| {
        file["run"] = serde_json::to_value(&summary.run).unwrap();
    });
    let outcome = report(&sandbox, &["--submission", "out.zip"]);
    assert_eq!(outcome.code, Some(1));
    assert!(!sandbox.cwd().join("out.zip").exists());
    insta::assert_snapshot!(outcome.stderr, @r"
    refused ./results: `scenario.generate_kwargs.max_new_tokens` was 3 (`run_record.json`), and the task's is 10; leave it out [length: every answer has 10 tokens, neither fewer nor more]
    refused ./results: `scenario.generate_kwargs.do_sample` was true (`run_record.json`), and the task's is false; leave it out [sampling: every token is the likeliest one]
    refused ./results: `scenario.reasoning` was true (`run_record.json`), and the task's is false; leave it out [template: prompts are plain text; reasoning is a task of its own]
    refused ./results: the logs do not tell `scenario.truncation`, and the task's is true; run again with `aienergyscore run`, whose logs tell it [truncation: the model reads every prompt of the dataset as it is]
    refused ./results: the model got its prompts by way of its chat template, reasoning_effort=low, and the task's are plain text; leave `scenario.reasoning` out [template: prompts are plain text; reasoning is a task of its own]
    refused ./results: 1000 answers have 3000 tokens, 3.0 each, and the task's have 10; leave the settings of their length out [length: every answer has 10 tokens, neither fewer nor more]
    refused ./results: 2 prompts were cut, and 17 of their tokens not read; choose a model that holds them [truncation: the model reads every prompt of the dataset as it is]
    error: no submission was made; the rules are in https://huggingface.github.io/AIEnergyScore/#evaluating-models (index.md of commit a5b9a04, December 2025)
    ");
}

#[test]
#[ignore = "needs Docker and `cargo xtask smoke` once before"]
fn real_runs_are_reported_and_can_be_repeated() {
    let ada = Ada::with(&[smoke::GGUF]);
    let first = run(&ada, &["-n", "2"]);
    assert!(first.status.success(), "{}", said(&first));
    let report = |args: &[&str]| {
        let output = ada.command(&[&["report"], args].concat()).output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    let read =
        |args: &[&str]| -> serde_json::Value { serde_json::from_str(&report(args)).unwrap() };
    let once = read(&["--json"]);
    let only = &once["runs"][0];
    assert_eq!((&only["complete"], &only["warnings"]), (&true.into(), &serde_json::json!([])));
    assert_eq!(only["prompts"]["value"], 2.0);
    assert!(only["wh_per_1000_prompts"]["gpu"].is_null(), "{only}");
    let repeat = &only["summary"]["repeat"];
    assert!(repeat["image_id"].as_str().unwrap().starts_with("sha256:"), "{repeat}");
    assert_eq!(repeat["image_digest"], serde_json::Value::Null, "built locally");

    // The recorded command repeats the run.
    let words = repeat["command"].as_array().unwrap().iter();
    let words: Vec<_> = words.map(|word| word.as_str().unwrap()).collect();
    let at = words.iter().position(|word| *word == "aienergyscore").unwrap();
    let again = ada.command(&words[at + 1..]).output().unwrap();
    assert!(again.status.success(), "{}", said(&again));
    let both = read(&["--json", "--previous"]);
    assert_eq!(both["groups"].as_array().unwrap().len(), 1, "{}", both["groups"]);
    assert_eq!(both["groups"][0]["tokens_per_second"]["n"], 2);

    report(&["--previous", "--html", "page.html"]);
    let page = fs::read_to_string(ada.home().join("page.html")).unwrap();
    assert!(page.contains("<h1>2 runs of ") && page.contains("GPU not measured"));
    let refused = ada.command(&["report", "--submission", "out.zip"]).output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    assert!(said(&refused).contains("`native` backend"), "{}", said(&refused));
}
