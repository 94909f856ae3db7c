//! The image has another version or architecture.
//!
//! Elsewhere: a missing image, and one that cannot be inspected (`fake_runs`).

use insta::assert_snapshot;

use super::Fake;
use crate::fake_runs::GOOD;

/// A machine whose image is of this flavour, version and architecture.
fn with_image(flavour: &str, version: &str, architecture: &str) -> Fake {
    let fake = Fake::new(GOOD);
    fake.result("benchmark_report.json", "precious");
    fake.docker.answer("version", r#"{"Arch":"amd64","Version":"20.10.24"}"#);
    let labels = format!(
        r#"{{"org.aienergyscore.flavour":{flavour},"org.opencontainers.image.version":"{version}"}}"#
    );
    let image = format!(r#"{{"Architecture":"{architecture}","Config":{{"Labels":{labels}}}}}"#);
    fake.docker.answer("image", &image);
    fake
}

#[test]
fn image_of_another_architecture_stops_the_run() {
    let fake = with_image(r#""smoke""#, env!("CARGO_PKG_VERSION"), "arm64");
    assert_snapshot!(fake.run(&[]), @r#"
    exit code 1, in time
    error: the image `ai_energy_score:smoke` is made for arm64, and docker runs on amd64: its programs do not start there ("exec format error"), or are emulated, and then the emulation is measured; build it with `cargo xtask build-image --flavour smoke`, or name another with --flavour or --image
    kept: benchmark_report.json
    containers: none
    "#);
}

#[test]
fn image_of_another_version_is_a_warning() {
    let fake = with_image(r#""smoke""#, "0.0.7", "amd64");
    assert_snapshot!(fake.run(&[]), @r#"
    exit code 0, in time
    warning: the image `ai_energy_score:smoke` is of version 0.0.7, and this program is 0.1.0: they may not understand each other; build it with `cargo xtask build-image --flavour smoke`
    earlier results: moved to CWD/results/previous/TIME
    kept: GPU_ENERGY_SUMMARY.json, RUN_COMPLETE.json, benchmark_report.json, host_meter.json, previous/TIME/benchmark_report.json
    containers: none
    "#);
}
