//! Datasets give the same prompts in the `native` backend as in the adapter of the Python stacks, or are
//! refused.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use rustix::process::{getgid, getuid};
use serde_json::Value;

use crate::{
    ada::Ada,
    harness::{smoke, workspace},
    python::in_cpu_image,
    vllm::{self, Llama},
};

/// The adapter's prompts from the datasets that the script writes to `work`, one case per line.
fn of_the_adapter(work: &Path) -> Vec<Value> {
    let user = format!("{}:{}", getuid().as_raw(), getgid().as_raw());
    let script = workspace().join("tests/it/datasets/tricky.py");
    let mounts = [(&*script, "/tricky.py,readonly"), (work, "/work")];
    let told = in_cpu_image(&user, &mounts, &["/tricky.py"]);
    told.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The prompts that the `native` backend answered in one case, or its error.
fn of_native(work: &Path, case: &Value) -> Result<Vec<String>, String> {
    let results = tempfile::tempdir().unwrap();
    let mut hub = work.join("hf/hub");
    hub.push(smoke::GGUF);
    if !hub.exists() {
        let copied = Command::new("cp").arg("-a").arg(smoke::repo(smoke::GGUF)).arg(&hub).status();
        assert!(copied.unwrap().success());
    }
    let arguments = case.as_object().unwrap().iter().map(|(key, value)| {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let value = value.replace("/work/", &format!("{}/", work.display()));
        format!("scenario.{key}='{value}'")
    });
    let fixed = ["scenario.warmup_runs=0", "scenario.generate_kwargs.max_new_tokens=1"];
    let mut command = Command::new(smoke::entrypoint());
    command.env_clear().env("RESULTS_DIR", results.path()).env("HF_HOME", work.join("hf"));
    if case.get("num_samples").is_none() {
        command.arg("scenario.num_samples=100");
    }
    let output = command.arg(smoke::MODEL).args(fixed).args(arguments).output().unwrap();
    if !output.status.success() {
        return Err(String::from_utf8(output.stderr).unwrap());
    }
    let report = fs::read(results.path().join("benchmark_report.json")).unwrap();
    let report: Value = serde_json::from_slice(&report).unwrap();
    let prompts = report["prompts"].as_array().unwrap().iter();
    Ok(prompts.map(|prompt| prompt["prompt"].as_str().unwrap().to_owned()).collect())
}

#[test]
#[ignore = "needs Docker, the cpu image and the smoke model"]
fn the_native_backend_takes_the_prompts_that_the_adapter_takes_or_refuses_by_name() {
    let work = tempfile::tempdir().unwrap();
    let cases = of_the_adapter(work.path());
    let (mut taken, mut refused, mut by_name, mut different) = (0, 0, 0, vec![]);
    for told in &cases {
        let case = &told["case"];
        let native = of_native(work.path(), case);
        let texts = told["texts"].as_array();
        let texts: Option<Vec<_>> =
            texts.map(|texts| texts.iter().map(|text| text.as_str().unwrap().to_owned()).collect());
        match (texts, native) {
            (Some(texts), Ok(native)) if texts == native => taken += 1,
            (None, Err(_)) => refused += 1,
            // What needs the rules of `datasets`.
            (Some(_), Err(why)) if why.contains("the `native` backend reads") => by_name += 1,
            (_, native) => different.push(format!("{told}\n  native: {native:?}")),
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
    let counts = [taken, refused, by_name];
    assert!(counts.iter().zip([25, 8, 8]).all(|(count, least)| *count > least), "{counts:?}");
}

/// Every place in a summary that has a value; what was added to a cache is one, as a server's client
/// has none.
fn places(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) if path != ".cache" => {
            map.iter().for_each(|(key, value)| places(value, &format!("{path}.{key}"), found));
        }
        _ => drop(found.insert(path.to_owned())),
    }
}

/// A run of Ada's by `backend`, with a file of the same six prompts: its summary.
fn summary(ada: &Ada, backend: &str, prompts: &str, more: &[&str]) -> Value {
    let served = format!("backend.model={}", vllm::MODEL);
    let model = match backend {
        "native" => [smoke::MODEL, "--offline", "--flavour=smoke"],
        // The server is reached over the network, and loads its model in its own time.
        "vllm" => [&*served, "--wait-for-endpoint=300", "--flavour=cpu"],
        _ => ["backend.model=smoke/SmolLM2-135M-Instruct", "--offline", "--flavour=cpu"],
    };
    let file = ada.home().join(prompts);
    fs::copy(workspace().join("tests/it/datasets").join(prompts), &file).unwrap();
    ada.own(&file);
    let dataset = format!("scenario.dataset_name=./{prompts}");
    let run = ["run", "--engine", "docker", "--backend", backend];
    let args = ["-n", "9", &dataset, "scenario.warmup_runs=0"];
    let output = ada.command(&[&run[..], &model, &args, more].concat()).output().unwrap();
    let said = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    assert!(output.status.success(), "{backend}: {}", said.concat());
    assert!(said.concat().contains(FEWER), "{backend}: {}", said.concat());
    let summary = fs::read(ada.results().join("GPU_ENERGY_SUMMARY.json")).unwrap();
    serde_json::from_slice(&summary).unwrap()
}

const FEWER: &str = "9 prompts were asked for, the dataset has 6: all of them ran";

#[test]
#[ignore = "needs Docker, the images smoke and cpu, their models, and python3 with venv and a network"]
fn the_backends_agree_on_prompts_tokens_and_keys() {
    let mut ada = Ada::with(&[smoke::WEIGHTS, smoke::GGUF]);
    let server = Llama::start(&[]);
    ada.set("VLLM_ENDPOINT", format!("http://host.docker.internal:{}/v1", server.port));
    let reasoning = ["scenario.reasoning=True", "scenario.generate_kwargs.max_new_tokens=4"];
    let mut seen = vec![];
    for (backend, prompts) in [
        ("native", "prompts.jsonl"),
        ("native", "prompts.parquet"),
        ("pytorch", "prompts.jsonl"),
        ("optimum", "prompts.parquet"),
        ("vllm", "prompts.parquet"),
    ] {
        let plain = summary(&ada, backend, prompts, &[]);
        let chat = summary(&ada, backend, prompts, &reasoning);
        let mut keys = BTreeSet::new();
        places(&plain, "", &mut keys);
        // Of a tracker that waits by itself, which only these two stacks have.
        let has_tracker = ["pytorch", "optimum"].contains(&backend);
        assert_eq!(plain["measurement"].get("tracked").is_some(), has_tracker, "{plain}");
        keys.retain(|key| !key.starts_with(".measurement.tracked"));
        for summary in [&plain, &chat] {
            let notes = summary["notes"].as_array().unwrap();
            assert!(notes.iter().any(|note| note == FEWER), "{backend}: {summary}");
            assert_eq!(
                (&summary["run"]["prompts_asked"], &summary["run"]["prompts"]),
                (&9.into(), &6.into())
            );
        }
        assert_eq!(plain["run"]["completion_tokens"], 60, "{backend}: ten each");
        let tokens = [&plain, &chat].map(|summary| summary["run"]["prompt_tokens"].clone());
        seen.push((backend, tokens, keys));
    }
    let (_, [plain, chat], keys) = &seen[0];
    assert!(plain.as_u64() < chat.as_u64(), "a chat template adds to a prompt: {plain}, {chat}");
    for (backend, tokens, other_keys) in &seen {
        // A server reads every prompt through the template.
        let plain = if *backend == "vllm" { chat } else { plain };
        assert_eq!((&[plain.clone(), chat.clone()], keys), (tokens, other_keys), "{backend}");
    }
}
