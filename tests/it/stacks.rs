//! Runs of the Python stacks in the `cpu` image, by an unprivileged user, offline, with a read-only cache.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
    thread,
};

use serde_json::Value;

use crate::{
    ada::Ada,
    harness::{smoke, workspace},
    python::in_cpu_image,
};

const MODEL: &str = "backend.model=smoke/SmolLM2-135M-Instruct";
const SHORT: &str = "scenario.warmup_runs=0";

/// Ada with weights, and six prompts in `prompts.csv`.
fn ada() -> Ada {
    let ada = Ada::with(&[smoke::WEIGHTS]);
    let prompts = ada.home().join("prompts.csv");
    fs::copy(workspace().join("xtask/src/smoke/prompts.csv"), &prompts).unwrap();
    ada.own(&prompts);
    ada
}

fn run(ada: &Ada, backend: &str, args: &[&str]) -> Output {
    let fixed = ["run", "--engine", "docker", "--flavour", "cpu", "--offline", "--backend"];
    let dataset = ["scenario.dataset_name=./prompts.csv", SHORT];
    ada.command(&[&fixed, &[backend][..], &dataset, args].concat()).output().unwrap()
}

fn said(output: &Output) -> String {
    let [out, err] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    format!("{out}{err}")
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// Whether a note of the summary starts with `beginning`.
fn noted(summary: &Value, beginning: &str) -> bool {
    let notes = summary["notes"].as_array().unwrap();
    notes.iter().any(|note| note.as_str().unwrap().starts_with(beginning))
}

/// Summary and record of a run that succeeded.
fn numbers(ada: &Ada, output: &Output) -> (Value, Value) {
    assert!(output.status.success(), "{}", said(output));
    let read = |name: &str| json(&ada.results().join(name));
    (read("GPU_ENERGY_SUMMARY.json"), read("run_record.json"))
}

#[test]
#[ignore = "needs Docker, the cpu image and its weights"]
fn both_stacks_give_the_same_answers() {
    let ada = ada();
    let free = thread::available_parallelism().unwrap().get().saturating_sub(1).max(1);
    let mut digests = Vec::new();
    for backend in ["optimum", "pytorch"] {
        let length = "scenario.generate_kwargs.max_new_tokens=4";
        let watts = ["--watts-per-cpu", "10"];
        let args = ["-n", "9", MODEL, length, "scenario.reasoning=False"];
        let output = run(&ada, backend, &[&watts[..], &args].concat());
        let (summary, record) = numbers(&ada, &output);
        let run = &summary["run"];
        assert_eq!(run["backend"], backend);
        assert_eq!((&run["prompts_asked"], &run["prompts"]), (&9.into(), &6.into()));
        assert_eq!(run["completion_tokens"], 24, "four tokens each, neither fewer nor more");
        let fewer = "9 prompts were asked for, the dataset has 6: all of them ran";
        // Other notes may stand beside it: on a busy machine a short run's decode phase, a
        // difference of two passes, can come out below zero, and a note says so.
        assert!(noted(&summary, fewer), "{summary}");
        assert!(said(&output).contains(fewer), "{}", said(&output));
        assert_eq!(record["prompt_format"], "plain text");
        let phases = run["phases"].as_array().unwrap();
        let names: Vec<_> = phases.iter().map(|phase| phase["name"].as_str().unwrap()).collect();
        let all = ["preprocess", "prompts"];
        assert_eq!(names, if backend == "optimum" { &all[..] } else { &all[1..] });
        let length =
            |phase: &Value| phase["to"].as_f64().unwrap() - phase["from"].as_f64().unwrap();
        let answering = record["seconds"].as_f64().unwrap();
        assert!(length(phases.last().unwrap()) >= answering, "{run}");
        // The host has them on its own clock, within its own time.
        let host = &summary["host"];
        assert_eq!(host["phases"].as_array().unwrap().len(), names.len(), "{summary}");
        assert!(length(&host["phases"][names.len() - 1]) >= answering, "{summary}");
        assert!(
            host["devices"].as_array().unwrap().iter().all(|device| {
                device["counted_wh"].as_f64().is_some_and(|counted| counted > 0.0)
            })
        );
        assert!(!host["devices"].as_array().unwrap().is_empty(), "{summary}");
        assert_eq!((&record["seed"], &record["threads"]), (&42.into(), &free.into()));
        assert_eq!(summary["total"], Value::Null, "there is no GPU here");
        assert_eq!(summary["measurement"]["status"], "estimated");
        let devices = summary["measurement"]["devices"].as_array().unwrap();
        assert!(devices.iter().all(|device| {
            device["status"] != "measured" || device["source"].as_str().unwrap().contains("RAPL")
        }));
        digests.push((record["answers_sha256"].clone(), record["prompt_tokens"].clone()));
    }
    assert_eq!(digests[0], digests[1]);
    // The second run found the report of the first, and did not take it for its own.
    let previous = fs::read_dir(ada.results().join("previous")).unwrap().next().unwrap().unwrap();
    assert!(previous.path().join("benchmark_config.json").exists());
    let report = json(&ada.results().join("benchmark_report.json"));
    assert_eq!(report["config"]["backend"], "pytorch");
}

#[test]
#[ignore = "needs Docker, the cpu image and its weights"]
fn sampling_is_seeded_and_a_models_name_changes_nothing() {
    let ada = ada();
    // Names that ai_energy_benchmarks has special rules for.
    let named = ada.home().join("phi-deepseek gpt-oss");
    let snapshot = smoke::snapshot(smoke::WEIGHTS);
    let copied = Command::new("cp").arg("-rL").arg(&snapshot).arg(&named).status().unwrap();
    assert!(copied.success());
    ada.own(&named);
    let local = format!("backend.model=./{}", named.file_name().unwrap().to_str().unwrap());
    let sampled = "scenario.generate_kwargs.do_sample=True";
    let mut records = Vec::new();
    for (backend, args) in [
        ("pytorch", [MODEL, sampled, "backend.seed=1"]),
        ("pytorch", [&local, sampled, "backend.seed=1"]),
        ("pytorch", [MODEL, sampled, "backend.seed=2"]),
        // The pass over the prompts that comes first here takes no samples from the second one.
        ("optimum", [MODEL, sampled, "backend.seed=1"]),
    ] {
        let output = run(&ada, backend, &[&["-n", "2"], &args[..]].concat());
        records.push(numbers(&ada, &output).1);
    }
    let [hub, path, seed, optimum] = &records[..] else { panic!("four runs") };
    assert_eq!(hub["answers_sha256"], path["answers_sha256"]);
    assert_eq!(hub["answers_sha256"], optimum["answers_sha256"]);
    assert_eq!(hub["prompt_tokens"], path["prompt_tokens"]);
    assert_ne!(hub["answers_sha256"], seed["answers_sha256"]);
    assert_eq!(path["model"], "/models/phi-deepseek_gpt-oss");

    let reasoning = ["scenario.reasoning=True", "scenario.generate_kwargs.max_new_tokens=12"];
    let output = run(&ada, "optimum", &[&["-n", "2", MODEL], &reasoning[..]].concat());
    let (_, record) = numbers(&ada, &output);
    assert_eq!(record["prompt_format"], "chat template");
    assert!(record["prompt_tokens"].as_u64() > hub["prompt_tokens"].as_u64());

    let unused = ["scenario.reasoning=True", "scenario.reasoning_params.reasoning_effort=low"];
    let output = run(&ada, "pytorch", &[&["-n", "2", MODEL], &unused[..]].concat());
    assert_eq!(output.status.code(), Some(1));
    let text = "`scenario.reasoning_params.reasoning_effort`: the chat template";
    assert!(said(&output).contains(text), "{}", said(&output));
}

#[test]
#[ignore = "needs Docker, the cpu image and its weights"]
fn a_run_that_failed_says_so() {
    let ada = ada();
    let sample = ["scenario.generate_kwargs.do_sample=True", MODEL];
    let cold = "scenario.generate_kwargs.temperature=0";
    let cases: [(&[&str], i32, &str); 8] = [
        // Two prompts that both fail are a success to ai_energy_benchmarks.
        (&[sample[0], MODEL, cold, "-n", "2"], 1, "none of its 2 prompts was answered"),
        (&[sample[0], MODEL, cold, "-n", "5"], 1, "3 consecutive inference failures"),
        (&["backend.model=org/absent"], 1, "`backend.model=org/absent` cannot be loaded"),
        (&[MODEL, "scenario.text_column_name=words"], 1, "has no column `words`; it has `text`"),
        (&[MODEL, "scenario.dataset_name=org/absent"], 1, "org/absent` cannot be loaded"),
        (&[MODEL, "backend.device_map=balanced"], 1, "`backend.device_map` is for GPUs"),
        (&[MODEL, "scenario.num_samples=-1"], 2, "needs a whole number above 0"),
        (&[MODEL, "backend.device=cuda"], 1, "the PyTorch of this image has no CUDA"),
    ];
    for (args, code, text) in cases {
        let output = run(&ada, "pytorch", args);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {}", said(&output));
        assert!(said(&output).contains(text), "{args:?}: {}", said(&output));
        assert!(!ada.results().join("GPU_ENERGY_SUMMARY.json").exists(), "{args:?}");
    }
    let output = run(&ada, "optimum", &[MODEL, "backend.model_kwargs.oops=1"]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("unexpected keyword argument 'oops'"), "{}", said(&output));
    assert!(!said(&output).contains("Traceback"), "{}", said(&output));
}

#[test]
#[ignore = "needs Docker, the cpu image and its weights"]
fn part_failures_are_counted_and_shown() {
    let ada = ada();
    // The second answer of the model fails.
    let fault = ada.home().join("fault");
    fs::create_dir(&fault).unwrap();
    fs::write(
        fault.join("sitecustomize.py"),
        "import threading\n\
         def plant():\n\
         \x20   from transformers import GenerationMixin\n\
         \x20   real, calls = GenerationMixin.generate, []\n\
         \x20   def generate(self, *args, **kwargs):\n\
         \x20       calls.append(1)\n\
         \x20       if len(calls) == 2:\n\
         \x20           raise RuntimeError('planted')\n\
         \x20       return real(self, *args, **kwargs)\n\
         \x20   GenerationMixin.generate = generate\n\
         import sys\n\
         class Finder:\n\
         \x20   def find_spec(self, name, *_):\n\
         \x20       if name == 'ai_energy_benchmarks':\n\
         \x20           plant()\n\
         sys.meta_path.insert(0, Finder())\n",
    )
    .unwrap();
    fs::create_dir(ada.results()).unwrap();
    ada.own(&ada.home());
    let mount = |from: &Path, to: &str| {
        ["--mount".to_owned(), format!("type=bind,\"source={}\",target={to}", from.display())]
    };
    let output = Command::new("docker")
        .args(["run", "--rm", "--pull", "never", "--network", "none", "--user"])
        .arg(format!("{0}:{0}", ada.uid))
        .args(["--env", "PYTHONPATH=/fault", "--env", "BENCHMARK_BACKEND=pytorch"])
        .args(mount(&fault, "/fault"))
        .args(mount(&ada.results(), "/results"))
        .args(mount(&ada.home().join("prompts.csv"), "/data/prompts.csv"))
        .args(mount(&ada.home().join("hf"), "/home/user/.cache/huggingface"))
        .args(["ai_energy_score:cpu", MODEL, SHORT, "scenario.num_samples=3"])
        .arg("scenario.dataset_name=/data/prompts.csv")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", said(&output));
    // The run is not told that it is offline. It still asks the Hub once, not five times a file.
    assert!(said(&output).contains("cannot be reached"), "{}", said(&output));
    let summary = json(&ada.results().join("GPU_ENERGY_SUMMARY.json"));
    assert_eq!(
        (&summary["run"]["prompts"], &summary["run"]["prompts_failed"]),
        (&2.into(), &1.into())
    );
    assert!(noted(&summary, "1 of 3 prompts failed"), "{summary}");
}

/// Runs a script of checks beside the adapter of the image.
fn checks(name: &str) {
    let script = workspace().join("tests/it").join(name);
    in_cpu_image("4242:4242", &[(&script, "/checks.py,readonly")], &["/checks.py"]);
}

#[test]
#[ignore = "needs Docker and the cpu image"]
fn the_adapter_reads_every_kind_of_dataset() {
    checks("adapter_checks.py");
}

#[test]
#[ignore = "needs Docker and the cpu image"]
fn the_arguments_alone_choose_the_tokens() {
    checks("generation_checks.py");
}

#[test]
#[ignore = "needs Docker and the cpu image"]
fn prompts_are_cut_counted_and_fail_one_by_one() {
    checks("prompt_checks.py");
}
