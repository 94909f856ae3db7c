//! Runs and results folders for tests.

use std::{fs, path::Path};

use contract::{
    Backend,
    host_meter::{HostMeter, MeteredDevice, Phase},
    output::{COMPLETION, Completion, ENERGY_WH, HOST_METER, LOG, RECORD, REPORT, SUMMARY},
    summary::{Device, DeviceKind, Measurement, Repeat, Run, Status, Summary},
};

use backend_reports::{Details, Sourced};

use super::finished_run::{FinishedRun, Origin};

/// A run of 20 prompts on an H100 that used `total` Wh, with phases and the host's meter.
pub(super) fn measured(name: &str, total: f64) -> FinishedRun {
    let device = |name: &str, kind, energy_wh, status, source: &str| Device {
        name: name.into(),
        kind,
        energy_wh,
        status,
        source: source.into(),
    };
    let summary = Summary {
        units: "Wh".into(),
        total: Some(total),
        format: "optimum".into(),
        preprocess_wh: Some(total * 0.02),
        prefill_wh: Some(total * 0.28),
        decode_wh: Some(total * 0.7),
        measurement: Measurement {
            status: Status::Measured,
            source: "GPU: NVML energy counter, read by codecarbon 3.0.8; CPU: RAPL counter".into(),
            devices: vec![
                device(
                    "NVIDIA H100 80GB HBM3",
                    DeviceKind::Gpu,
                    total,
                    Status::Measured,
                    "NVML energy counter, read by codecarbon 3.0.8",
                ),
                device("CPU", DeviceKind::Cpu, total / 5.0, Status::Measured, "RAPL counter"),
                device("RAM", DeviceKind::Ram, total / 50.0, Status::Estimated, "a model"),
            ],
            tracked: None,
        },
        run: Run {
            backend: Backend::Optimum,
            model: "openai/gpt-oss-20b".into(),
            prompts_asked: Some(20),
            prompts: 20,
            prompts_failed: 0,
            prompt_tokens: Some(7382),
            prompts_cut: Some(0),
            prompt_tokens_cut: Some(0),
            completion_tokens: Some(200),
            seconds: Some(8.0),
            tokens_per_second: Some(25.0),
            time_to_first_token_seconds: Some(0.0421),
            phases: vec![],
        },
        notes: vec![],
        cache: None,
        host: None,
        repeat: Some(repeat()),
    };
    FinishedRun {
        folder: Path::new("results").join(name),
        origin: Origin::Summary,
        summary,
        completion: Some(Completion { run_id: name.into(), exit_code: 0, same_kernel: None }),
        meter: Some((meter(total), HOST_METER)),
        details: Details {
            dataset: Some(Sourced {
                value: "EnergyStarAI/text_generation".into(),
                from: "run_record.json: dataset",
            }),
            dtype: Some(Sourced { value: "bfloat16".into(), from: "run_record.json: dtype" }),
            batch_size: Some(Sourced {
                value: 1,
                from: "benchmark_config.json: scenario.input_shapes.batch_size",
            }),
            gpus: Some(Sourced { value: 1, from: "run_record.json: energy.gpu.devices" }),
            seed: Some(Sourced { value: "42".into(), from: "run_record.json: seed" }),
        },
        warnings: vec![],
    }
}

/// A run on a CPU whose energy was estimated.
pub(super) fn on_cpu(name: &str) -> FinishedRun {
    let mut run = measured(name, 1.0);
    let summary = &mut run.summary;
    (summary.total, summary.format) = (None, "native".into());
    (summary.preprocess_wh, summary.prefill_wh, summary.decode_wh) = (None, None, None);
    summary.measurement = Measurement {
        status: Status::Estimated,
        source: "no GPU was measured; CPU: estimated from CPU seconds".into(),
        devices: vec![Device {
            name: "CPU".into(),
            kind: DeviceKind::Cpu,
            energy_wh: 0.036,
            status: Status::Estimated,
            source: "CPU seconds of the container × 10 W".into(),
        }],
        tracked: None,
    };
    summary.run.backend = Backend::Native;
    summary.run.model = "HuggingFaceTB/SmolLM2-360M-Instruct-GGUF".into();
    summary.notes = vec!["the weights are quantised".into()];
    run.meter = None;
    run.details = Details::default();
    run
}

/// A folder with the files of `run`.
pub(super) fn written(run: &FinishedRun) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: String| fs::write(folder.path().join(name), text).unwrap();
    write(SUMMARY, serde_json::to_string_pretty(&run.summary).unwrap());
    write(ENERGY_WH, backend_reports::energy_text(&run.summary) + "\n");
    write(COMPLETION, serde_json::to_string(&run.completion.as_ref().unwrap()).unwrap());
    write(LOG, "said by the benchmark\n".to_owned());
    write(REPORT, "{}".to_owned());
    if run.details != Details::default() {
        let record = serde_json::json!({
            "dataset": "EnergyStarAI/text_generation", "dtype": "bfloat16", "seed": 42,
            "energy": { "gpu": { "devices": ["NVIDIA H100 80GB HBM3"] } },
        });
        write(RECORD, record.to_string());
        let config = serde_json::json!({ "scenario": { "input_shapes": { "batch_size": 1 } } });
        write(backend_reports::CONFIG, config.to_string());
    }
    if let Some((meter, _)) = &run.meter {
        write(HOST_METER, serde_json::to_string(meter).unwrap());
    }
    folder
}

/// A copy of a real report of a stack.
pub(super) fn real(name: &str) -> tempfile::TempDir {
    let all =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../docker/backend_reports/tests/reports");
    let folder = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(all.join(name)).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
    }
    folder
}

fn repeat() -> Repeat {
    let words = |text: &str| text.split(' ').map(str::to_owned).collect();
    Repeat {
        version: "0.1.0".into(),
        begun: "2026-11-24T01:05:16Z".into(),
        command: words(
            "env HF_HOME=/home/ada/.cache/huggingface aienergyscore run --engine docker --image \
             ai_energy_score:latest --backend optimum --results /home/ada/results --gpus 1 -- \
             backend.model=openai/gpt-oss-20b scenario.num_samples=20",
        ),
        container: words("docker run --name aienergyscore-1 --gpus all ai_energy_score:latest"),
        engine: "docker, rootful".into(),
        image: Some("ai_energy_score:latest".into()),
        image_id: Some(format!("sha256:{}", "5f".repeat(32))),
        image_digest: None,
    }
}

/// 2 s idle, loading until 6 s, then three phases, of which decode is the longest.
fn meter(total: f64) -> HostMeter {
    let phase = |name: &str, from, to| Phase { name: name.into(), from, to };
    let power = (1..=160).map(|step| {
        let second = f64::from(step) / 10.0;
        let watts = match second {
            s if s < 2.0 => 72.0,
            s if s < 6.0 => 110.0 + 15.0 * (s * 3.0).sin(),
            s if s < 7.0 => 240.0,
            s if s < 9.0 => 520.0 + 40.0 * (s * 9.0).sin(),
            s if s < 14.5 => 390.0 + 25.0 * (s * 14.0).sin(),
            _ => 90.0,
        };
        (second, watts)
    });
    HostMeter {
        begun: 1000.0,
        seconds: 16.0,
        phases: vec![
            phase("preprocess", 6.0, 7.0),
            phase("prefill", 7.0, 9.0),
            phase("decode", 9.0, 14.5),
        ],
        idle_seconds: Some(10.0),
        devices: vec![MeteredDevice {
            name: "NVIDIA H100 80GB HBM3".into(),
            id: Some("GPU-5f0c".into()),
            kind: DeviceKind::Gpu,
            energy_wh: total * 1.6,
            counted_wh: Some(total * 1.01),
            idle_watts: Some(71.5),
            status: Status::Measured,
            source: "NVML total energy counter".into(),
            power: power.collect(),
            others: vec![],
        }],
        own_percent: None,
        notes: vec![],
    }
}
