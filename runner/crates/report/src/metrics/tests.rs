//! Metrics, each computed again from the files and keys that its trace names.

use std::{fs, path::Path};

use backend_reports::{Folder, Trace, json};
use contract::{
    output::{HOST_METER, SUMMARY},
    summary::{DeviceKind, Status, Tracked},
};

use super::{Metric, Metrics, PHASES};
use crate::{
    finished_run::FinishedRun,
    read::tests::read,
    testing::{measured, on_cpu, real, written},
};

fn all(metrics: &Metrics) -> Vec<(&str, &Metric)> {
    let Metrics {
        gpu,
        phases,
        others,
        served: _,
        too_short: _,
        tokens_per_second,
        tokens_per_joule,
        first_token,
        seconds,
        prompts,
        tokens,
    } = metrics;
    let energies = gpu.iter().chain(others).map(|energy| (energy.kind.name(), &energy.metric));
    let phases = phases.iter().map(|(name, metric)| (*name, metric));
    let joule = tokens_per_joule.iter().map(|(_, metric)| ("tokens/J", metric));
    let named = [
        ("tokens/s", tokens_per_second),
        ("first token", first_token),
        ("seconds", seconds),
        ("tokens", tokens),
    ];
    let named = named.into_iter().filter_map(|(name, metric)| Some((name, metric.as_ref()?)));
    energies.chain(phases).chain(joule).chain(named).chain([("prompts", prompts)]).collect()
}

/// The value of a formula, given those of its keys.
fn evaluate(trace: &Trace, value: &impl Fn(&str, &str) -> Option<f64>) -> Option<f64> {
    let of = |trace: &Trace| evaluate(trace, value);
    Some(match trace {
        Trace::Key { file, path } => value(file, path)?,
        Trace::Number(number) => *number,
        Trace::Sum(terms) => terms.iter().map(of).sum::<Option<f64>>()?,
        Trace::Times(one, two) => of(one)? * of(two)?,
        Trace::Over(one, two) => of(one)? / of(two)?,
    })
}

/// Computes every metric of `run` again from the files in `folder`, and returns their number.
fn trace_all(folder: &Path, run: &FinishedRun) -> usize {
    let opened = Folder::open(folder).unwrap();
    let value = |file: &str, path: &str| {
        let file = json::read(&opened, file).unwrap()?;
        file.pointer(&format!("/{}", path.replace('.', "/")))?.as_f64()
    };
    let metrics = Metrics::of(run);
    for (name, Metric { value: shown, trace, .. }) in all(&metrics) {
        let found = evaluate(trace, &value);
        let is_same =
            found.is_some_and(|found| (found - shown).abs() <= 1e-9 * shown.abs().max(1e-9));
        assert!(is_same, "{}: {name} is {shown}, and `{trace}` is {found:?}", folder.display());
    }
    all(&metrics).len()
}

#[test]
fn every_metric_of_a_summary_is_traced_to_its_keys() {
    for run in [measured("1", 0.42), on_cpu("2")] {
        let folder = written(&run);
        let read = read(folder.path()).unwrap();
        assert_eq!(read.summary, run.summary);
        let numbers = trace_all(folder.path(), &read);
        assert!(numbers >= 6, "{numbers}");
    }
}

#[test]
fn every_metric_of_a_stacks_report_is_traced_to_its_keys() {
    for name in [
        "optimum_cpu",
        "optimum_cpu_latency",
        "ai_energy_benchmarks_cpu",
        "vllm_llama_cpp",
        "vllm_transformers_serve",
    ] {
        let folder = real(name);
        let numbers = trace_all(folder.path(), &read(folder.path()).unwrap());
        assert!(numbers >= 4, "{name}: {numbers}");
    }
}

#[test]
fn a_record_wins_over_the_report_beside_it() {
    let folder = real("optimum_cpu");
    let report = folder.path().join("benchmark_report.json");
    let mut value: serde_json::Value = serde_json::from_slice(&fs::read(&report).unwrap()).unwrap();
    for (phase, kwh) in [("preprocess_dataset", 2e-6), ("prefill", 3e-5), ("decode", 4e-4)] {
        value[phase]["energy"]["gpu"] = kwh.into();
    }
    // One unit differs.
    value["prefill"]["energy"]["unit"] = "Wh".into();
    fs::write(&report, value.to_string()).unwrap();
    let run = read(folder.path()).unwrap();
    assert_eq!(Metrics::of(&run).phases.len(), 3);
    trace_all(folder.path(), &run);

    let record = serde_json::json!({
        "stack": "optimum", "model": "/models/SmolLM2-135M-Instruct", "device": "cuda",
        "prompts_asked": 4, "prompts_answered": 4, "prompts_failed": 0, "prompt_tokens": 30,
        "completion_tokens": 40, "seconds": 2.0, "first_token_seconds": 0.25,
        "energy": {
            "gpu": {"status": "measured", "source": "NVML", "devices": ["NVIDIA H100 80GB HBM3"]},
        },
        "notes": [],
    });
    fs::write(folder.path().join("run_record.json"), record.to_string()).unwrap();
    let run = read(folder.path()).unwrap();
    trace_all(folder.path(), &run);
    let first_token = Metrics::of(&run).first_token.unwrap().trace.to_string();
    assert_eq!(first_token, "run_record.json: first_token_seconds");
}

#[test]
fn gpu_energy_of_the_host_stands_in_for_a_missing_one() {
    let mut run = measured("1", 0.42);
    run.summary.total = None;
    run.summary.measurement.devices.remove(0);
    let metrics = Metrics::of(&run);
    let gpu = metrics.gpu.as_ref().unwrap();
    assert!(gpu.by_host && gpu.kind == DeviceKind::Gpu, "{gpu:?}");
    assert_eq!(gpu.metric.trace.files(), [HOST_METER, SUMMARY]);
    assert_eq!(metrics.phases, []);
    let both = Metrics::of(&measured("1", 0.42));
    assert!(!both.gpu.unwrap().by_host && both.others.iter().any(|other| other.by_host));
}

#[test]
fn energy_of_a_servers_client_is_no_headline() {
    // Measured and estimated, by the benchmark and by the host.
    for mut run in [on_cpu("1"), measured("2", 0.42)] {
        run.summary.run.backend = contract::Backend::Vllm;
        run.summary.total = None;
        if let Some((meter, _)) = &mut run.meter {
            meter.devices.retain(|device| device.kind != DeviceKind::Gpu);
        }
        let metrics = Metrics::of(&run);
        assert_eq!((metrics.headline(), &metrics.tokens_per_joule), (None, &None));
        assert!(!metrics.others.is_empty(), "it is still shown as what it is");
        assert!(super::why_no_gpu(&run).starts_with("the server's energy was not measured; "));
    }
}

#[test]
fn energy_of_a_run_that_is_too_short_is_no_headline() {
    let short = Some(Tracked { worked_seconds: 0.04, waited_seconds: 1.0 });
    let mut run = measured("1", 0.42);
    run.summary.measurement.tracked = short;
    run.summary.total = None;
    // The host's meter does not wait.
    let metrics = Metrics::of(&run);
    let gpu = metrics.gpu.as_ref().unwrap();
    assert!(gpu.by_host && metrics.headline() == Some(gpu), "{metrics:?}");
    let joule = metrics.tokens_per_joule.as_ref().unwrap();
    assert_eq!(joule.1.trace.files(), [SUMMARY, HOST_METER]);
    trace_all(written(&run).path(), &run);

    assert!(super::why_no_gpu(&run).starts_with("too short to measure: 1.00 s of "));

    for mut run in [run, on_cpu("2")] {
        run.summary.measurement.tracked = short;
        run.meter = None;
        let metrics = Metrics::of(&run);
        assert_eq!((metrics.headline(), &metrics.tokens_per_joule), (None, &None));
        assert_eq!(metrics.no_headline(), "too short to measure");
        assert!(metrics.others.iter().all(|energy| energy.too_short), "{metrics:?}");
    }
}

#[test]
fn an_estimate_is_a_headline_without_tokens_per_joule() {
    let metrics = Metrics::of(&on_cpu("1"));
    assert_eq!((&metrics.gpu, &metrics.phases[..]), (&None, &[][..]));
    let headline = metrics.headline().unwrap();
    assert_eq!((headline.kind, headline.metric.status), (DeviceKind::Cpu, Status::Estimated));
    assert_eq!(headline.metric.value, 0.036 / 20.0 * 1000.0);
    assert_eq!(metrics.tokens_per_joule, None, "an estimate knows nothing of the tokens");

    let mut nothing = on_cpu("2");
    nothing.summary.measurement.devices.clear();
    nothing.summary.run.completion_tokens = None;
    let metrics = Metrics::of(&nothing);
    assert_eq!((metrics.headline(), &metrics.tokens_per_second), (None, &None));
}

#[test]
fn one_estimated_device_makes_the_sum_an_estimate() {
    let mut run = measured("1", 0.42);
    let mut second = run.summary.measurement.devices[0].clone();
    second.status = Status::Estimated;
    run.summary.measurement.devices.push(second);
    assert_eq!(Metrics::of(&run).gpu.unwrap().metric.status, Status::Estimated);
    assert_eq!(PHASES.len(), Metrics::of(&run).phases.len());
}
