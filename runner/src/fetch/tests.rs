//! Plans and commands of fetches.

use engine::{Engine, Mode, testing::engine};
use host::{machine::Host, testing::host};
use plan::{render::command_line, testing::resolved};

use super::{Request, plan};

fn request(model: &str) -> Request {
    Request { model: model.to_owned(), task: "text_generation".to_owned(), ..Request::default() }
}

fn argv(request: &Request, host: &Host, engine: &Engine) -> Vec<String> {
    let run = resolved(request.as_run(), host);
    command_line(engine, &plan(&run, host, engine).unwrap()).argv()
}

#[test]
fn fetch_has_the_container_of_a_run_without_results() {
    let mut host = host();
    host.nvidia_gpus = 2;
    host.env = [
        ("BENCHMARK_BACKEND", "vllm"),
        ("HF_ENDPOINT", "http://localhost:8000"),
        ("HF_TOKEN", "hf_secret"),
    ]
    .into_iter()
    .collect();
    let engine = engine(Mode::DockerRootful);
    let revision = Some("1.0".to_owned());
    let request = Request { revision, dataset: Some("org/prompts".to_owned()), ..request("org/m") };
    let run = resolved(request.as_run(), &host);
    let command = command_line(&engine, &plan(&run, &host, &engine).unwrap());
    insta::assert_snapshot!("fetch", command.explain());
}

#[test]
fn remote_hub_needs_no_route_to_this_machine() {
    let mut host = host();
    host.env = [("HF_ENDPOINT", "https://hub.example")].into_iter().collect();
    for mode in Mode::WITH_CONTAINERS {
        let words = argv(&request("org/m"), &host, &engine(mode)).join(" ");
        assert!(words.contains("HF_ENDPOINT=https://hub.example"), "{words}");
        assert!(!words.contains("--add-host") && !words.contains("--network none"), "{words}");
    }
    // The child of the host engine inherits the caller's variables.
    let child = argv(&request("org/m"), &host, &engine(Mode::Host));
    assert_eq!(child[1..3], ["fetch", "--config-name"]);
}

#[test]
fn invalid_request_is_refused() {
    let refusal = |model: &str, variables: &[(&str, &str)]| {
        let mut host = host();
        host.env = variables.iter().copied().collect();
        request(model).check(&host).unwrap_err().to_string()
    };
    insta::assert_snapshot!([
        refusal("https://huggingface.co/org/m/tree/main", &[]),
        refusal("https://hf.co/datasets/org/prompts", &[]),
        refusal("./m", &[]),
        refusal("org/m", &[("HF_HUB_OFFLINE", "1")]),
        refusal("org/m", &[("TRANSFORMERS_OFFLINE", "yes")]),
    ].join("\n"), @r"
    the model `https://huggingface.co/org/m/tree/main` is an address, and its id on the Hub is `org/m`; name it by that
    the model `https://hf.co/datasets/org/prompts` is an address, and its id on the Hub is `org/prompts`; name it by that
    the model `./m` is a path, and needs no `fetch`; an id on the Hub is ORG/NAME
    HF_HUB_OFFLINE is set, and `fetch` needs the Hub; leave it out with `env -u HF_HUB_OFFLINE aienergyscore fetch org/m`
    TRANSFORMERS_OFFLINE is set, and `fetch` needs the Hub; leave it out with `env -u TRANSFORMERS_OFFLINE aienergyscore fetch org/m`
    ");
    let revision = Some("v2".to_owned());
    let file = Request { revision, ..request("org/m:q8.gguf") };
    let refused = file.check(&host()).unwrap_err().to_string();
    assert!(refused.starts_with("`--revision` is not for one file (`org/m:q8.gguf`)"), "{refused}");
    let mut online = host();
    online.env = [("HF_HUB_OFFLINE", "0")].into_iter().collect();
    for model in ["org/m", "gpt2", "org/m:q8.gguf"] {
        assert_eq!(request(model).check(&online), Ok(()), "{model}");
    }
}

#[test]
fn request_is_shown_as_hf_and_run_commands() {
    let plain = request("org/m");
    let full = Request {
        revision: Some("v2".to_owned()),
        dataset: Some("./my prompts.csv".to_owned()),
        ..request("org/m:q8.gguf")
    };
    let commands =
        [plain, full].map(|request| [request.hf_commands(), request.run_offline()]).concat();
    insta::assert_snapshot!(commands.join("\n"), @r"
    `hf download org/m` and `hf download --repo-type dataset EnergyStarAI/text_generation`
    aienergyscore run --offline --config-name text_generation backend.model=org/m
    `hf download org/m q8.gguf --revision v2`
    aienergyscore run --offline --backend native --config-name text_generation backend.model=org/m:q8.gguf backend.model_kwargs.revision=v2 'scenario.dataset_name=./my prompts.csv'
    ");
}
