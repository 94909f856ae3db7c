//! What an engine's daemon answers at its socket is what its client says.

use std::{fs, os::unix::fs::PermissionsExt as _};

use serde_json::Value;

use crate::{ada::Ada, machine::On};

/// What a run with these arguments would be, or why there is none, without the run's id.
fn asked(ada: &Ada, image: &str) -> String {
    let fixed = ["run", "--dry-run", "--json", "--engine", "docker", "--backend", "native"];
    let output = ada.command(&[&fixed[..], &["--image", image]].concat()).output().unwrap();
    let [out, err] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    let id = serde_json::from_str::<Value>(&out).ok();
    let id = id.and_then(|plan| plan["plan"]["run_id"].as_str().map(str::to_owned));
    format!("{:?}\n{err}{}", output.status.code(), out.replace(&id.unwrap_or_default(), "ID"))
}

fn directly_as_by_the_client(on: On) {
    let mut ada = Ada::on(on, &[]);
    let images = ["ai_energy_score:smoke", "nobody/has:this", "Nobody/May:this"];
    let directly = images.map(|image| asked(&ada, image));
    assert!(directly[0].starts_with("Some(0)\n"), "{}", directly[0]);

    // A script may be anybody's, so it is asked itself.
    let folder = ada.home().join("bin");
    fs::create_dir(&folder).unwrap();
    let path = std::env::var("PATH").unwrap();
    let mark = folder.join("mark");
    let script = format!("#!/bin/sh\n>>'{}'\nPATH='{path}' exec docker \"$@\"\n", mark.display());
    fs::write(folder.join("docker"), script).unwrap();
    fs::set_permissions(folder.join("docker"), fs::Permissions::from_mode(0o755)).unwrap();
    ada.own(&folder);
    ada.set("PATH", format!("{}:{path}", folder.display()));
    assert_eq!(images.map(|image| asked(&ada, image)), directly, "{on:?}");
    assert!(mark.exists(), "{on:?}");
}

#[test]
#[ignore = "needs root, Docker and `cargo xtask smoke` once before"]
fn of_docker() {
    for on in [On::DockerRootful, On::DockerUsernsRemap, On::DockerRootless] {
        directly_as_by_the_client(on);
    }
}

#[test]
#[ignore = "needs root, Podman and `cargo xtask smoke` once before"]
fn of_podman_behind_dockers_client() {
    directly_as_by_the_client(On::PodmanBehindDocker);
}
