//! A server of transformers, whose packages take minutes to install and to load.

use super::{ada, llama::free_port, packages, real::noted, run, summary};
use crate::{ada::docker, harness::smoke};

/// A container on the network of this machine that is removed with this value.
struct Serving(String);

impl Drop for Serving {
    fn drop(&mut self) {
        docker(&["rm", "--force", &self.0]);
    }
}

#[test]
#[ignore = "needs Docker, the cpu image, its weights, and python3 with pip and a network"]
fn a_server_of_transformers_is_measured_as_far_as_it_tells() {
    let mut ada = ada();
    let port = free_port(|_| true).to_string();
    let mount = |from: &std::path::Path, to: &str| {
        format!("type=bind,\"source={}\",target={to},readonly", from.display())
    };
    let weights = smoke::repo(smoke::WEIGHTS);
    let snapshot = smoke::snapshot(smoke::WEIGHTS);
    let snapshot = format!("/weights/{}", snapshot.strip_prefix(&weights).unwrap().display());
    let name = format!("aienergyscore-test-serve-{port}");
    let serving = [
        &["run", "--detach", "--pull", "never", "--network", "host", "--name", &name][..],
        &["--mount", &mount(&packages("transformers-serve"), "/packages")],
        &["--mount", &mount(&weights, "/weights")],
        &["--env", "PYTHONPATH=/packages", "--env", "HF_HUB_OFFLINE=1"],
        &["--env", "OMP_NUM_THREADS=1", "--entrypoint", "transformers", "ai_energy_score:cpu"],
        &["serve", "--host", "0.0.0.0", "--port", &port, "--device", "cpu"],
        &["--dtype", "bfloat16", "--force_model", &snapshot],
    ];
    docker(&serving.concat());
    let _serving = Serving(name);
    ada.set("VLLM_ENDPOINT", format!("http://host.docker.internal:{port}/v1"));
    // It lists other models, and answers with the one that it was started with.
    let known = "backend.model=Qwen/Qwen2.5-0.5B-Instruct";
    let output = run(&ada, &["--wait-for-endpoint", "300", "-n", "3", known]);
    let summary = summary(&ada, &output);
    let measured = &summary["run"];
    assert_eq!((&measured["prompts"], &measured["prompts_failed"]), (&3.into(), &0.into()));
    assert_eq!(measured["completion_tokens"], serde_json::Value::Null);
    assert!(measured["time_to_first_token_seconds"].as_f64().unwrap() > 0.0);
    assert!(noted(&summary, "the server did not count tokens: 3 of 3"), "{summary}");
    assert!(
        noted(&summary, &format!("the server says that `{snapshot}@main` answered")),
        "{summary}"
    );
}
