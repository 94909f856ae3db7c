//! Settings of a request, and their check on the disk.

use std::{fs, os::unix::fs::symlink};

use contract::Backend;
use host::testing::host;

use super::{Request, Settings, settings::with_num_samples};
use crate::testing::request;

fn settings(request: Request, variables: &[(&str, &str)]) -> Result<Settings, String> {
    let mut host = host();
    host.env = variables.iter().copied().collect();
    Settings::new(request, &host).map_err(|error| error.to_string())
}

#[test]
fn explicit_number_of_samples_wins_over_the_default_only() {
    let args = |args: &[&str], flag| {
        let args = args.iter().map(|arg| (*arg).to_owned()).collect();
        with_num_samples(args, flag).map_err(|error| error.to_string())
    };
    assert_eq!(args(&["a=1"], None).unwrap(), ["a=1", "scenario.num_samples=20"]);
    assert_eq!(args(&["a=1"], Some(3)).unwrap(), ["a=1", "scenario.num_samples=3"]);
    assert_eq!(
        args(&["scenario.num_samples=7", "b=2"], None).unwrap(),
        ["scenario.num_samples=7", "b=2"]
    );
    assert_eq!(args(&["+scenario.num_samples=7"], Some(7)).unwrap(), ["+scenario.num_samples=7"]);
    assert!(args(&["scenario.num_samples='7'"], Some(7)).is_ok());
    insta::assert_snapshot!(
        args(&["scenario.num_samples=7"], Some(8)).unwrap_err(),
        @"`-n 8` and `scenario.num_samples=7` contradict each other; give one of them"
    );
}

#[test]
fn image_follows_flags_then_environment_then_backend() {
    let image =
        |request: Request, variables: &[(&str, &str)]| settings(request, variables).unwrap().image;
    let default = Request::default();
    let native = request("--backend native");
    let cpu = request("--backend native --flavour cpu");
    let named = request("--backend native --image x:1");
    assert_eq!(image(default.clone(), &[]), "ai_energy_score:latest");
    assert_eq!(image(default, &[("BENCHMARK_BACKEND", "native")]), "ai_energy_score:smoke");
    assert_eq!(image(native.clone(), &[]), "ai_energy_score:smoke");
    assert_eq!(image(native, &[("DOCKER_IMAGE", "mine")]), "mine");
    assert_eq!(image(cpu, &[("DOCKER_IMAGE", "mine")]), "ai_energy_score:cpu");
    assert_eq!(image(named, &[("DOCKER_IMAGE", "mine")]), "x:1");
}

#[test]
fn local_inputs_are_checked_on_the_disk() {
    let disk = tempfile::tempdir().unwrap();
    let root = disk.path().canonicalize().unwrap();
    fs::create_dir_all(root.join("org/m")).unwrap();
    fs::create_dir_all(root.join("deep/er")).unwrap();
    symlink("deep/er", root.join("link")).unwrap();
    fs::write(root.join("deep/p.csv"), "text\n").unwrap();
    let resolve = |args: &[&str]| {
        let args = args.iter().map(|arg| (*arg).to_owned()).collect();
        let host = host::machine::Host { cwd: root.clone(), ..host() };
        let settings = Settings::read(Request { args, ..Request::default() }, &host).unwrap();
        settings.resolve(&host).map_err(|e| e.to_string().replace(root.to_str().unwrap(), "ROOT"))
    };
    let error = resolve(&["backend.model=./none"]).unwrap_err();
    insta::assert_snapshot!(error, @"`backend.model=./none`: there is no `ROOT/none`; a Hub id has the form ORG/REPO");
    let inputs = resolve(&["scenario.dataset_name='link/../p.csv'"]).unwrap().settings.inputs;
    assert_eq!(inputs.local[0].path.as_path(), root.join("deep/p.csv"));
    assert_eq!(inputs.local[0].found.as_ref().unwrap().mount, inputs.local[0].path);
    assert_eq!(inputs.warnings, [""; 0]);
    let inputs = resolve(&["backend.model=org/m"]).unwrap().settings.inputs;
    assert_eq!(inputs.local, []);
    insta::assert_snapshot!(inputs.warnings.join("\n"), @"`backend.model=org/m` is read from the Hub cache; `./org/m` would mean the one that lies here");
    assert_eq!(resolve(&["backend.model=org/other"]).unwrap().settings.inputs.warnings, [""; 0]);
}

#[test]
fn local_input_below_a_hub_cache_on_another_disk_is_accepted_by_every_backend() {
    let disk = tempfile::tempdir().unwrap();
    let root = disk.path().canonicalize().unwrap();
    let snapshot = root.join("disk/datasets--o--d/snapshots/1");
    let store = format!("blobs/ab/ab{}", "0".repeat(62));
    for folder in ["home/hf", "disk/datasets--o--d/blobs", "disk/blobs/ab", "ssh"] {
        fs::create_dir_all(root.join(folder)).unwrap();
    }
    fs::create_dir_all(&snapshot).unwrap();
    fs::write(root.join("disk").join(&store), "text\n").unwrap();
    fs::write(root.join("disk/blobs/.huggingface-shared-blobs"), "1\n").unwrap();
    symlink(format!("../../{store}"), root.join("disk/datasets--o--d/blobs/e")).unwrap();
    symlink("../../blobs/e", snapshot.join("p.csv")).unwrap();
    symlink("../../disk", root.join("home/hf/hub")).unwrap();
    symlink("home/hf", root.join("spelled")).unwrap();
    symlink(root.join("home/hf/hub/datasets--o--d/snapshots/1/p.csv"), root.join("own.csv"))
        .unwrap();
    // An earlier run used the home folder as its results folder.
    fs::write(root.join("home/benchmark.log"), "").unwrap();
    let hf = root.join("home/hf");
    let host = host::machine::Host {
        env: [("HF_HOME", hf.to_str().unwrap()), ("VLLM_ENDPOINT", "http://h:1/v1")]
            .into_iter()
            .collect(),
        home: Some(root.join("user")),
        cwd: root.clone(),
        uid: rustix::process::geteuid().as_raw(),
        ..host()
    };
    let resolve = |dataset: &str, backend| {
        let args = vec![format!("scenario.dataset_name={}", root.join(dataset).display())];
        let request = Request { args, ..request(&format!("--backend {backend}")) };
        let resolved = Settings::read(request, &host).and_then(|settings| settings.resolve(&host));
        resolved.map(|resolved| resolved.trust).map_err(|error| error.to_string())
    };
    let below = "hub/datasets--o--d/snapshots/1/p.csv";
    for dataset in [format!("home/hf/{below}"), format!("spelled/{below}"), "own.csv".to_owned()] {
        for backend in [Backend::Vllm, Backend::Native, Backend::Pytorch] {
            assert!(resolve(&dataset, backend).unwrap().is_some(), "{dataset} {backend}");
        }
    }
    let trust = resolve("own.csv", Backend::Vllm).unwrap().unwrap();
    fs::write(root.join("disk/id_rsa"), "").unwrap();
    let refused = resolve("own.csv", Backend::Vllm).unwrap_err();
    assert!(refused.contains("accept it with `aienergyscore cache trust`"), "{refused}");
    let direct = resolve("disk/datasets--o--d/snapshots/1/p.csv", Backend::Vllm).unwrap();
    assert_eq!(direct, None, "a refused input is not remembered");
    trust.remember().unwrap();
    symlink("../ssh", root.join("disk/planted.csv")).unwrap();
    let refused = resolve("home/hf/hub/planted.csv", Backend::Vllm).unwrap_err();
    assert!(refused.contains("disk/planted.csv`, which a container may have made"), "{refused}");
}

#[test]
fn contradicting_options_are_refused() {
    let vllm = request("--backend vllm");
    let offline = request("--backend vllm --offline");
    let waiting = request("--wait-for-endpoint 60");
    let endpoint = [("VLLM_ENDPOINT", "http://h:1/v1")];
    assert_eq!(settings(vllm.clone(), &endpoint).unwrap().backend, Some(Backend::Vllm));
    insta::assert_snapshot!(settings(vllm.clone(), &[]).unwrap_err(), @"backend `vllm` sends its prompts to a server, and VLLM_ENDPOINT names none; set it, for example VLLM_ENDPOINT=http://host.docker.internal:8000/v1");
    insta::assert_snapshot!(settings(offline, &endpoint).unwrap_err(), @"backend `vllm` needs the network that `--offline` takes away; leave one out");
    let error = settings(vllm.clone(), &[("VLLM_ENDPOINT", "gpu7:8000")]).unwrap_err();
    assert!(error.contains("it does not begin with http://"), "{error}");
    assert_eq!(settings(Request::default(), &[("VLLM_ENDPOINT", "x")]).map(drop), Ok(()));
    insta::assert_snapshot!(settings(waiting, &endpoint).unwrap_err(), @"`--wait-for-endpoint` waits for the server of the `vllm` backend; leave it out, or add `--backend vllm`");
    insta::assert_snapshot!(settings(Request::default(), &[("BENCHMARK_BACKEND", "tgi")]).unwrap_err(), @"BENCHMARK_BACKEND in the environment: unknown backend `tgi`; known are optimum, pytorch, vllm, native");
}
