//! Plans of whole runs, by snapshot.

use contract::Backend;
use engine::{Client, Engine, Limits, Mode, Nvidia, testing::engine};
use host::{
    gpus::{Devices, Gpus},
    machine::Host,
    testing::host,
};
use hub::boundary::Secret;

use super::RunPlan;
use crate::{
    options::{Request, Resolved},
    render::command_line,
    testing::{request, resolved},
};

fn plan(request: Request, host: &Host, engine: &Engine) -> RunPlan {
    let mut run = resolved(request, host);
    run.settings.token = run.settings.token.filter(|_| host.env.get("HF_TOKEN").is_some());
    RunPlan::new(&run, host, engine).unwrap()
}

fn arguments(args: &[&str]) -> Request {
    let args = args.iter().map(|arg| (*arg).to_owned()).collect();
    Request { args, ..Request::default() }
}

#[test]
fn rootful_docker_runs_as_the_caller() {
    let engine = engine(Mode::DockerRootful);
    let args = ["--config-name", "text_generation", "backend.model=openai/gpt-oss-20b"];
    let plan = plan(arguments(&args), &host(), &engine);
    insta::assert_snapshot!("docker_rootful", command_line(&engine, &plan).explain());
}

#[test]
fn odd_paths_devices_and_a_token_are_combined() {
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
    let mut asked = request("");
    asked.target.runtime.image = Some("registry.example/bench:1".into());
    asked.target.gpus = devices;
    let vllm = plan(asked.clone(), &host, &engine);
    asked.target.backend = Some(Backend::Pytorch);
    asked.offline = true;
    let offline = plan(asked, &host, &engine);
    let text = [vllm, offline].map(|plan| command_line(&engine, &plan).explain()).join("\n---\n\n");
    assert!(!text.contains("hf_secret"));
    insta::assert_snapshot!("docker_everything", text);
}

#[test]
fn local_paths_are_mounted_and_the_arguments_follow() {
    let mut asked =
        arguments(&["backend.model=./my-model", "scenario.dataset_name='../a,b/p 1.csv'"]);
    asked.target.backend = Some(Backend::Pytorch);
    asked.target.security.writable_root = true;
    let engine = engine(Mode::DockerRootful);
    let docker = command_line(&engine, &plan(asked.clone(), &host(), &engine)).explain();
    let mut engine = engine;
    engine.mode = Mode::Host;
    let child = command_line(&engine, &plan(asked, &host(), &engine)).explain();
    insta::assert_snapshot!("local_paths", [docker, child].join("\n---\n\n"));
}

#[test]
fn warnings_are_joined_into_one_text() {
    let mut plan = plan(request(""), &host(), &engine(Mode::DockerRootful));
    assert_eq!(plan.warning(), None);
    plan.warnings = vec!["a".to_owned(), "b".to_owned()];
    assert_eq!(plan.warning().as_deref(), Some("a; b"));
}

#[test]
fn rootless_daemon_runs_as_root_inside() {
    let engine = engine(Mode::DockerRootless);
    let argv = command_line(&engine, &plan(request(""), &host(), &engine)).argv();
    let user = argv.iter().position(|word| word == "--user").unwrap();
    assert_eq!(argv[user + 1], "0:0");
}

#[test]
fn host_engine_gets_folders_by_variable() {
    let mut engine = engine(Mode::Host);
    engine.program = "/opt/entry point".to_owned();
    let mut host = host();
    host.env = [("HF_HOME", "/h f"), ("HF_HUB_CACHE", "/w")].into_iter().collect();
    let plan = plan(arguments(&["backend.model=a/b"]), &host, &engine);
    insta::assert_snapshot!("host_engine", command_line(&engine, &plan).explain());
}

#[test]
fn localhost_is_rewritten_for_a_container() {
    let endpoint_and_warning = |endpoint: &str, mode| {
        let mut host = host();
        host.env = [("VLLM_ENDPOINT", endpoint)].into_iter().collect();
        let asked = request("--backend vllm");
        let plan = plan(asked, &host, &engine(mode));
        let passed = plan.env.iter().find(|variable| variable.name == "VLLM_ENDPOINT").unwrap();
        (passed.value.clone(), plan.warning())
    };
    let (passed, warning) = endpoint_and_warning("http://localhost:8000/v1", Mode::DockerRootful);
    assert_eq!(passed, "http://host.docker.internal:8000/v1");
    insta::assert_snapshot!(warning.unwrap(), @"VLLM_ENDPOINT names `http://localhost:8000/v1`, which in a container is the container itself: it is given `http://host.docker.internal:8000/v1`, where a server is reached that listens on more than the loopback, as with `--host 0.0.0.0`");
    for (endpoint, mode) in
        [("http://gpu7:8000/v1", Mode::DockerRootful), ("http://localhost:8000/v1", Mode::Host)]
    {
        assert_eq!(endpoint_and_warning(endpoint, mode), (endpoint.to_owned(), None));
    }
}

#[test]
fn unknown_address_of_this_machine_is_warned_of() {
    let host_option_and_warning = |endpoint: &str, mode, version: &str| {
        let mut host = Host { address: None, ..host() };
        host.env = [("VLLM_ENDPOINT", endpoint)].into_iter().collect();
        let asked = request("--backend vllm");
        let engine = Engine { version: version.to_owned(), ..engine(mode) };
        let plan = plan(asked, &host, &engine);
        let words = command_line(&engine, &plan).argv().join(" ");
        (words.contains("--add-host"), plan.warning().unwrap_or_default())
    };
    let here = "http://host.docker.internal:8000/v1";
    let (added, warning) = host_option_and_warning(here, Mode::PodmanRootless, "4.3.1");
    assert!(!added, "Podman before 4.7 refuses `host-gateway`");
    insta::assert_snapshot!(warning, @"the container cannot be told where host.docker.internal is: the engine does not know it, and this machine has no default route to find its own address by; give VLLM_ENDPOINT that address in numbers");
    assert!(host_option_and_warning(here, Mode::DockerRootless, "28.0.0").1.contains("in numbers"));
    assert!(
        host_option_and_warning("http://localhost:8000/v1", Mode::PodmanRootful, "4.3.1")
            .1
            .contains("numbers")
    );
    for (endpoint, mode, version) in [
        (here, Mode::PodmanRootless, "5.4.0"),
        (here, Mode::DockerRootful, "20.10.24"),
        ("http://gpu7:8000/v1", Mode::PodmanRootless, "4.3.1"),
    ] {
        assert_eq!(host_option_and_warning(endpoint, mode, version).1, "", "{endpoint} {mode:?}");
    }
}

#[test]
fn server_gets_its_key_as_a_file_and_the_hosts_certificates() {
    let mut host = host();
    host.env = [
        ("VLLM_ENDPOINT", "https://gpu7:8443/v1"),
        ("VLLM_API_KEY", "sk-secret"),
        ("SSL_CERT_FILE", "/etc/lab ca.pem"),
    ]
    .into_iter()
    .collect();
    let asked = request("--backend vllm --wait-for-endpoint 600");
    let engine = engine(Mode::DockerRootful);
    let words = |asked| command_line(&engine, &plan(asked, &host, &engine)).argv();
    let served = words(asked);
    let of_server = |word: &&String| {
        ["KEY", "key", "SECONDS", "WAIT", "ertificates", "ENDPOINT"]
            .iter()
            .any(|p| word.contains(p))
    };
    let shown: Vec<_> = served.iter().filter(of_server).cloned().collect();
    assert!(!served.concat().contains("sk-secret"));
    insta::assert_snapshot!(shown.join("\n"), @r#"
    type=bind,"source=/tmp/aienergyscore-19700101T000000Z-7-api-key",target=/run/secrets/vllm_api_key,readonly
    type=bind,"source=/etc/lab ca.pem",target=/run/secrets/certificates.pem,readonly
    VLLM_API_KEY_PATH=/run/secrets/vllm_api_key
    SSL_CERT_FILE=/run/secrets/certificates.pem
    VLLM_ENDPOINT=https://gpu7:8443/v1
    AIENERGYSCORE_WAIT_FOR_ENDPOINT=600
    "#);
    let native = request("--backend native");
    assert!(!words(native).concat().contains("api_key"));
    // A child process would inherit the variable.
    let keyless = request("--backend vllm --no-api-key");
    let child = plan(keyless, &host, &engine::testing::engine(Mode::Host));
    let key = child.env.iter().find(|variable| variable.name == "VLLM_API_KEY").unwrap();
    assert_eq!(key.value, "");
}

#[test]
fn automatic_gpus_have_a_reason() {
    let mut host = host();
    let mut engine = engine(Mode::DockerRootful);
    let reason = |host: &Host, engine: &Engine| plan(request(""), host, engine).gpus.reason;
    insta::assert_snapshot!(reason(&host, &engine), @"auto: this machine has no NVIDIA GPU");
    host.nvidia_gpus = 2;
    insta::assert_snapshot!(reason(&host, &engine), @"auto: docker, rootful cannot hand over the 2 NVIDIA GPU(s) found; install the NVIDIA Container Toolkit and restart it");
    engine.nvidia = Nvidia::Gpus;
    insta::assert_snapshot!(reason(&host, &engine), @"auto: 2 NVIDIA GPU(s) found");
    assert_eq!(plan(request(""), &host, &engine).gpus.value, Devices::All);
    let native = request("--backend native");
    let gpus = plan(native, &host, &engine).gpus;
    assert_eq!(gpus.value, Devices::None);
    insta::assert_snapshot!(gpus.reason, @"auto: the `native` backend uses none");
}

/// Docker's client with an old rootless Podman behind it.
fn podman_behind_docker() -> Engine {
    let (program, client) = ("docker".to_owned(), Client::Docker);
    Engine { program, client, version: "4.3.1".to_owned(), ..engine(Mode::PodmanRootless) }
}

#[test]
fn podman_gets_other_options_where_it_differs() {
    let mut host = host();
    host.nvidia_gpus = 2;
    host.env = [("VLLM_ENDPOINT", "http://host.docker.internal:8000/v1")].into_iter().collect();
    let mut asked = arguments(&["scenario.dataset_name=./a,b.csv"]);
    asked.target.backend = Some(Backend::Vllm);
    asked.target.gpus = Gpus::Exactly(Devices::List(vec!["0".into(), "2".into()]));
    asked.target.memory = Some("8g".to_owned());
    let mut run = resolved(asked, &host);
    (run.settings.token, run.groups) = (None, vec![2500]);
    let rootless = engine(Mode::PodmanRootless);
    let old = Engine { version: "4.3.1".into(), runtime: "runc".into(), ..rootless.clone() };
    let rootful = Engine { version: "4.3.1".into(), ..engine(Mode::PodmanRootful) };
    let shown = [rootless, old, rootful, podman_behind_docker()].map(|engine| {
        let mut run = run.clone();
        if engine.client == Client::Docker {
            run.settings.gpus = Gpus::Auto;
        }
        let plan = RunPlan::new(&run, &host, &engine).unwrap();
        let words = command_line(&engine, &plan).argv();
        let what = [
            "--user",
            "--group-add",
            "--device",
            "--gpus",
            "--add-host",
            "--mount",
            "--tmpfs",
            "--volume",
            "--memory",
        ];
        let shown = words.windows(2).filter(|pair| what.contains(&&*pair[0]));
        let shown = shown.map(|pair| pair.join(" ")).collect::<Vec<_>>().join("\n");
        format!("{} {}\n{shown}\n{:?}\n", engine.program, engine.version, plan.warnings)
    });
    insta::assert_snapshot!("podman", shown.join("\n"));
}

#[test]
fn path_that_dockers_client_cannot_pass_to_podman_is_refused() {
    let mut asked = request("");
    asked.target.results = Some("/a:b,c".into());
    let run = resolved(asked, &host());
    let error = RunPlan::new(&run, &host(), &podman_behind_docker()).unwrap_err();
    insta::assert_snapshot!(error, @"`/a:b,c` holds a colon and a comma, quote or newline, which Podman cannot be told by docker's client; use Podman's own with --engine podman, or another folder");
    RunPlan::new(&run, &host(), &engine(Mode::PodmanRootless)).unwrap();
}

#[test]
fn every_limit_can_be_lifted() {
    let mut host = host();
    host.selinux = true;
    let off = "--writable-root --keep-capabilities --allow-new-privileges --no-pids-limit \
               --expose-tokens --no-selinux-label";
    let security = request(off).target.security;
    let mut run = resolved(request(""), &host);
    let secret =
        |below: &str| Secret { folder: run.settings.cache.home.clone(), below: below.into() };
    run.secrets = vec![secret("token"), secret("a \"b")];
    let engine = engine(Mode::DockerRootful);
    let limits = |run: &Resolved| {
        let plan = RunPlan::new(run, &host, &engine).unwrap();
        let words = command_line(&engine, &plan).argv();
        let of_limits =
            ["--read-only", "--cap-drop", "--security-opt", "--pids-limit", "/dev/null"];
        let is_limit = |word: &&String| of_limits.iter().any(|limit| word.contains(limit));
        let limits: Vec<_> = words.iter().filter(is_limit).cloned().collect();
        (limits, plan.warnings)
    };
    let (confined, warnings) = limits(&run);
    insta::assert_snapshot!(confined.join("\n"), @r#"
    --read-only
    --cap-drop
    --security-opt
    --pids-limit
    type=bind,source=/dev/null,"target=/home/user/.cache/huggingface/token",readonly
    type=bind,source=/dev/null,"target=/home/user/.cache/huggingface/a ""b",readonly
    "#);
    assert!(warnings[0].starts_with("SELinux is on"), "{warnings:?}");
    run.settings.security = security;
    assert_eq!(limits(&run), (vec!["--security-opt".to_owned()], vec![]));
}

#[test]
fn folders_of_masked_tokens_are_pinned() {
    let mut run = resolved(request(""), &host());
    let secret = |below: &str| Secret { folder: run.settings.results.clone(), below: below.into() };
    run.secrets = vec![secret("token"), secret("a/b,c/token"), secret("a/b,c/stored_tokens")];
    let engine = engine(Mode::DockerRootful);
    let below = |run: &Resolved| {
        let plan = RunPlan::new(run, &host(), &engine).unwrap();
        let words = command_line(&engine, &plan).argv();
        words.into_iter().filter(|word| word.contains("target=/results/")).collect::<Vec<_>>()
    };
    insta::assert_snapshot!(below(&run).join("\n"), @r#"
    type=bind,"source=/home/ada/bench/results/a",target=/results/a
    type=bind,"source=/home/ada/bench/results/a/b,c","target=/results/a/b,c"
    type=bind,source=/dev/null,"target=/results/token",readonly
    type=bind,source=/dev/null,"target=/results/a/b,c/token",readonly
    type=bind,source=/dev/null,"target=/results/a/b,c/stored_tokens",readonly
    "#);
    run.settings.security.expose_tokens = true;
    assert_eq!(below(&run), [""; 0]);
}

#[test]
fn limit_that_the_engine_cannot_enforce_is_left_out_or_refused() {
    let limited = |limits, memory: Option<&str>| {
        let engine = Engine { limits, ..engine(Mode::PodmanRootless) };
        let asked =
            request(&memory.map_or_else(String::new, |memory| format!("--memory {memory}")));
        let run = resolved(asked, &host());
        RunPlan::new(&run, &host(), &engine).map(|plan| {
            let words = command_line(&engine, &plan).argv().into_iter();
            let words = words.filter(|word| word == "--memory" || word == "--pids-limit");
            (words.collect::<Vec<_>>().join(" "), plan.notes.join("\n"))
        })
    };
    let (words, notes) = limited(Limits::NONE, None).unwrap();
    assert_eq!(words, "");
    insta::assert_snapshot!(notes, @"no limit on processes: podman, rootless has no pids controller here; have it delegated (cgroup v2, and `Delegate=memory pids` for `user@.service` of systemd)");
    insta::assert_snapshot!(limited(Limits::NONE, Some("8g")).unwrap_err(), @"--memory 8g cannot be enforced: podman, rootless has no memory controller here; have it delegated (cgroup v2, and `Delegate=memory pids` for `user@.service` of systemd), or leave --memory out");
    let memory = Limits { memory: true, processes: false };
    assert_eq!(limited(memory, Some("8g")).unwrap().0, "--memory");
    let processes = Limits { memory: false, processes: true };
    assert_eq!(limited(processes, None).unwrap(), ("--pids-limit".to_owned(), String::new()));
}
