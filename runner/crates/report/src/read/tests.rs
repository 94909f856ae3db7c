//! Results folders: complete, of a stack alone, and broken.

use std::{fs, os::unix::net::UnixListener, path::Path};

use backend_reports::Folder;
use contract::output::{COMPLETION, HOST_METER, REPORT, SUMMARY};
use host::testing::broken;
use proptest::prelude::*;

use super::read_all;
use crate::{
    finished_run::{FinishedRun, Origin},
    output::{csv, json, page, table},
    report::Report,
    testing::{measured, real, written},
};

pub(crate) fn read(folder: &Path) -> anyhow::Result<FinishedRun> {
    super::read(&Folder::open(folder)?)
}

fn refused(folder: &Path) -> String {
    format!("{:#}", read(folder).unwrap_err()).replace(folder.to_str().unwrap(), "")
}

/// The files of a complete run, one of them edited or removed.
fn edited(name: &str, edit: impl Fn(String) -> Option<String>) -> tempfile::TempDir {
    let folder = written(&measured("1", 0.42));
    let path = folder.path().join(name);
    match edit(fs::read_to_string(&path).unwrap()) {
        Some(text) => fs::write(path, text).unwrap(),
        None => fs::remove_file(path).unwrap(),
    }
    folder
}

#[test]
fn a_written_run_is_read_unchanged() {
    let run = measured("1", 0.42);
    let folder = written(&run);
    let found = read(folder.path()).unwrap();
    assert_eq!((found.summary, found.meter, found.origin), (run.summary, run.meter, run.origin));
    assert_eq!((found.completion, found.details), (run.completion, run.details));
    assert_eq!(found.warnings, [""; 0]);
}

#[test]
fn implausible_host_energies_are_left_out_with_a_warning() {
    let warnings = |key: &str, value: serde_json::Value| {
        let folder = edited(HOST_METER, |text| {
            let mut meter: serde_json::Value = serde_json::from_str(&text).unwrap();
            meter["devices"][0][key] = value.clone();
            Some(meter.to_string())
        });
        let run = read(folder.path()).unwrap();
        assert_eq!(run.meter, None, "{key}");
        run.warnings.join("\n")
    };
    let said = [
        warnings("counted_wh", serde_json::json!(-1.0)),
        warnings("energy_wh", serde_json::json!(1e300)),
        warnings("idle_watts", serde_json::json!(-5.0)),
    ];
    insta::assert_snapshot!(said.join("\n"), @r"
    what the host metered is left out: `host_meter.json`: the energy of NVIDIA H100 80GB HBM3 is -1e0 Wh, which no run draws
    what the host metered is left out: `host_meter.json`: the energy of NVIDIA H100 80GB HBM3 is 1e300 Wh, which no run draws
    what the host metered is left out: `host_meter.json`: NVIDIA H100 80GB HBM3 draws -5e0 W at rest, which is below 0
    ");
}

#[test]
fn folders_of_a_stack_alone_are_read() {
    for (name, model) in [
        ("optimum_cpu", "/models/SmolLM2-135M-Instruct"),
        ("ai_energy_benchmarks_cpu", "/models/SmolLM2-135M-Instruct"),
        ("vllm_transformers_serve", "Qwen/Qwen2.5-0.5B-Instruct"),
    ] {
        let folder = real(name);
        let run = read(folder.path()).unwrap();
        assert!(matches!(run.origin, Origin::Report(_)), "{name}");
        assert_eq!(run.summary.run.model, model);
        assert!(
            run.warnings.iter().any(|warning| warning.contains("made of")),
            "{:?}",
            run.warnings
        );
        assert!(run.details.dataset.is_some(), "{name}");
    }
    insta::assert_snapshot!(refused(real("vllm_all_failed").path()), @"making a summary of `/benchmark_report.json`: none of its 2 prompts was answered; the backend's output says why");
    let folder = real("optimum_cpu");
    fs::rename(folder.path().join(REPORT), folder.path().join("benchmark.json")).unwrap();
    insta::assert_snapshot!(refused(folder.path()), @"neither `GPU_ENERGY_SUMMARY.json` nor `benchmark_report.json` is there: the run did not get so far, or its files were not copied along; here are `benchmark.json`, `benchmark_config.json`, `generate_codecarbon.json`, `prefill_codecarbon.json`, `preprocess_dataset_codecarbon.json`");
    // AIEnergyScore's own summarizer writes only these keys, and 0 for what it did not measure.
    let folder = real("ai_energy_benchmarks_cpu");
    let summary = r#"{"units": "Wh", "total": 0.0, "format": "ai_energy_benchmarks"}"#;
    fs::write(folder.path().join(SUMMARY), summary).unwrap();
    let run = read(folder.path()).unwrap();
    assert_eq!(run.summary.total, None);
    assert!(
        run.warnings.iter().any(|warning| warning.contains("another program")),
        "{:?}",
        run.warnings
    );
}

#[test]
fn broken_files_are_named_with_the_reason() {
    let summary = |from: &'static str, to: &'static str| {
        let folder = edited(SUMMARY, |text| {
            assert!(text.contains(from), "{text}");
            Some(text.replacen(from, to, 1))
        });
        refused(folder.path())
    };
    let with = |name, text: Option<&str>| refused(edited(name, |_| text.map(str::to_owned)).path());
    let half = edited(SUMMARY, |text| Some(text[..text.len() / 2].to_owned()));
    let neither = edited(SUMMARY, |_| None);
    fs::remove_file(neither.path().join(REPORT)).unwrap();
    let large = edited(SUMMARY, Some);
    fs::File::create(large.path().join(SUMMARY)).unwrap().set_len(1 << 30).unwrap();
    let socket = edited(SUMMARY, |_| None);
    let _socket = UnixListener::bind(socket.path().join(SUMMARY)).unwrap();
    let said = [
        refused(half.path()),
        refused(neither.path()),
        refused(large.path()),
        refused(socket.path()),
        with(SUMMARY, Some("")),
        with(SUMMARY, Some("[]")),
        with(SUMMARY, Some("{\"units\": \"Wh\", \"total\": 1}")),
        with(COMPLETION, Some("{\"run_id\": \"r\", \"exit_code\": 137}")),
        with(COMPLETION, Some("{\"run_id\": ")),
        summary("\"total\": 0.42", "\"total\": NaN"),
        summary("\"total\": 0.42", "\"total\": -1"),
        summary("\"total\": 0.42", "\"total\": 1e300"),
        summary("\"prompts\": 20", "\"prompts\": 0"),
        summary("\"status\": \"measured\"", "\"status\": \"guessed\""),
        summary("\"prompts_failed\": 0,", ""),
        summary("\"units\": \"Wh\"", "\"units\": \"kWh\""),
        summary("\"seconds\": 8.0", "\"seconds\": -8.0"),
        summary("\"seconds\": 8.0", "\"seconds\": 8e300"),
    ];
    insta::assert_snapshot!("broken", said.join("\n"));
}

#[test]
fn a_missing_or_corrupt_companion_of_the_summary_is_a_warning() {
    let folder = edited(COMPLETION, |_| None);
    let run = read(folder.path()).unwrap();
    assert!(run.warnings[0].contains("nothing proves"), "{:?}", run.warnings);
    let folder = edited(HOST_METER, |_| Some("{\"begun\": NaN}".into()));
    let run = read(folder.path()).unwrap();
    assert_eq!(run.meter, None);
    assert!(run.warnings[0].contains("power over time is not known"), "{:?}", run.warnings);
    let folder = edited(HOST_METER, |_| None);
    let mut run = measured("1", 0.42);
    run.summary.host = run.meter.take().map(|(meter, _)| meter);
    fs::write(folder.path().join(SUMMARY), serde_json::to_vec(&run.summary).unwrap()).unwrap();
    assert_eq!(read(folder.path()).unwrap().meter.unwrap().1, SUMMARY);
}

#[test]
fn a_broken_folder_does_not_stop_the_others() {
    let root = tempfile::tempdir().unwrap();
    for (name, run) in [("a", Some(0.4)), ("b", None), ("c", Some(0.5))] {
        let folder = root.path().join(name);
        match run {
            Some(total) => fs::rename(written(&measured(name, total)).keep(), folder).unwrap(),
            None => {
                fs::create_dir(&folder).unwrap();
                fs::write(folder.join(SUMMARY), "{").unwrap();
            }
        }
    }
    let folders = [root.path().to_owned(), root.path().join("missing")];
    let (runs, broken) = read_all(&folders, false, super::read);
    assert_eq!((runs.len(), broken.len()), (2, 2));
    assert_eq!(broken[0].folder, root.path().join("missing"));
    assert_eq!(broken[1].folder, root.path().join("b"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_file_with_any_content_makes_a_run_or_a_broken_folder_in_every_format(
        file in proptest::sample::select(vec![SUMMARY, COMPLETION, HOST_METER, REPORT, "run_record.json"]),
        seed in broken(&serde_json::to_string(&measured("1", 0.42).summary).unwrap()),
    ) {
        let folder = written(&measured("1", 0.42));
        fs::write(folder.path().join(file), seed).unwrap();
        let (runs, broken) = read_all(&[folder.path().to_owned()], false, super::read);
        prop_assert_eq!(runs.len() + broken.len(), 1);
        let report = Report::of(runs, broken);
        let csv = csv::text(&report).unwrap();
        prop_assert_eq!(::csv::Reader::from_reader(csv.as_bytes()).records().count(), 1);
        prop_assert_eq!(csv.contains("BROKEN: "), report.runs.is_empty());
        let value: serde_json::Value = serde_json::from_str(&json::text(&report)).unwrap();
        let prompts = &value["runs"][0]["prompts"]["value"];
        prop_assert_eq!(prompts.is_number(), report.broken.is_empty());
        let texts = [csv, table::text(&report, None), page::html(&report)];
        for text in &texts {
            prop_assert!(!text.contains("NaN") && !text.contains("inf "), "{}", text);
            prop_assert!(!text.chars().any(|char| char != '\n' && untrusted::is_unseen(char)));
        }
    }
}
