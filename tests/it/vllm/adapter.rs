//! The client alone, under the oldest and the newest supported Python.

use std::process::Command;

use super::{environment, file};
use crate::{harness::workspace, python::in_cpu_image};

#[test]
#[ignore = "needs openssl, python3 with venv, and a network for requests"]
fn the_client_stands_whatever_a_server_sends() {
    let output = Command::new(environment("requests"))
        .arg("-B")
        .arg(file("checks.py"))
        .env("PYTHONPATH", workspace().join("docker"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", super::said(&output));
}

#[test]
#[ignore = "needs Docker and the cpu image"]
fn the_client_stands_beside_the_stacks() {
    let checks = [(&*file(""), "/checks,readonly")];
    in_cpu_image("4242:4242", &checks, &["/checks/checks.py", "stacks"]);
}
