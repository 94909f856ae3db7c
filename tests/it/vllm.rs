//! The `vllm` backend's client with servers that run a model, and with a stub that fails.

mod adapter;
mod faults;
mod llama;
mod long;
mod real;
mod server;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::Mutex,
};

use serde_json::Value;

pub(crate) use llama::Llama;
pub(crate) use server::{Does, serve};

use crate::{ada::Ada, harness::workspace};

/// The model of the servers of these tests, by the name that they have for it.
pub(crate) const MODEL: &str = "SmolLM2-135M-Instruct";

/// Somebody with six prompts, and no model.
pub(crate) fn ada() -> Ada {
    let ada = Ada::with(&[]);
    let prompts = ada.home().join("prompts.csv");
    fs::copy(workspace().join("xtask/src/smoke/prompts.csv"), &prompts).unwrap();
    ada.own(&prompts);
    ada
}

/// The command of a client without GPU, of the server that Ada's `VLLM_ENDPOINT` names.
pub(crate) fn client(ada: &Ada, args: &[&str]) -> Command {
    let fixed = ["run", "--engine", "docker", "--flavour", "cpu", "--backend", "vllm"];
    let dataset = ["scenario.dataset_name=./prompts.csv", "scenario.warmup_runs=1"];
    ada.command(&[&fixed, args, &dataset].concat())
}

fn run(ada: &Ada, args: &[&str]) -> Output {
    client(ada, args).output().unwrap()
}

/// The summary of a run that succeeded.
fn summary(ada: &Ada, output: &Output) -> Value {
    assert!(output.status.success(), "{}", said(output));
    let file = ada.results().join("GPU_ENERGY_SUMMARY.json");
    serde_json::from_slice(&fs::read(file).unwrap()).unwrap()
}

fn said(output: &Output) -> String {
    let [out, err] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    format!("{out}{err}")
}

/// A file of these tests.
fn file(name: &str) -> PathBuf {
    workspace().join("tests/it/vllm").join(name)
}

/// A folder with what a lock of these tests names, made once: an environment of `python3`.
fn environment(lock: &str) -> PathBuf {
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap();
    let folder = kept(lock);
    let python = folder.join("bin/python");
    if !is_made_of(&folder, lock) {
        let venv = Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder).status();
        assert!(venv.unwrap().success(), "`python3 -m venv` failed; install python3-venv");
        install(&python, lock, &[]);
        fs::copy(locked(lock), folder.join("made-of.txt")).unwrap();
    }
    python
}

/// A folder with what a lock names for the Python of the `cpu` image, made once.
fn packages(lock: &str) -> PathBuf {
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap();
    let folder = kept(lock);
    if !is_made_of(&folder, lock) {
        let _ = fs::remove_dir_all(&folder);
        let target = ["--python-version", "3.13", "--only-binary", ":all:", "--target"];
        let target: Vec<_> = target.into_iter().chain([folder.to_str().unwrap()]).collect();
        install(Path::new("python3"), lock, &target);
        fs::copy(locked(lock), folder.join("made-of.txt")).unwrap();
    }
    folder
}

fn kept(lock: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("vllm-{lock}"))
}

fn locked(lock: &str) -> PathBuf {
    file(&format!("requirements/{lock}.txt"))
}

/// Whether a folder was completely installed from the current lock.
fn is_made_of(folder: &Path, lock: &str) -> bool {
    let made = fs::read(folder.join("made-of.txt"));
    made.is_ok_and(|made| made == fs::read(locked(lock)).unwrap())
}

fn install(python: &Path, lock: &str, where_to: &[&str]) {
    let pip = ["-m", "pip", "install", "--quiet", "--require-hashes", "--no-deps"];
    let mut pip_install = Command::new(python);
    pip_install.args(pip).args(where_to).arg("--requirement").arg(locked(lock));
    assert!(pip_install.status().unwrap().success(), "no network?");
}
