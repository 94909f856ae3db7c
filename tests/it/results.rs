//! Results folders with consistent files, as runs leave them.

use std::{fs, path::Path};

use contract::{
    host_meter::{HostMeter, MeteredDevice, Phase},
    output::{COMPLETION, ENERGY_WH, HOST_METER, LOG, RECORD, REPORT, SUMMARY},
    summary::{DeviceKind, Repeat, Status},
};
use serde_json::{Value, json};

use crate::harness::workspace;

/// optimum-benchmark's own configuration.
const CONFIG: &str = "benchmark_config.json";

/// A run to leave results of.
#[derive(Debug, Clone)]
pub(crate) struct Leaves<'a> {
    pub(crate) model: &'a str,
    /// GPU energy in Wh; without one there was no GPU.
    pub(crate) gpu_wh: Option<f64>,
    pub(crate) prompts: u64,
}

impl Leaves<'_> {
    /// A thousand prompts of the leaderboard's on an H100.
    pub(crate) fn score() -> Self {
        Self { model: "openai/gpt-oss-20b", gpu_wh: Some(21.6), prompts: 1000 }
    }

    /// Writes all files of the run to the new `folder`.
    pub(crate) fn write(&self, folder: &Path) {
        let Self { model, gpu_wh, prompts } = self;
        fs::create_dir_all(folder).unwrap();
        let real = workspace().join("docker/backend_reports/tests/reports/optimum_cpu");
        for entry in fs::read_dir(real).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), folder.join(entry.file_name())).unwrap();
        }
        edit(&folder.join(CONFIG), |config| {
            config["backend"]["model"] = json!(model);
            config["scenario"]["num_samples"] = json!(prompts);
        });
        edit(&folder.join(REPORT), |report| {
            for (phase, share) in [("preprocess_dataset", 0.02), ("prefill", 0.28), ("decode", 0.7)]
            {
                report[phase]["energy"]["gpu"] = json!(gpu_wh.unwrap_or(0.0) * share / 1000.0);
            }
            let first = &mut report["preprocess_dataset"];
            let total = first["energy"]["total"].as_f64().unwrap();
            first["efficiency"]["value"] = json!(*prompts as f64 / total);
        });
        let source = |status: &str, source: &str| json!({"status": status, "source": source});
        let mut energy = json!({
            "cpu": source("measured", "RAPL counter, read by codecarbon 3.0.8"),
            "ram": source("estimated", "a model, by codecarbon 3.0.8"),
        });
        if gpu_wh.is_some() {
            energy["gpu"] = source("measured", "NVML energy counter, read by codecarbon 3.0.8");
            energy["gpu"]["devices"] = json!(["NVIDIA H100 80GB HBM3"]);
        }
        let record = json!({
            "stack": "optimum", "model": model, "device": if gpu_wh.is_some() { "cuda" } else { "cpu" },
            "dataset": "EnergyStarAI/text_generation", "dtype": "bfloat16", "seed": 42,
            "prompts_asked": prompts, "prompts_answered": prompts, "prompts_failed": 0,
            "prompt_tokens": 369_139, "completion_tokens": prompts * 10, "seconds": 412.5,
            "first_token_seconds": 0.0421, "energy": energy, "notes": [], "prompts_cut": 0,
            "prompt_tokens_cut": 0, "prompt_format": "plain text", "scenario": scenario(),
        });
        write(folder, RECORD, &record.to_string());
        write(folder, LOG, "said by the benchmark\n");
        write(folder, COMPLETION, "{\"run_id\": \"r\", \"exit_code\": 0}");
        let mut summary =
            backend_reports::read(&backend_reports::Folder::open(folder).unwrap()).unwrap();
        write(folder, ENERGY_WH, &format!("{}\n", backend_reports::energy_text(&summary)));
        summary.repeat = Some(repeat(model));
        write(folder, SUMMARY, &serde_json::to_string_pretty(&summary).unwrap());
        if let Some(energy) = gpu_wh {
            write(folder, HOST_METER, &serde_json::to_string(&meter(*energy)).unwrap());
        }
    }
}

/// The leaderboard's settings, as the adapter records them.
fn scenario() -> Value {
    json!({
        "dataset_name": "EnergyStarAI/text_generation", "dataset_split": "train",
        "text_column_name": "text", "truncation": true, "reasoning": false,
        "input_shapes": {"batch_size": 1}, "warmup_runs": 10,
        "generate_kwargs": {
            "min_new_tokens": 10, "max_new_tokens": 10, "do_sample": false, "num_beams": 1,
            "repetition_penalty": 1.0,
        },
    })
}

fn write(folder: &Path, name: &str, text: &str) {
    fs::write(folder.join(name), text).unwrap();
}

/// Edits a JSON file.
pub(crate) fn edit(path: &Path, edit: impl FnOnce(&mut Value)) {
    let mut value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    edit(&mut value);
    fs::write(path, format!("{value:#}")).unwrap();
}

fn repeat(model: &str) -> Repeat {
    let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let mut command = words("aienergyscore run --engine docker --backend optimum --gpus 1 --");
    command.push(format!("backend.model={model}"));
    Repeat {
        version: "0.1.0".into(),
        begun: "2026-11-24T01:05:16Z".into(),
        command,
        container: words("docker run --name aienergyscore-1 --gpus all ai_energy_score:latest"),
        engine: "docker, rootful".into(),
        image: Some("ai_energy_score:latest".into()),
        image_id: Some(format!("sha256:{}", "5f".repeat(32))),
        image_digest: None,
    }
}

fn meter(energy: f64) -> HostMeter {
    let phase = |name: &str, from, to| Phase { name: name.into(), from, to };
    let device = |name: &str, id: Option<&str>, kind, watts: f64| MeteredDevice {
        name: name.into(),
        id: id.map(str::to_owned),
        kind,
        energy_wh: energy * 1.4,
        counted_wh: Some(energy * 1.01),
        idle_watts: Some(watts / 6.0),
        status: Status::Measured,
        source: "its energy counter".into(),
        // More than a page draws, and as restless as a real one.
        power: (1..=2000)
            .map(|step| {
                let second = f64::from(step) / 4.0;
                let load = if second < 60.0 { 0.2 } else { 0.8 + 0.1 * (second * 5.0).sin() };
                (second, watts * load)
            })
            .collect(),
        others: vec![],
    };
    HostMeter {
        begun: 1000.0,
        seconds: 500.0,
        phases: vec![
            phase("preprocess", 60.0, 64.0),
            phase("prefill", 64.0, 180.0),
            phase("decode", 180.0, 496.0),
        ],
        idle_seconds: Some(10.0),
        devices: vec![
            device("NVIDIA H100 80GB HBM3", Some("GPU-5f0c8a44-11aa"), DeviceKind::Gpu, 500.0),
            device("package-0", None, DeviceKind::Cpu, 90.0),
        ],
        own_percent: None,
        notes: vec![],
    }
}
