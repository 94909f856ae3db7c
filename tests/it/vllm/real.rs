//! A client in a container, and local servers that run a model.

use std::{fs, process::Stdio};

use super::{Llama, MODEL, ada, client, run, said, summary};
use crate::{ada::docker, waiting::until};

const NOBODYS: &str = "the model ran in a server, whose energy its client does not measure";

fn model() -> String {
    format!("backend.model={MODEL}")
}

/// Whether a note of the summary starts with `beginning`.
pub(super) fn noted(summary: &serde_json::Value, beginning: &str) -> bool {
    let notes = summary["notes"].as_array().unwrap();
    notes.iter().any(|note| note.as_str().unwrap().starts_with(beginning))
}

#[test]
#[ignore = "needs Docker, the cpu image, its model, and python3 with venv and a network"]
fn a_server_of_llama_cpp_is_waited_for_and_measured() {
    let mut ada = ada();
    let server = Llama::start(&[]);
    // As a user names it: in the container that is another name.
    ada.set("VLLM_ENDPOINT", format!("http://localhost:{}", server.port));
    let waiting = ["--wait-for-endpoint", "300", "-n", "4", &model()];
    let output = run(&ada, &waiting);
    let first = summary(&ada, &output);
    assert!(
        said(&output).contains("it is given `http://host.docker.internal"),
        "{}",
        said(&output)
    );
    let measured = &first["run"];
    assert_eq!(measured["backend"], "vllm");
    assert_eq!((&measured["prompts"], &measured["prompts_failed"]), (&4.into(), &0.into()));
    assert_eq!(measured["completion_tokens"], 40, "ten tokens each, neither fewer nor more");
    assert!(measured["prompt_tokens"].as_u64().unwrap() > 40, "{measured}");
    let seconds = measured["seconds"].as_f64().unwrap();
    let rate = measured["tokens_per_second"].as_f64().unwrap();
    assert!((rate - 40.0 / seconds).abs() < 1e-6, "{measured}");
    let to_first = measured["time_to_first_token_seconds"].as_f64().unwrap();
    assert!(to_first > 0.0 && to_first < seconds / 4.0, "{measured}");
    assert_eq!(first["total"], serde_json::Value::Null);
    assert!(noted(&first, NOBODYS), "{first}");
    // Neither cache nor weights.
    let shown = client(&ada, &[&model(), "--dry-run"]).output().unwrap();
    assert!(!said(&shown).contains("huggingface"), "{}", said(&shown));

    // The same with as many tokens as somebody asks for, and a template's parameter.
    let thinking = [
        "scenario.reasoning=True",
        "scenario.reasoning_params.enable_thinking=False",
        "scenario.generate_kwargs.max_new_tokens=3",
    ];
    let output = run(&ada, &[&["-n", "2", &model()], &thinking[..]].concat());
    let second = summary(&ada, &output);
    assert_eq!(second["run"]["completion_tokens"], 6);
    let record = fs::read_to_string(ada.results().join("run_record.json")).unwrap();
    assert!(record.contains("chat template of the server, enable_thinking=False"), "{record}");

    let output = run(&ada, &["-n", "1", "backend.model=org/other"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains(&format!("no model `org/other`; it has `{MODEL}`")));
}

#[test]
#[ignore = "needs Docker, the cpu image, its model, and python3 with venv and a network"]
fn the_key_of_a_server_is_in_one_file_and_nowhere_else() {
    let mut ada = ada();
    let key = "sk-0123456789abcdefghij";
    let server = Llama::start(&[key]);
    ada.set("VLLM_ENDPOINT", format!("http://host.docker.internal:{}/v1", server.port));
    let output = run(&ada, &["--wait-for-endpoint", "300", "-n", "1", &model()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("wants an API key (HTTP 401"), "{}", said(&output));

    ada.set("VLLM_API_KEY", key);
    let output = run(&ada, &["--no-api-key", "-n", "1", &model()]);
    assert!(said(&output).contains("wants an API key (HTTP 401"), "{}", said(&output));
    let mut command = client(&ada, &["-n", "6", &model()]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let log = ada.results().join("benchmark.log");
    until("the first prompt", || {
        fs::read_to_string(&log).is_ok_and(|log| log.contains("Processing prompt"))
    });
    let name = ada.containers().remove(0);
    let seen = docker(&["inspect", &name]);
    assert!(seen.contains("/run/secrets/vllm_api_key") && !seen.contains(key), "{seen}");
    let inside = docker(&["top", &name, "-eo", "pid"]);
    for pid in inside.lines().skip(1).map(str::trim) {
        for file in ["cmdline", "environ"] {
            let text = fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
            assert!(!String::from_utf8_lossy(&text).contains(key), "{file} of {pid}");
        }
    }
    let output = child.wait_with_output().unwrap();
    assert_eq!(summary(&ada, &output)["run"]["prompts"], 6);
    assert!(!said(&output).contains(key));
    for entry in walkdir::WalkDir::new(ada.results()) {
        let path = entry.unwrap().into_path();
        let text = fs::read(&path).unwrap_or_default();
        assert!(!String::from_utf8_lossy(&text).contains(key), "{}", path.display());
    }
}
