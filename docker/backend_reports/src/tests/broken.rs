//! Broken reports.

use std::{fs, path::Path};

use contract::output;
use serde_json::{Value, json};

use super::{edited, read, real, record, refused, with_record};

const OPTIMUM: &str = "optimum_cpu";
const OTHER: &str = "ai_energy_benchmarks_cpu";

/// A real report with a replacement in its text, as Python's JSON is not always valid.
fn retold(name: &str, from: &str, to: &str) -> tempfile::TempDir {
    let folder = real(name);
    let path = folder.path().join(output::REPORT);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{from}");
    fs::write(path, text.replacen(from, to, 1)).unwrap();
    folder
}

fn optimum(edit: impl Fn(&mut Value)) -> tempfile::TempDir {
    edited(OPTIMUM, edit)
}

fn other(edit: impl Fn(&mut Value)) -> tempfile::TempDir {
    edited(OTHER, edit)
}

/// Removes a key of an object.
fn drop_key(object: &mut Value, key: &str) {
    object.as_object_mut().unwrap().remove(key).unwrap();
}

#[test]
fn unknown_report_is_described() {
    let folders = [
        optimum(|report| *report = json!({})),
        optimum(|report| *report = json!([1])),
        optimum(|report| *report = json!({"version": 2, "runs": []})),
        optimum(|report| report["decode"]["energy"]["unit"] = json!("BTU")),
        optimum(|report| report["prefill"]["energy"] = Value::Null),
        optimum(|report| report["decode"]["energy"]["gpu"] = Value::Null),
        optimum(|report| {
            let phase = report["decode"].take();
            *report = json!({"load_model": phase, "forward": phase});
        }),
        other(|report| report["energy"]["error"] = json!("NVML is gone")),
        other(|report| drop_key(&mut report["energy"], "gpu_energy_wh")),
        other(|report| report["config"]["backend"] = json!("tgi")),
        other(|report| report["summary"]["total_prompts"] = json!(0)),
        other(|report| report["energy"] = json!({})),
        other(|report| report["energy"] = Value::Null),
        other(|report| report["energy"] = json!([1])),
        optimum(|report| report["format"] = json!("html")),
        optimum(|report| *report = json!({"config": {}, "report": report})),
        optimum(|report| *report = json!({"units": "Wh", "total": 1.0, "format": "optimum"})),
        optimum(|report| *report = json!({"load_model": {}, "prefill": {}, "decode": {}})),
        optimum(|report| *report = json!("a report")),
        optimum(|report| *report = (0..99).map(|key| (key.to_string(), json!(key))).collect()),
    ];
    let messages = folders.map(|folder| refused(folder.path()));
    insta::assert_snapshot!(messages.join("\n"));

    let broken = real("optimum_cpu");
    fs::write(broken.path().join(output::REPORT), "{\"decode\": ").unwrap();
    assert!(refused(broken.path()).contains("is not what it should be: it is cut off"));
    fs::remove_file(broken.path().join(output::REPORT)).unwrap();
    assert!(refused(broken.path()).contains("there is no `/benchmark_report.json`"));
    fs::create_dir(broken.path().join(output::REPORT)).unwrap();
    assert!(refused(broken.path()).contains("reading `/benchmark_report.json`: it is a folder"));
    let missing = format!("{:#}", read(Path::new("/nowhere")).unwrap_err());
    assert!(missing.contains("there is no folder `/nowhere`"), "{missing}");
}

#[test]
fn invalid_energy_is_refused_by_name() {
    let gpu = "\"gpu\": 0.0";
    // The first two phases with an energy are `load_dataset` and `preprocess_dataset`.
    let later = |value: &str| {
        let folder = retold(OPTIMUM, "\"gpu\": 0.0", "\"gpu\": 1.0");
        let path = folder.path().join(output::REPORT);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(path, text.replacen(gpu, &format!("\"gpu\": {value}"), 1)).unwrap();
        folder
    };
    let wh = "\"gpu_energy_wh\": 0.0";
    let folders = [
        later("NaN"),
        later("Infinity"),
        later("-Infinity"),
        later("null"),
        later("\"0.5\""),
        later("[1e-3, 2e-3]"),
        later("-1e-3"),
        later("1e300"),
        later("1e999"),
        optimum(|report| report["decode"]["energy"]["gpu"] = json!(-1e-3)),
        optimum(|report| report["prefill"]["energy"] = json!([report["prefill"]["energy"]])),
        optimum(|report| report["prefill"] = json!([1])),
        optimum(|report| report["decode"] = Value::Null),
        optimum(|report| report["decode"]["latency"] = json!({"total": 1e300})),
        optimum(|report| report["decode"]["energy"]["total"] = json!("NaN")),
        optimum(|report| drop_key(&mut report["prefill"]["energy"], "unit")),
        retold(OTHER, wh, "\"gpu_energy_wh\": NaN"),
        retold(OTHER, wh, "\"gpu_energy_wh\": -1.0"),
        retold(OTHER, wh, "\"gpu_energy_wh\": 1e300"),
        retold(OTHER, "\"energy_kwh\": 0.0", "\"error\": \"\\u001b[2J\", \"energy_kwh\": 0.0"),
    ];
    let messages = folders.map(|folder| refused(folder.path()));
    insta::assert_snapshot!(messages.join("\n"));

    // An invalid energy of an uncounted phase is ignored.
    let folder = retold(OPTIMUM, gpu, "\"gpu\": NaN");
    read(folder.path()).unwrap();
    let folder = retold(OTHER, "\"carbon_intensity_g_per_kwh\": 4", "\"more\": NaN, \"c\": 4");
    read(folder.path()).unwrap();
}

#[test]
fn invalid_count_is_refused_by_name() {
    let totals = |key: &'static str, value: Value| {
        other(move |report| report["summary"][key] = value.clone())
    };
    let folders = [
        totals("total_prompts", json!(-4)),
        totals("total_prompts", json!(5)),
        totals("successful_prompts", json!(u64::MAX)),
        totals("failed_prompts", json!(0.5)),
        totals("total_duration_seconds", json!(-1)),
        totals("total_completion_tokens", json!("NaN")),
        other(|report| drop_key(&mut report["summary"], "total_prompts")),
        other(|report| report["config"]["num_samples"] = json!(-1)),
        other(|report| report["config"]["model"] = Value::Null),
        other(|report| report["config"]["backend"] = json!("native")),
    ];
    let messages = folders.map(|folder| refused(folder.path()));
    insta::assert_snapshot!(messages.join("\n"));
}

#[test]
fn incomplete_record_or_one_of_another_run_is_refused() {
    let changed = |folder: &str, key: &str, value: Value| {
        let stack = if folder == OPTIMUM { "optimum" } else { "pytorch" };
        let mut record = record(stack, false);
        record[key] = value;
        with_record(real(folder), record)
    };
    let nan = with_record(real(OTHER), json!({}));
    let text = record("pytorch", false).to_string().replace("2.0", "NaN");
    fs::write(nan.path().join(output::RECORD), text).unwrap();
    let folders = [
        with_record(real(OTHER), json!({"stack": "pytorch"})),
        with_record(real(OTHER), json!([])),
        nan,
        changed(OTHER, "stack", json!("native")),
        changed(OTHER, "seconds", json!(-1.0)),
        changed(OTHER, "energy", json!({"cpu": {"status": "guessed"}})),
        changed(OTHER, "notes", json!([1])),
        changed(OTHER, "stack", json!("vllm")),
        changed(OTHER, "model", json!("org/other")),
        changed(OTHER, "prompts_answered", json!(3)),
        changed(OTHER, "prompts_failed", json!(1)),
        changed(OPTIMUM, "stack", json!("pytorch")),
        changed(OPTIMUM, "model", json!("org/other")),
        changed(OPTIMUM, "prompts_answered", json!(3)),
        with_record(
            other(|report| report["energy"]["gpu_energy_wh"] = json!(7.0)),
            record("pytorch", false),
        ),
    ];
    let messages = folders.map(|folder| refused(folder.path()));
    insta::assert_snapshot!(messages.join("\n"));

    let folder = changed(OTHER, "device", Value::Null);
    assert_eq!(read(folder.path()).unwrap().run.prompts, 4);
}

#[test]
fn companion_files_of_another_run_are_refused() {
    let beside = |name: &str, text: &str| {
        let folder = real(OPTIMUM);
        fs::write(folder.path().join(name), text).unwrap();
        refused(folder.path())
    };
    let messages = [
        beside("benchmark_config.json", ""),
        beside("benchmark_config.json", "[]"),
        beside("benchmark_config.json", "{\"scenario\": {\"num_samples\": 20}}"),
        beside("benchmark_config.json", "{\"scenario\": {\"num_samples\": NaN}}"),
        beside("generate_codecarbon.json", "{\"duration\": Infinity}"),
        beside("generate_codecarbon.json", "{\"duration\": -1}"),
    ];
    insta::assert_snapshot!(messages.join("\n"));

    // For a report alone, the efficiency gives the number of prompts.
    let folder = real(OPTIMUM);
    for name in ["benchmark_config.json", "generate_codecarbon.json"] {
        fs::remove_file(folder.path().join(name)).unwrap();
    }
    let summary = read(folder.path()).unwrap();
    assert_eq!((summary.run.prompts, &*summary.run.model), (4, "not recorded"));
    assert_eq!((summary.run.seconds, summary.run.completion_tokens), (None, None));
}
