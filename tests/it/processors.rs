//! The static program on emulated processors with and without vector instructions.

use std::process::Command;

use crate::harness::smoke;

/// Runs the `native` backend on an emulated processor; what it printed. Started as its supervisor
/// starts it: a child of an emulated supervisor would run on the real processor.
fn on_processor(model: &str) -> String {
    let results = tempfile::tempdir().unwrap();
    let output = Command::new("qemu-x86_64")
        .args(["-cpu", model])
        .arg(smoke::entrypoint())
        .args(["__native", &std::process::id().to_string()])
        .args([smoke::MODEL, "scenario.num_samples=1", "scenario.generate_kwargs.max_new_tokens=1"])
        .arg("scenario.warmup_runs=0")
        .env_clear()
        .env("HF_HOME", smoke::home())
        .env("RESULTS_DIR", results.path())
        .output()
        .expect("qemu-x86_64 can be started; install qemu-user");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{model}: {said}{stderr}");
    assert!(results.path().join("benchmark_report.json").exists());
    said
}

#[test]
#[ignore = "needs qemu-user, and `cargo xtask smoke` once before"]
fn an_old_processor_is_served_and_told_that_it_is_slow() {
    let said = on_processor("Nehalem");
    assert!(said.contains("lacks AVX2"), "{said}");
}

mod long {
    use super::on_processor;

    #[test]
    #[ignore = "needs qemu-user, and `cargo xtask smoke` once before"]
    fn a_processor_with_vector_instructions_is_not_called_slow() {
        let said = on_processor("Haswell");
        assert!(!said.contains("lacks"), "{said}");
    }
}
