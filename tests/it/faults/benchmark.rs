//! Broken outputs of a benchmark, in a fake container.
//!
//! Elsewhere: no outputs (`fake_runs`), broken reports of the stacks (the entrypoint's tests of
//! summaries).

use std::fs;

use insta::assert_snapshot;

use super::{Fake, IN_TIME};
use crate::fake_runs::GOOD;

/// A good run, and then this.
fn and_then(script: &str) -> Fake {
    Fake::new(&format!("{GOOD}\n{script}"))
}

#[test]
fn truncated_summary_fails_the_run_and_is_kept() {
    let fake = and_then(
        r#"head -c 100 "$RESULTS/GPU_ENERGY_SUMMARY.json" >"$RESULTS/half" &&
           mv "$RESULTS/half" "$RESULTS/GPU_ENERGY_SUMMARY.json""#,
    );
    assert_snapshot!(fake.run(&[]), @r#"
    exit code 1, in time
    error: the benchmark reports success, but its summary `CWD/results/GPU_ENERGY_SUMMARY.json` is not a summary; it is kept as it is, and an image of another version may have written it: EOF while parsing an object at line 1 column 100
    kept: GPU_ENERGY_SUMMARY.json, RUN_COMPLETE.json, benchmark_report.json
    containers: none
    "#);
    let summary = fs::read(fake.results().join("GPU_ENERGY_SUMMARY.json")).unwrap();
    assert_eq!(summary.len(), 100, "it is as the benchmark left it");
}

#[test]
fn summary_with_nan_fails_the_run() {
    let fake =
        and_then(r#"sed -i 's/"seconds":1.0/"seconds":NaN/' "$RESULTS/GPU_ENERGY_SUMMARY.json""#);
    assert_snapshot!(fake.run(&[]), @r#"
    exit code 1, in time
    error: the benchmark reports success, but its summary `CWD/results/GPU_ENERGY_SUMMARY.json` is not a summary; it is kept as it is, and an image of another version may have written it: expected value at line 4 column 61
    kept: GPU_ENERGY_SUMMARY.json, RUN_COMPLETE.json, benchmark_report.json
    containers: none
    "#);
}

#[test]
fn truncated_completion_marker_proves_nothing() {
    let fake = and_then(r#"printf '{"run_id":"2026' >"$RESULTS/RUN_COMPLETE.json""#);
    assert_snapshot!(fake.run(&[]), @r#"
    exit code 1, in time
    error: docker reports success, which is not believed: the completion marker `RUN_COMPLETE.json` is missing or broken
    results so far: CWD/results
    kept: GPU_ENERGY_SUMMARY.json, RUN_COMPLETE.json, benchmark_report.json
    containers: none
    "#);
}

#[test]
fn completion_marker_of_another_run_proves_nothing() {
    let fake = and_then(
        r#"printf '{"run_id":"20200101T000000Z-1","exit_code":0}' >"$RESULTS/RUN_COMPLETE.json""#,
    );
    assert_snapshot!(fake.run(&[]), @r#"
    exit code 1, in time
    error: docker reports success, which is not believed: the completion marker `RUN_COMPLETE.json` is of another run, "20200101T000000Z-1"
    results so far: CWD/results
    kept: GPU_ENERGY_SUMMARY.json, RUN_COMPLETE.json, benchmark_report.json
    containers: none
    "#);
}

#[test]
fn files_of_a_gigabyte_are_not_read_into_memory() {
    for name in ["benchmark_report.json", "GPU_ENERGY_SUMMARY.json", "RUN_COMPLETE.json"] {
        let fake = and_then(&format!(r#"truncate -s 1G "$RESULTS/{name}""#));
        let left = fake.run(&[]);
        match name {
            "benchmark_report.json" => assert_snapshot!(left, @r#"
            exit code 0, in time
            kept: GPU_ENERGY_SUMMARY.json, RUN_COMPLETE.json, benchmark_report.json, host_meter.json
            containers: none
            "#),
            "GPU_ENERGY_SUMMARY.json" => assert_snapshot!(left, @r#"
            exit code 1, in time
            error: the benchmark reports success, but its summary `CWD/results/GPU_ENERGY_SUMMARY.json` is not a summary; it is kept as it is, and an image of another version may have written it: it is larger than 16 MiB
            kept: GPU_ENERGY_SUMMARY.json, RUN_COMPLETE.json, benchmark_report.json
            containers: none
            "#),
            _ => assert_snapshot!(left, @r#"
            exit code 1, in time
            error: reading `CWD/results/RUN_COMPLETE.json`: it is larger than 16 MiB
            kept: GPU_ENERGY_SUMMARY.json, RUN_COMPLETE.json, benchmark_report.json
            containers: none
            "#),
        }
        let length = fs::metadata(fake.results().join(name)).unwrap().len();
        assert_eq!(length, 1 << 30, "{name} is as the benchmark left it");
    }
}

#[test]
fn folder_in_place_of_an_output_fails_the_run() {
    let fake = Fake::new(r#"mkdir "$RESULTS/RUN_COMPLETE.json""#);
    assert_snapshot!(fake.run(&[]), @r#"
    exit code 1, in time
    error: reading `CWD/results/RUN_COMPLETE.json`: it is a folder, not a regular file
    kept: nothing
    containers: none
    "#);
}

#[test]
fn fifo_in_place_of_an_output_is_not_waited_for() {
    // Nobody writes to it: reading it would last for ever.
    for name in ["GPU_ENERGY_SUMMARY.json", "RUN_COMPLETE.json"] {
        let fake = and_then(&format!(r#"cd "$RESULTS" && rm {name} && mkfifo {name}"#));
        let left = fake.run(&[]);
        match name {
            "GPU_ENERGY_SUMMARY.json" => assert_snapshot!(left, @r#"
            exit code 1, in time
            error: docker reports success, which is not believed: `GPU_ENERGY_SUMMARY.json` is missing
            results so far: CWD/results
            kept: GPU_ENERGY_SUMMARY.json, RUN_COMPLETE.json, benchmark_report.json
            containers: none
            "#),
            _ => assert_snapshot!(left, @r#"
            exit code 1, in time
            error: reading `CWD/results/RUN_COMPLETE.json`: it is a FIFO, not a regular file
            kept: GPU_ENERGY_SUMMARY.json, RUN_COMPLETE.json, benchmark_report.json
            containers: none
            "#),
        }
    }
}

#[test]
fn hundred_thousand_lines_are_passed_through() {
    // As fast as they come: far more than 10,000 a second.
    let fake = and_then("seq -f 'line %.0f of a long output' 100000; seq 100000 >&2");
    let mut command = fake.command(&[]);
    let begun = std::time::Instant::now();
    let output = command.output().unwrap();
    assert!(begun.elapsed() < IN_TIME, "{:?}", begun.elapsed());
    assert_eq!(output.status.code(), Some(0));
    for (text, last) in
        [(&output.stdout, "line 100000 of a long output"), (&output.stderr, "100000")]
    {
        let text = String::from_utf8_lossy(text);
        let lines = text.lines().filter(|line| {
            line.ends_with(|c: char| c.is_ascii_digit()) || line.starts_with("line ")
        });
        assert!(lines.count() >= 100_000 && text.contains(last), "lines are lost");
    }
    assert_eq!(fake.containers(), [""; 0]);
}
