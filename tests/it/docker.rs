//! What the machine's Docker really does, with a real model, started by an unprivileged user. What
//! every engine does is in `modes`.

use std::{fs, os::unix::fs::chown, process::Command};

use rustix::process::getuid;

use crate::{
    ada::{Ada, docker},
    harness::smoke,
    under_way::run,
};

/// Ada with the smoke test's model.
fn ada() -> Ada {
    Ada::with(&[smoke::GGUF])
}

#[test]
#[ignore = "needs Docker and `cargo xtask smoke` once before"]
fn offline_works_from_a_read_only_cache() {
    let ada = ada();
    let output = run(&ada, &["-n", "1", "--offline"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
#[ignore = "needs Docker and `cargo xtask smoke` once before"]
fn verify_proves_the_mounts_with_a_container() {
    let ada = ada();
    let args = ["verify", "--engine", "docker", "--flavour", "smoke", "--json"];
    let finding = |check: &str| {
        let output = ada.command(&args).output().unwrap();
        let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let findings = answer["findings"].as_array().unwrap();
        let found = findings.iter().find(|finding| finding["check"] == check).unwrap();
        (output.status.code(), found["severity"].as_str().unwrap().to_owned(), found.clone())
    };
    let (code, severity, probe) = finding("probe");
    assert_eq!((code, severity.as_str()), (Some(0), "ok"), "{probe}");
    if getuid().is_root() {
        chown(ada.results(), Some(0), Some(0)).unwrap();
        let (code, severity, results) = finding("results");
        assert_eq!((code, severity.as_str()), (Some(1), "error"), "{results}");
        assert!(results["text"].as_str().unwrap().contains("sudo chown"), "{results}");
    }
}

#[test]
#[ignore = "needs Docker and `cargo xtask smoke` once before"]
fn verify_names_a_container_whose_runner_is_gone() {
    let ada = ada();
    let name = format!("aienergyscore-left-{}", std::process::id());
    // No process has a number that high.
    let label = format!("{}=20260101T000000Z-4194305", contract::label::RUN);
    let user = format!("{}={}", contract::label::USER, ada.uid);
    let labels = ["--label", &label, "--label", &user];
    docker(&[&["create", "--name", &name], &labels[..], &["ai_energy_score:smoke"]].concat());
    let output =
        ada.command(&["verify", "--engine", "docker", "--flavour", "smoke"]).output().unwrap();
    docker(&["rm", "--force", &name]);
    let said = String::from_utf8(output.stdout).unwrap();
    let line = said.lines().find(|line| line.contains(&name)).expect(&said);
    assert!(line.starts_with("warning engine ") && line.contains("docker rm --force"), "{line}");
}

#[test]
#[ignore = "needs root, to make a full disk, Docker, and `cargo xtask smoke` once before"]
fn a_full_disk_fails_with_its_reason() {
    assert!(getuid().is_root(), "only root can mount a small disk");
    let ada = ada();
    let results = ada.results();
    fs::create_dir(&results).unwrap();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o"])
        .arg(format!("size=8k,uid={0},gid={0}", ada.uid))
        .arg("tmpfs")
        .arg(&results)
        .status()
        .unwrap();
    assert!(mounted.success());
    let output = run(&ada, &["-n", "1"]);
    assert!(Command::new("umount").arg(&results).status().unwrap().success());
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("No space left on device"), "{stderr}");
}
