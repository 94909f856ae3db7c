//! Reports of real runs.

mod broken;
mod keys;
mod properties;
mod versions;

use std::{fs, path::Path};

use contract::{
    Backend,
    host_meter::Phase,
    output,
    summary::{Device, DeviceKind, Measurement, Status, Summary},
};
use serde_json::{Value, json};

use super::{Folder, energy_text, source::node::Node};
use crate::native::report::{Answer, Config, Report, Totals};

/// The summary of the report in `folder`.
fn read(folder: &Path) -> anyhow::Result<Summary> {
    super::read(&Folder::open(folder)?)
}

/// A copy of a folder of `tests/reports`.
fn real(name: &str) -> tempfile::TempDir {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reports").join(name);
    let folder = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
    }
    folder
}

/// The same with an edited report.
fn edited(name: &str, edit: impl Fn(&mut Value)) -> tempfile::TempDir {
    let folder = real(name);
    let path = folder.path().join(output::REPORT);
    let mut report = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    edit(&mut report);
    fs::write(path, report.to_string()).unwrap();
    folder
}

fn refused(folder: &Path) -> String {
    format!("{:#}", read(folder).unwrap_err()).replace(folder.to_str().unwrap(), "")
}

/// A record of the adapter.
fn record(stack: &str, gpu: bool) -> Value {
    let source = |status: &str, source: &str| json!({"status": status, "source": source});
    let mut energy = json!({
        "cpu": source("measured", "RAPL counter, read by codecarbon 3.0.8"),
        "ram": source("estimated", "a model, by codecarbon 3.0.8"),
    });
    if gpu {
        energy["gpu"] = source("measured", "NVML energy counter, read by codecarbon 3.0.8");
        energy["gpu"]["devices"] = json!(["NVIDIA H100 80GB HBM3"]);
    }
    json!({
        "stack": stack, "model": "/models/SmolLM2-135M-Instruct",
        "device": if gpu { "cuda" } else { "cpu" },
        "prompts_asked": 6, "prompts_answered": 4, "prompts_failed": 0, "prompt_tokens": 30,
        "completion_tokens": 40, "seconds": 2.0, "first_token_seconds": 0.25, "energy": energy,
        "phases": [{"name": "preprocess", "from": 7.5, "to": 7.75}, {"name": "prompts", "from": 9, "to": 11}],
        "notes": ["the dataset has 4"], "more": "is not read",
    })
}

fn with_record(folder: tempfile::TempDir, record: Value) -> tempfile::TempDir {
    fs::write(folder.path().join(output::RECORD), record.to_string()).unwrap();
    folder
}

fn pretty(summary: &Summary) -> String {
    serde_json::to_string_pretty(summary).unwrap()
}

#[test]
fn real_reports_of_all_backends_are_summarized() {
    for name in [
        "optimum_cpu",
        "optimum_cpu_latency",
        "ai_energy_benchmarks_cpu",
        "vllm_llama_cpp",
        "vllm_transformers_serve",
    ] {
        insta::assert_snapshot!(name, pretty(&read(real(name).path()).unwrap()));
    }
}

#[test]
fn run_without_answers_is_refused() {
    let messages = ["optimum_cpu_empty", "vllm_all_failed"].map(|name| refused(real(name).path()));
    insta::assert_snapshot!(messages.join("\n"));
}

#[test]
fn score_counts_gpu_energy_of_three_phases() {
    let folder = edited("optimum_cpu", |report| {
        for (phase, kwh) in [
            ("load_dataset", 1e-3),
            ("preprocess_dataset", 2e-6),
            ("load_model", 5e-3),
            ("prefill", 3e-5),
            ("decode", 4e-4),
        ] {
            report[phase]["energy"]["gpu"] = json!(kwh);
        }
    });
    let foreign = read(folder.path()).unwrap();
    assert!((foreign.total.unwrap() - 0.432).abs() < 1e-9, "{foreign:?}");
    assert_eq!(foreign.measurement.devices[0].status, Status::Measured);

    let summary = read(with_record(folder, record("optimum", true)).path()).unwrap();
    insta::assert_snapshot!(pretty(&summary));
}

#[test]
fn gpu_counts_only_if_it_ran_the_model_and_used_energy() {
    let gpu = |report: &mut Value| report["energy"]["gpu_energy_wh"] = json!(7.0);
    let mut on_cpu = record("pytorch", true);
    on_cpu["device"] = json!("cpu");
    let folder = with_record(edited("ai_energy_benchmarks_cpu", gpu), on_cpu);
    let summary = read(folder.path()).unwrap();
    assert_eq!(summary.total, None);
    assert!(summary.notes[0].contains("ran on the CPU"), "{:?}", summary.notes);

    // A counter that does not move is a missing value, not 0 Wh.
    let folder = with_record(real("ai_energy_benchmarks_cpu"), record("pytorch", true));
    let summary = read(folder.path()).unwrap();
    assert_eq!(summary.total, None);
    assert!(summary.notes[0].contains("did not move"), "{:?}", summary.notes);

    // Without a record, the device of the model is known from the report alone.
    let listed = |report: &mut Value| report["gpu_stats"] = json!({"gpu_0": {}});
    let summary = read(edited("vllm_llama_cpp", listed).path()).unwrap();
    assert_eq!(summary.total, None);
    assert!(summary.notes[0].contains("did not move"), "{:?}", summary.notes);
    let summary = read(edited("ai_energy_benchmarks_cpu", gpu).path()).unwrap();
    assert_eq!(summary.total, Some(7.0));
    assert!(summary.notes[0].contains("at rest"), "{:?}", summary.notes);
}

#[test]
fn run_shorter_than_the_tracker_overhead_has_no_score() {
    let gpu = |report: &mut Value| report["energy"]["gpu_energy_wh"] = json!(7.0);
    let with = |waited: f64| {
        let mut of = record("pytorch", true);
        of["tracked"] = json!({"worked_seconds": 2.0, "waited_seconds": waited});
        read(with_record(edited("ai_energy_benchmarks_cpu", gpu), of).path()).unwrap()
    };
    assert_eq!(with(0.2).total, Some(7.0));
    let short = with(1.0);
    assert_eq!((short.total, short.measurement.devices[0].energy_wh), (None, 7.0));
    insta::assert_snapshot!(energy_text(&short), @"not measured: too short to measure: 1.00 s of the tracker's own waiting count beside 2.00 s of work; its energies are in GPU_ENERGY_SUMMARY.json");
}

#[test]
fn failed_prompts_are_counted_and_noted() {
    let folder = edited("ai_energy_benchmarks_cpu", |report| {
        report["summary"]["successful_prompts"] = json!(3);
        report["summary"]["failed_prompts"] = json!(1);
        report["config"]["num_samples"] = json!(9);
    });
    let summary = read(folder.path()).unwrap();
    assert_eq!((summary.run.prompts, summary.run.prompts_failed), (3, 1));
    insta::assert_snapshot!(summary.notes.join("\n"), @r"
    1 of 4 prompts failed: their energy counts, their answers do not
    9 prompts were asked for, 4 ran
    ");
}

#[test]
fn negative_decode_energy_is_noted() {
    let folder = edited("optimum_cpu", |report| {
        for key in ["cpu", "ram", "total"] {
            report["decode"]["energy"][key] = json!(-1e-7);
        }
    });
    let summary = read(folder.path()).unwrap();
    assert!(summary.notes[0].contains("too short"), "{:?}", summary.notes);
}

fn native(answers: usize) -> String {
    let answer = Answer {
        prompt: "p".into(),
        completion: "c".into(),
        prompt_tokens: 3,
        prompt_tokens_cut: 0,
        completion_tokens: 10,
        time_to_first_token_seconds: 0.25,
        seconds: 0.5,
    };
    let answers = vec![answer; answers];
    let report = Report {
        format: Backend::Native,
        version: "0".into(),
        config: Config {
            model: "org/m".into(),
            file: "m.gguf".into(),
            revision: None,
            file_sha256: None,
            architecture: "llama".into(),
            weights_stored: "1 x Q4_1".into(),
            weights_computed: "1 x Q8_0".into(),
            device: "cpu".into(),
            threads: 2,
            vector_kernels: true,
            dataset: None,
            num_samples_asked: 2,
            num_samples: 2,
            min_new_tokens: 10,
            max_new_tokens: 10,
            seed: 42,
            sampling: "greedy".into(),
            prompt_format: "plain text".into(),
        },
        summary: Totals::of(&answers, 0),
        energy: Measurement {
            status: Status::NotMeasured,
            source: "no counter".into(),
            devices: vec![],
            tracked: None,
        },
        phases: vec![Phase { name: "prompts".into(), from: 12.5, to: 13.0 }],
        notes: vec!["2 of 2".into()],
        prompts: answers,
    };
    serde_json::to_string(&report).unwrap()
}

fn of_native(answers: usize) -> anyhow::Result<Summary> {
    let report = serde_json::from_str(&native(answers)).unwrap();
    Ok(super::native::summary(&Node::root(output::REPORT, &report))?.summary)
}

#[test]
fn native_summary_has_no_gpu_energy() {
    let summary = of_native(2).unwrap();
    assert_eq!(summary.total, None);
    assert_eq!(summary.format, "native");
    assert_eq!(summary.run.model, "org/m");
    assert_eq!(summary.run.prompts, 2);
    assert_eq!(summary.run.completion_tokens, Some(20));
    assert_eq!(summary.run.tokens_per_second, Some(20.0));
    assert_eq!(summary.run.time_to_first_token_seconds, Some(0.25));
    assert_eq!(summary.run.phases, [Phase { name: "prompts".into(), from: 12.5, to: 13.0 }]);
    assert_eq!(summary.notes, ["2 of 2"]);
    assert_eq!(energy_text(&summary), "not measured: no counter");
}

#[test]
fn energy_file_keeps_all_digits_and_has_gpu_energy_only() {
    let mut summary = of_native(1).unwrap();
    summary.measurement.status = Status::Measured;
    summary.measurement.devices = vec![Device {
        name: "package-0".into(),
        kind: DeviceKind::Cpu,
        energy_wh: 1.0,
        status: Status::Measured,
        source: "RAPL".into(),
    }];
    assert_eq!(
        energy_text(&summary),
        "not measured: no GPU was measured; other devices are in GPU_ENERGY_SUMMARY.json"
    );
    summary.total = Some(0.000_000_123);
    assert_eq!(energy_text(&summary), "0.000000123");
}
