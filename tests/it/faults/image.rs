//! The image is of another version or for another kind of processor.
//!
//! Elsewhere: a missing image, and one that cannot be asked for (`fake_runs`).

use std::process::Command;

use insta::assert_snapshot;

use super::{Fake, Run};
use crate::{
    ada::{Ada, docker},
    fake_runs::GOOD,
    harness::smoke,
};

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
fn of_another_architecture() {
    let fake = with_image(r#""smoke""#, env!("CARGO_PKG_VERSION"), "arm64");
    assert_snapshot!(fake.run(&[]), @r#"
    exit code 1, in time
    error: the image `ai_energy_score:smoke` is made for arm64, and docker runs on amd64: its programs do not start there ("exec format error"), or are emulated, and then the emulation is measured; build it with `cargo xtask build-image --flavour smoke`, or name another with --flavour or --image
    kept: benchmark_report.json
    containers: none
    "#);
}

#[test]
fn of_another_version() {
    let fake = with_image(r#""smoke""#, "0.0.7", "amd64");
    assert_snapshot!(fake.run(&[]), @r#"
    exit code 0, in time
    warning: the image `ai_energy_score:smoke` is of version 0.0.7, and this program is 0.1.0: they may not understand each other; build it with `cargo xtask build-image --flavour smoke`
    earlier results: moved to CWD/results/previous/TIME
    kept: GPU_ENERGY_SUMMARY.json, RUN_COMPLETE.json, benchmark_report.json, host_meter.json, previous/TIME/benchmark_report.json
    containers: none
    "#);
}

/// An image of our smoke image's files that says that it is for another processor.
struct Foreign(String);

impl Foreign {
    fn new() -> Self {
        let name = format!("aienergyscore-fault-{}:arm64", std::process::id());
        let script = r#"
            cd "$(mktemp -d)"
            trap 'rm -r "$PWD"' EXIT
            docker save ai_energy_score:smoke | tar -x
            config=$(grep -o '"Config":"[^"]*"' manifest.json | cut -d '"' -f 4)
            sed -i 's/"architecture":"[^"]*"/"architecture":"arm64"/' "$config"
            printf '[{"Config":"%s","RepoTags":["%s"],"Layers":%s}]' "$config" "$1" \
                "$(grep -o '"Layers":\[[^]]*\]' manifest.json | cut -d : -f 2-)" >manifest.json
            rm -f repositories index.json
            tar -c . | docker load --quiet
        "#;
        let status = Command::new("sh").args(["-euc", script, "sh", &name]).status().unwrap();
        assert!(status.success());
        Self(name)
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        docker(&["rmi", &self.0]);
    }
}

#[test]
#[ignore = "needs Docker on x86-64 and `cargo xtask smoke` once before"]
fn that_docker_has_of_another_architecture() {
    let (foreign, ada) = (Foreign::new(), Ada::with(&[smoke::GGUF]));
    let args = ["run", "--engine", "docker", "--image", &foreign.0, smoke::MODEL];
    let run = Run::start(ada.command(&args), &ada.results(), &[(ada.home(), "HOME")]);
    let left = run.left(|| ada.containers()).replace(&foreign.0, "IMAGE");
    assert_snapshot!(left, @r#"
    exit code 1, in time
    error: the image `IMAGE` is made for arm64, and docker runs on amd64: its programs do not start there ("exec format error"), or are emulated, and then the emulation is measured; no build makes this tag; `cargo xtask build-image --flavour smoke` makes `ai_energy_score:smoke`, or name another with --flavour or --image
    kept: nothing
    containers: none
    "#);
}
