//! Detection of real engines and their images.

use serde_json::Value;

use crate::{ada::Ada, machine::On};

fn is_known_for_what_it_is(on: On) {
    let ada = Ada::on(on, &[]);
    let asked = |image: &str| {
        let fixed = ["run", "--dry-run", "--json", "--engine", on.choice(), "--backend", "native"];
        let output = ada.command(&[&fixed[..], &["--image", image]].concat()).output().unwrap();
        let plan = serde_json::from_slice::<Value>(&output.stdout).unwrap_or_default();
        let said = String::from_utf8(output.stderr).unwrap();
        (plan["mode"].as_str().map(str::to_owned), said)
    };
    for image in ["ai_energy_score:smoke", "nobody/has:this"] {
        let (mode, said) = asked(image);
        assert_eq!(mode.as_deref(), Some(on.mode()), "{on:?} {image}: {said}");
    }
    let (mode, said) = asked("Nobody/May:this");
    assert_eq!(mode, None, "{on:?}");
    assert!(said.contains("for the image `Nobody/May:this` failed"), "{on:?}: {said}");
}

#[test]
#[ignore = "needs root, Docker and `cargo xtask smoke` once before"]
fn docker_is_recognised_in_every_mode() {
    for on in [On::DockerRootful, On::DockerUsernsRemap, On::DockerRootless] {
        is_known_for_what_it_is(on);
    }
}

#[test]
#[ignore = "needs root, Podman and `cargo xtask smoke` once before"]
fn podman_is_recognised_in_every_mode() {
    for on in [On::PodmanRootless, On::PodmanRootful, On::PodmanBehindDocker] {
        is_known_for_what_it_is(on);
    }
}
