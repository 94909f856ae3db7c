//! `aienergyscore fetch` on a fake engine and on the machine's Docker.

use std::{fs, path::Path, process::Command};

use insta::assert_snapshot;
use rustix::process::{Pid, Signal, kill_process};

use crate::{
    ada::Ada,
    harness::{FakeDocker, Sandbox, aienergyscore, entrypoint, smoke},
    hub_cache::Hub,
    waiting::until,
};

const FETCH: [&str; 2] = ["fetch", "org/m"];

/// Exit code and output of a fetch.
fn said(sandbox: &Sandbox, args: &[&str]) -> String {
    let outcome = aienergyscore(sandbox, args);
    let home = sandbox.home().display().to_string();
    let text = format!("exit code {:?}\n{}{}", outcome.code, outcome.stderr, outcome.stdout);
    text.replace(&home, "HOME")
}

/// Puts a model into the cache that `$HF_HOME` is in the fake engine's words.
fn fills(sandbox: &Sandbox) -> String {
    let repo = sandbox.home().join(".cache/huggingface/hub/models--org--m");
    let commit = "0123456789012345678901234567890123456789";
    let snapshot = repo.join("snapshots").join(commit);
    format!(
        "mkdir -p {0} {1}; printf {commit} >{1}/main; for f in config.json tokenizer.json; do echo {{}} >{0}/$f; done; \
         printf '\\002\\000\\000\\000\\000\\000\\000\\000{{}}' >{0}/model.safetensors",
        snapshot.display(),
        repo.join("refs").display()
    )
}

#[test]
fn a_fetch_is_proved_by_the_cache() {
    let engine = FakeDocker::with_run("exec sh \"$here/run\"");
    let sandbox = Sandbox::new(Some(&engine));
    let script = engine.path().split(':').next().unwrap().to_owned() + "/run";
    fs::write(&script, "exit 0").unwrap();
    let nothing = said(&sandbox, &FETCH);
    assert!(nothing.contains("docker reports success, which is not believed: "), "{nothing}");
    fs::write(&script, fills(&sandbox)).unwrap();
    assert_snapshot!(said(&sandbox, &FETCH), @r"
    exit code Some(0)
    engine: docker 20.10.24 (docker, rootful): it answers
    Hub cache: HOME/.cache/huggingface/hub
    ready: aienergyscore run --offline --config-name text_generation backend.model=org/m
    ");
    let run = engine.calls_of("run").pop().unwrap();
    let image = run.iter().position(|word| word == "ai_energy_score:latest").unwrap();
    assert_eq!(
        run[image + 1..],
        [
            "fetch",
            "--config-name",
            "text_generation",
            "backend.model=org/m",
            "scenario.num_samples=20"
        ]
    );
    assert!(!run.iter().any(|word| word.contains("/results")), "{run:?}");
    assert!(!sandbox.cwd().join("results").exists());
    assert_eq!(engine.calls_of("rm").len(), 2, "each container is removed");
}

#[test]
fn failure_inside_the_container_is_said_once() {
    let engine = FakeDocker::with_run("echo 'error: `org/m` is gated' >&2; exit 1");
    engine.answer(
        "container",
        r#"{"Running":false,"OOMKilled":false,"ExitCode":1,"Error":"","StartedAt":"2026"}"#,
    );
    let sandbox = Sandbox::new(Some(&engine));
    assert_snapshot!(said(&sandbox, &FETCH), @r"
    exit code Some(1)
    engine: docker 20.10.24 (docker, rootful): it answers
    Hub cache: HOME/.cache/huggingface/hub
    error: `org/m` is gated
    ");
}

#[test]
fn without_an_engine_the_clients_own_commands_are_named() {
    let engine = FakeDocker::new();
    engine.fail("info");
    let args = ["fetch", "org/m", "--revision", "v2"];
    assert_snapshot!(said(&Sandbox::new(Some(&engine)), &args), @r"
    exit code Some(1)
    error: no container engine for this backend and image: `docker info` failed (exit code 1): ; is the daemon running, and are you in the group that may use it?; nor does Podman serve: `podman info` failed (exit code 125): Error: cannot find newuidmap: executable file not found in PATH; without a container the same is done by `hf download org/m --revision v2` and `hf download --repo-type dataset EnergyStarAI/text_generation`
    ");
}

#[test]
fn a_signal_ends_a_fetch_and_keeps_what_is_there() {
    let engine =
        FakeDocker::with_run("touch \"$here/begun\"; while read -r line; do :; done; exit 143");
    let sandbox = Sandbox::new(Some(&engine));
    let mut command = sandbox.command(FETCH);
    let child = command.stderr(std::process::Stdio::piped()).spawn().unwrap();
    let begun = engine.path().split(':').next().unwrap().to_owned() + "/begun";
    until("the fetch", || Path::new(&begun).exists());
    let pid = Pid::from_raw(child.id().try_into().unwrap()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert!(said.contains("SIGINT: stopping the fetch; once more kills it at once"), "{said}");
    assert!(said.contains("stopped by SIGINT; what was downloaded is kept"), "{said}");
}

/// Ada with a Hub of her own that has the smoke test's weights as a model.
fn ada_with_hub() -> (Ada, Hub) {
    let mut ada = Ada::with(&[]);
    let folder = smoke::snapshot(smoke::WEIGHTS);
    let hub = Hub::start(&["--public", &format!("smoke/weights={}", folder.display())]);
    ada.set("HF_ENDPOINT", hub.endpoint.clone());
    (ada, hub)
}

const BY_DOCKER: [&str; 4] = ["--engine", "docker", "--flavour", "cpu"];

fn by_docker(ada: &Ada, args: &[&str]) -> (Option<i32>, String) {
    let output = ada.command(&[&args[..1], &BY_DOCKER, &args[1..]].concat()).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

#[test]
#[ignore = "needs Docker, the cpu image and its weights"]
fn fetched_model_runs_offline() {
    let (ada, mut hub) = ada_with_hub();
    let (code, text) = by_docker(&ada, &["fetch", "smoke/weights"]);
    assert_eq!(code, Some(0), "{text}");
    let fetched = hub.order("fetched");
    assert!(fetched.as_object().unwrap().values().all(|count| *count == 1), "{fetched}");
    let (code, text) = by_docker(&ada, &["fetch", "smoke/weights"]);
    assert_eq!((code, hub.order("fetched")), (Some(0), serde_json::json!({})), "{text}");
    let others = ["!", "-uid", &ada.uid.to_string()];
    let foreign = Command::new("find").arg(ada.home()).args(others).output().unwrap();
    assert!(foreign.stdout.is_empty(), "{foreign:?}");
    drop(hub);
    let model = "backend.model=smoke/weights";
    let short = "scenario.generate_kwargs.max_new_tokens=2";
    let args = ["run", "--offline", "-n", "2", model, short, "scenario.warmup_runs=0"];
    let (code, text) = by_docker(&ada, &args);
    assert_eq!(code, Some(0), "{text}");
}

#[test]
#[ignore = "needs Docker and the cpu image"]
fn gated_model_takes_the_token_as_a_file() {
    let mut ada = Ada::with(&[]);
    let hub = Hub::start(&["--public"]);
    ada.set("HF_ENDPOINT", hub.endpoint.clone());
    let (code, text) = by_docker(&ada, &["fetch", "org/gated"]);
    assert!(code == Some(1) && text.contains("error: `org/gated` is gated"), "{text}");
    ada.set("HF_TOKEN", "hf_good");
    let (code, text) = by_docker(&ada, &["fetch", "org/gated"]);
    assert_eq!(code, Some(0), "{text}");
}

/// Runs a container's program without the container.
fn run_the_entrypoint() -> String {
    format!(
        "while [ \"$1\" != ai_energy_score:smoke ]; do shift; done; shift; exec '{}' \"$@\"",
        entrypoint().display()
    )
}

#[test]
fn an_image_without_the_client_names_the_one_that_has_it() {
    let engine = FakeDocker::with_run(&run_the_entrypoint());
    engine.answer(
        "container",
        r#"{"Running":false,"OOMKilled":false,"ExitCode":2,"Error":"","StartedAt":"2026"}"#,
    );
    let args = ["fetch", "--engine", "docker", "--flavour", "smoke", "org/m"];
    let outcome = aienergyscore(&Sandbox::new(Some(&engine)), args);
    assert_eq!(outcome.code, Some(2), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("use the image ai_energy_score:cpu"), "{}", outcome.stderr);
}
