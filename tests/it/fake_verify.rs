//! `verify` on a fake engine.

use rustix::process::getuid;

use crate::{
    fake_runs::GOOD,
    harness::{FakeDocker, Sandbox, aienergyscore},
};

#[test]
fn a_container_whose_runner_is_gone_is_named() {
    let docker = FakeDocker::with_run(GOOD);
    // No process has a number that high.
    let (run, uid) = ("20260101T000000Z-4194305", getuid());
    docker.answer("ps", &format!("aienergyscore-{run}\texited\t{run}\t{uid}\n"));
    let said = aienergyscore(&Sandbox::new(Some(&docker)), ["verify", "--flavour", "smoke"]).stdout;
    let line = said.lines().find(|line| line.contains(run)).expect(&said);
    assert!(line.starts_with("warning engine ") && line.contains("docker rm --force"), "{line}");
    let asked = docker.calls_of("ps").concat();
    assert!(asked.contains(&format!("label={}", contract::label::RUN)), "{asked:?}");
}
