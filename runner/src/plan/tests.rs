//! The plan, by snapshot.

use contract::Backend;

use super::RunPlan;
use crate::{
    engine::{Engine, Mode},
    gpus::{Devices, Gpus},
    host::Host,
    options::{Request, RunOptions},
    render::command_line,
    testing::{engine, host},
};

fn plan(request: Request, host: &Host, engine: &Engine) -> RunPlan {
    let mut options = RunOptions::new(request, host).unwrap();
    options.token = options.token.filter(|_| host.env.get("HF_TOKEN").is_some());
    RunPlan::new(&options, host, engine).unwrap()
}

fn request(args: &[&str]) -> Request {
    let args = args.iter().map(|arg| (*arg).to_owned()).collect();
    Request { args, ..Request::default() }
}

#[test]
fn rootful_docker_runs_as_the_caller() {
    let engine = engine(Mode::DockerRootful);
    let args = ["--config-name", "text_generation", "backend.model=openai/gpt-oss-20b"];
    let plan = plan(request(&args), &host(), &engine);
    insta::assert_snapshot!("docker_rootful", command_line(&engine, &plan).explain());
}

#[test]
fn everything_at_once() {
    let mut host = host();
    host.nvidia_gpus = 4;
    host.env = [
        ("HF_HOME", "/data/h,f"),
        ("HF_HUB_CACHE", "/disk/a \"b\":c"),
        ("HF_TOKEN", "hf_secret"),
        ("BENCHMARK_BACKEND", "vllm"),
        ("VLLM_ENDPOINT", "http://host.docker.internal:8000/v1"),
        ("OMP_NUM_THREADS", "6"),
    ]
    .into_iter()
    .collect();
    let devices = Gpus::Exactly(Devices::List(vec!["0".into(), "2".into()]));
    let engine = engine(Mode::DockerUsernsRemap);
    let mut asked = request(&[]);
    asked.image = Some("registry.example/bench:1".into());
    asked.gpus = devices;
    let vllm = plan(asked.clone(), &host, &engine);
    asked.backend = Some(Backend::Pytorch);
    asked.offline = true;
    let offline = plan(asked, &host, &engine);
    let text = [vllm, offline].map(|plan| command_line(&engine, &plan).explain()).join("\n---\n\n");
    assert!(!text.contains("hf_secret"));
    insta::assert_snapshot!("docker_everything", text);
}

#[test]
fn local_paths_are_mounted_and_the_arguments_follow() {
    let mut asked =
        request(&["backend.model=./my-model", "scenario.dataset_name='../a,b/p 1.csv'"]);
    asked.backend = Some(Backend::Pytorch);
    asked.relaxed.writable_root = true;
    let engine = engine(Mode::DockerRootful);
    let docker = command_line(&engine, &plan(asked.clone(), &host(), &engine)).explain();
    let mut engine = engine;
    engine.mode = Mode::Host;
    let child = command_line(&engine, &plan(asked, &host(), &engine)).explain();
    insta::assert_snapshot!("local_paths", [docker, child].join("\n---\n\n"));
}

#[test]
fn what_will_surprise_is_told_at_once() {
    let mut plan = plan(request(&[]), &host(), &engine(Mode::DockerRootful));
    assert_eq!(plan.surprise(), None);
    plan.doubts = vec!["a".to_owned(), "b".to_owned()];
    assert_eq!(plan.surprise().as_deref(), Some("a; b"));
}

#[test]
fn a_rootless_daemons_root_is_the_caller() {
    let engine = engine(Mode::DockerRootless);
    let argv = command_line(&engine, &plan(request(&[]), &host(), &engine)).argv();
    let user = argv.iter().position(|word| word == "--user").unwrap();
    assert_eq!(argv[user + 1], "0:0");
}

#[test]
fn the_host_engine_gets_folders_by_variable() {
    let mut engine = engine(Mode::Host);
    engine.program = "/opt/entry point".to_owned();
    let mut host = host();
    host.env = [("HF_HOME", "/h f"), ("HF_HUB_CACHE", "/w")].into_iter().collect();
    let plan = plan(request(&["backend.model=a/b"]), &host, &engine);
    insta::assert_snapshot!("host_engine", command_line(&engine, &plan).explain());
}

#[test]
fn a_containers_localhost_is_not_this_machine() {
    let surprise = |endpoint: &str, mode| {
        let mut host = host();
        host.env = [("VLLM_ENDPOINT", endpoint)].into_iter().collect();
        let asked = Request { backend: Some(Backend::Vllm), ..request(&[]) };
        plan(asked, &host, &engine(mode)).surprise()
    };
    let text = surprise("http://localhost:8000/v1", Mode::DockerRootful).unwrap();
    assert!(text.contains("host.docker.internal"), "{text}");
    assert_eq!(surprise("http://gpu7:8000/v1", Mode::DockerRootful), None);
    assert_eq!(surprise("http://localhost:8000/v1", Mode::Host), None);
}

#[test]
fn automatic_gpus_say_why() {
    let mut host = host();
    let mut engine = engine(Mode::DockerRootful);
    let reason = |host: &Host, engine: &Engine| plan(request(&[]), host, engine).gpus.reason;
    insta::assert_snapshot!(reason(&host, &engine), @"auto: this machine has no NVIDIA or AMD GPU");
    host.nvidia_gpus = 2;
    insta::assert_snapshot!(reason(&host, &engine), @"auto: docker, rootful cannot hand over the 2 NVIDIA GPU(s) found; install the NVIDIA Container Toolkit and restart it");
    engine.nvidia = true;
    insta::assert_snapshot!(reason(&host, &engine), @"auto: 2 NVIDIA GPU(s) found");
    assert_eq!(plan(request(&[]), &host, &engine).gpus.value, Devices::All);
    let native = Request { backend: Some(Backend::Native), ..request(&[]) };
    let gpus = plan(native, &host, &engine).gpus;
    assert_eq!(gpus.value, Devices::None);
    insta::assert_snapshot!(gpus.reason, @"auto: the `native` backend uses none");
}
