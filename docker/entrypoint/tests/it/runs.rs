//! Runs that fail: each prints why, and leaves a completion marker but no summary.

use std::{
    fs,
    os::unix::fs::symlink,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use crate::program::{completion, program, stderr, supervised};

#[test]
fn every_unknown_argument_is_named() {
    let results = tempfile::tempdir().unwrap();
    let args = ["backend.model=m", "backend.dtype=x", "--multirun"];
    let output = supervised(program(results.path()).args(args), "run-1");
    assert_eq!(output.status.code(), Some(2));
    let said = stderr(&output);
    assert!(said.contains("`--multirun` is refused: one run measures one model"), "{said}");
    assert!(said.contains("`backend.dtype=x` is not known"), "{said}");
    assert_eq!(completion(results.path()), (2, "run-1".to_owned()));
}

#[test]
fn failed_run_leaves_the_log_and_no_summary() {
    let results = tempfile::tempdir().unwrap();
    let output = program(results.path()).arg("backend.model=org/absent").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = stderr(&output);
    let cache = results.path().join(".cache/huggingface/hub");
    assert!(said.contains(&format!("not in the Hub cache `{}`", cache.display())), "{said}");
    assert!(said.ends_with("error: the `native` backend failed: exit code 1\n"), "{said}");
    let log = fs::read_to_string(results.path().join("benchmark.log")).unwrap();
    assert!(log.contains("not in the Hub cache"), "{log}");
    assert_eq!(completion(results.path()), (1, String::new()));
    assert!(!results.path().join("GPU_ENERGY_SUMMARY.json").exists());
    assert!(!results.path().join("GPU_ENERGY_WH.txt").exists());
}

#[test]
fn unavailable_backend_is_refused() {
    for (backend, said) in [
        ("optimum", "the `optimum` backend needs the Python stacks, which are not here"),
        ("fast", "BENCHMARK_BACKEND: unknown backend `fast`"),
    ] {
        let results = tempfile::tempdir().unwrap();
        let output = program(results.path()).env("BENCHMARK_BACKEND", backend).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr(&output).contains(said), "{}", stderr(&output));
        assert_eq!(completion(results.path()).0, 2);
    }
}

#[test]
fn earlier_report_is_archived_and_not_summarised() {
    let results = tempfile::tempdir().unwrap();
    for name in ["benchmark_report.json", "GPU_ENERGY_SUMMARY.json", "mine.txt"] {
        fs::write(results.path().join(name), "old").unwrap();
    }
    let output = program(results.path()).arg("backend.model=org/absent").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("moved the outputs of an earlier run to"));
    assert!(!results.path().join("benchmark_report.json").exists());
    assert!(results.path().join("mine.txt").exists());
    let previous: Vec<_> = fs::read_dir(results.path().join("previous")).unwrap().collect();
    assert_eq!(previous.len(), 1);
    let folder = previous[0].as_ref().unwrap().path();
    assert_eq!(fs::read_to_string(folder.join("benchmark_report.json")).unwrap(), "old");
}

#[test]
fn planted_symlink_is_not_followed() {
    let results = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let precious = elsewhere.path().join("precious");
    fs::write(&precious, "mine").unwrap();
    let names = ["benchmark.log", "RUN_COMPLETE.json", "GPU_ENERGY_SUMMARY.json"];
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        // Plants the symlinks at every moment of the runs.
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                for name in names {
                    let _ = symlink(&precious, results.path().join(name));
                }
            }
        });
        for _ in 0..20 {
            program(results.path()).arg("backend.model=org/absent").output().unwrap();
        }
        is_over.store(true, Ordering::Relaxed);
    });
    assert_eq!(fs::read_to_string(&precious).unwrap(), "mine");

    fs::remove_dir_all(results.path().join("previous")).unwrap();
    fs::write(results.path().join("benchmark_report.json"), "old").unwrap();
    symlink(elsewhere.path(), results.path().join("previous")).unwrap();
    let output = program(results.path()).arg("backend.model=m").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("`previous` is a symlink"), "{}", stderr(&output));
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 1);
}

#[test]
fn unwritable_results_folder_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let results = folder.path().join("file");
    fs::write(&results, "in the way").unwrap();
    let output = program(&results).arg("backend.model=m").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = stderr(&output);
    assert!(said.contains(&format!("results folder `{}`", results.display())), "{said}");
}

#[test]
#[cfg(not(feature = "native"))]
fn build_without_inference_names_the_one_that_has_it() {
    let results = tempfile::tempdir().unwrap();
    let model = results.path().join("m.gguf");
    fs::write(&model, "GGUF").unwrap();
    let model = format!("backend.model={}", model.display());
    let output = program(results.path()).arg(model).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = stderr(&output);
    assert!(said.contains("was built without the `native` backend; `cargo xtask smoke"), "{said}");
}

#[test]
fn native_backend_exits_without_its_supervisor() {
    let results = tempfile::tempdir().unwrap();
    let output = program(results.path()).args(["__native", "1", "a=b"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("the supervisor ended before"), "{}", stderr(&output));
}
