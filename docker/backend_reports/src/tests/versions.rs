//! Reports of other versions of the stacks, in the format of their sources: optimum-benchmark 0.2.1 to
//! 0.6.0 and its branch of September 2024, ai_energy_benchmarks since October 2025. The numbers are
//! made up.

use std::fs;

use contract::{
    output,
    summary::{Status, Summary},
};
use serde_json::{Value, json};

use super::{edited, read, refused};

/// A folder with a report and other files.
fn folder(files: &[(&str, Value)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, value) in files {
        fs::write(folder.path().join(name), value.to_string()).unwrap();
    }
    folder
}

/// A phase with 4 units of work and a GPU energy `gpu` in `unit`.
fn phase(unit: &str, gpu: f64) -> Value {
    let (cpu, ram) = (gpu / 4.0, gpu / 8.0);
    let total = gpu + cpu + ram;
    json!({
        "memory": null, "latency": null, "throughput": null,
        "energy": {"unit": unit, "cpu": cpu, "ram": ram, "gpu": gpu, "total": total},
        "efficiency": {"unit": format!("samples/{unit}"), "value": 4.0 / total},
    })
}

fn unmeasured() -> Value {
    json!({
        "memory": null, "latency": null, "throughput": null, "energy": null, "efficiency": null,
    })
}

/// `benchmark_config.json` of a run on a GPU.
fn config(num_samples: i64) -> Value {
    json!({
        "name": "text_generation",
        "backend": {"name": "pytorch", "model": "org/m", "device": "cuda", "device_ids": "0"},
        "scenario": {
            "name": "energy_star", "num_samples": num_samples,
            "generate_kwargs": {"max_new_tokens": 10, "min_new_tokens": 10},
        },
        "environment": {"gpu": ["NVIDIA H100 80GB HBM3"], "gpu_count": 1},
    })
}

/// The used keys of `*_codecarbon.json`.
fn tracked() -> Value {
    json!({"duration": 2.0, "codecarbon_version": "2.7.1", "gpu_model": "1 x NVIDIA H100"})
}

/// Energies and notes of a summary.
fn shown(summary: &Summary) -> String {
    let Summary { total, preprocess_wh, prefill_wh, decode_wh, measurement, run, notes, .. } =
        summary;
    let round = |energy: &Option<f64>| energy.map(|energy| (energy * 1e6).round() / 1e6);
    let phases = [preprocess_wh, prefill_wh, decode_wh].map(round);
    let devices = measurement.devices.iter();
    let devices: Vec<_> =
        devices.map(|device| format!("{}: {}", device.name, device.source)).collect();
    format!(
        "{:?} of {phases:?}\n{}\n{:?} prompts, {:?} tokens, {:?} s\n{}\n",
        round(total),
        devices.join("\n"),
        run.prompts,
        run.completion_tokens,
        run.seconds,
        notes.join("\n")
    )
}

#[test]
fn first_phase_is_preprocess_up_to_0_4() {
    let report = json!({
        "preprocess": phase("kWh", 1e-3), "per_token": unmeasured(),
        "prefill": phase("kWh", 2e-3), "decode": phase("kWh", 4e-3),
    });
    let whole = folder(&[
        (output::REPORT, report.clone()),
        ("benchmark_config.json", config(4)),
        ("task_codecarbon.json", tracked()),
    ]);
    insta::assert_snapshot!(shown(&read(whole.path()).unwrap()), @r"
    Some(7.0) of [Some(1.0), Some(2.0), Some(4.0)]
    NVIDIA H100 80GB HBM3: energy counter of the GPUs, read by codecarbon 2.7.1
    CPU: codecarbon 2.7.1; its report does not name the source
    RAM: codecarbon 2.7.1; its report does not name the source
    4 prompts, Some(40) tokens, Some(2.0) s
    the phase is called `preprocess`, as by optimum-benchmark up to 0.4: its decode was a whole second pass, so the total counts prefill twice
    ");

    // For -1 these versions ran the whole dataset, and reported a negative efficiency.
    let mut all = report;
    let value = &mut all["preprocess"]["efficiency"]["value"];
    *value = json!(-value.as_f64().unwrap() / 4.0);
    let all = folder(&[(output::REPORT, all), ("benchmark_config.json", config(-1))]);
    insta::assert_snapshot!(refused(all.path()), @r"making a summary of `/benchmark_report.json`: nothing tells how many prompts ran: its first phase has no efficiency, and `benchmark_config.json` beside it no number in `scenario.num_samples`");

    let mut alone = phase("kWh", 1e-3);
    alone["efficiency"] = Value::Null;
    let alone = json!({"preprocess": alone, "prefill": alone, "decode": alone});
    insta::assert_snapshot!(refused(folder(&[(output::REPORT, alone)]).path()), @r"making a summary of `/benchmark_report.json`: nothing tells how many prompts ran: its first phase has no efficiency, and `benchmark_config.json` beside it no number in `scenario.num_samples`");
}

#[test]
fn branch_of_the_first_scores_lists_energies_by_pass() {
    let measured = |gpu: f64| {
        let mut measured = phase("kWh", gpu);
        measured["measures"] = json!([phase("kWh", gpu)["energy"], phase("kWh", gpu)["energy"]]);
        measured
    };
    let mut preprocess = phase("kWh", 1e-3);
    preprocess["measures"] = Value::Null;
    let report = json!({
        "preprocess": preprocess, "per_token": unmeasured(),
        "prefill": measured(2e-3), "decode": measured(4e-3),
    });
    let branch = folder(&[
        (output::REPORT, report),
        ("benchmark_config.json", config(4)),
        ("generate_codecarbon.json", tracked()),
    ]);
    insta::assert_snapshot!(shown(&read(branch.path()).unwrap()), @r"
    Some(7.0) of [Some(1.0), Some(2.0), Some(4.0)]
    NVIDIA H100 80GB HBM3: energy counter of the GPUs, read by codecarbon 2.7.1
    CPU: codecarbon 2.7.1; its report does not name the source
    RAM: codecarbon 2.7.1; its report does not name the source
    4 prompts, Some(40) tokens, Some(2.0) s
    energies of prefill and decode are means of 2 passes
    ");
}

#[test]
fn loading_phases_are_never_counted() {
    let counted = json!({
        "preprocess_dataset": phase("kWh", 1e-3), "prefill": phase("kWh", 2e-3),
        "decode": phase("kWh", 4e-3),
    });
    let bare = shown(&read(folder(&[(output::REPORT, counted.clone())]).path()).unwrap());
    insta::assert_snapshot!(bare, @r"
    Some(7.0) of [Some(1.0), Some(2.0), Some(4.0)]
    GPU: energy counter of the GPUs, read by the stack's tracker
    CPU: the stack's tracker; its report does not name the source
    RAM: the stack's tracker; its report does not name the source
    4 prompts, None tokens, None s
    ");
    for loading in ["load_dataset", "load_model", "load", "first_generate", "per_token"] {
        for phase in [phase("kWh", 9.0), unmeasured(), json!("NaN")] {
            let mut report = counted.clone();
            report[loading] = phase;
            assert_eq!(shown(&read(folder(&[(output::REPORT, report)]).path()).unwrap()), bare);
        }
    }
}

#[test]
fn each_phase_has_its_own_unit() {
    let report = json!({
        "preprocess_dataset": phase("J", 3600.0), "prefill": phase("Wh", 2.0),
        "decode": phase("KWH", 4e-3),
    });
    let summary = read(folder(&[(output::REPORT, report)]).path()).unwrap();
    assert!((summary.total.unwrap() - 7.0).abs() < 1e-9, "{:?}", summary.total);
    assert_eq!(summary.run.prompts, 4);
}

#[test]
fn other_tasks_and_scenarios_are_refused() {
    let with = |phases: &[&str]| -> String {
        let report = phases.iter().map(|name| ((*name).to_owned(), phase("kWh", 1e-3))).collect();
        refused(folder(&[(output::REPORT, report)]).path())
    };
    let messages = [
        with(&["preprocess", "forward"]),
        with(&["load_dataset", "preprocess_dataset", "load_model", "call"]),
        with(&["load", "prefill", "decode", "per_token"]),
        with(&["load_model", "first_generate", "generate", "prefill", "decode"]),
        with(&["overall", "warmup", "train"]),
    ];
    insta::assert_snapshot!(messages.join("\n"));
}

#[test]
fn negative_decode_energy_is_noted_for_every_kind_of_device() {
    let mut report = json!({
        "preprocess_dataset": phase("kWh", 1e-3), "prefill": phase("kWh", 2e-3),
        "decode": phase("kWh", 4e-3),
    });
    report["decode"]["energy"]["gpu"] = json!(-1e-3);
    let summary = read(folder(&[(output::REPORT, report.clone())]).path()).unwrap();
    assert_eq!((summary.total, summary.decode_wh), (Some(2.0), Some(-1.0)));
    assert!(summary.notes[0].contains("too short"), "{:?}", summary.notes);

    // A rounding error is no energy.
    report["preprocess_dataset"]["energy"]["cpu"] = json!(0.0);
    report["prefill"]["energy"]["cpu"] = json!(1.0);
    report["decode"]["energy"]["cpu"] = json!(-1.0 - 1e-12);
    let summary = read(folder(&[(output::REPORT, report)]).path()).unwrap();
    let names = summary.measurement.devices.iter().map(|device| &*device.name);
    assert_eq!(names.collect::<Vec<_>>(), ["GPU", "RAM"]);
}

#[test]
fn missing_energy_is_unknown_rather_than_zero() {
    let no_energy = edited("ai_energy_benchmarks_cpu", |report| {
        for key in ["cpu_energy_wh", "ram_energy_wh"] {
            report["energy"][key] = json!(0.0);
        }
    });
    let summary = read(no_energy.path()).unwrap();
    assert_eq!(summary.measurement.status, Status::NotMeasured);
    assert_eq!(summary.measurement.devices, []);
    insta::assert_snapshot!(
        summary.measurement.source,
        @"no GPU was measured; CPU: not known, as its tracker tells 0 Wh; RAM: not known, as its tracker tells 0 Wh"
    );
}

#[test]
fn extreme_numbers_are_summarized_or_refused() {
    let report = json!({
        "preprocess_dataset": unmeasured(), "prefill": phase("kWh", 0.0), "decode": phase("kWh", 0.0),
    });
    let mut measured = report.clone();
    measured["preprocess_dataset"]["energy"] = phase("kWh", 0.0)["energy"].clone();
    let many = folder(&[
        (output::REPORT, measured),
        ("benchmark_config.json", config(i64::MAX)),
        ("generate_codecarbon.json", json!({"duration": 0.0})),
    ]);
    assert!(refused(many.path()).contains("nothing tells how many prompts ran"));
    let none = folder(&[(output::REPORT, report)]);
    assert!(refused(none.path()).contains("`preprocess_dataset` has no energy"));
}

#[test]
fn early_reports_of_ai_energy_benchmarks_are_summarized() {
    let lacking = |keys: &[(&str, &str)]| {
        edited("vllm_transformers_serve", |report| {
            report["energy"]["gpu_energy_wh"] = json!(7.0);
            for (object, key) in keys {
                let object = if object.is_empty() { &mut *report } else { &mut report[*object] };
                object.as_object_mut().unwrap().remove(*key).unwrap();
            }
        })
    };
    let early = lacking(&[
        ("summary", "avg_time_to_first_token"),
        ("config", "device_ids"),
        ("", "gpu_stats"),
    ]);
    insta::assert_snapshot!(shown(&read(early.path()).unwrap()), @r"
    Some(7.0) of [None, None, None]
    GPU: energy counter of the GPUs, read by codecarbon 3.0.4
    CPU: codecarbon 3.0.4; its report does not name the source
    RAM: codecarbon 3.0.4; its report does not name the source
    4 prompts, None tokens, Some(4.564449071884155) s
    the model ran in a server: the GPUs are those that the benchmark itself saw
    the server did not count tokens
    ");

    let first = lacking(&[
        ("energy", "gpu_energy_wh"),
        ("energy", "cpu_energy_wh"),
        ("energy", "ram_energy_wh"),
    ]);
    insta::assert_snapshot!(refused(first.path()), @r"making a summary of `/benchmark_report.json`: `energy.gpu_energy_wh` is missing; run the benchmark again");
}
