//! The adapter's fetch with the images' Hub client, from a local stub of the Hub.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use insta::assert_snapshot;
use rustix::process::getuid;
use serde_json::{Value, json};

use crate::{
    harness::workspace,
    hub_cache::{Hub, python},
};

/// The version that the images have.
const VERSION: &str = "0.36.2";

/// A Hub, and a home whose cache is filled from it.
struct World {
    root: tempfile::TempDir,
    hub: Hub,
    variables: Vec<(&'static str, String)>,
}

impl World {
    fn new() -> Self {
        Self { root: tempfile::tempdir().unwrap(), hub: Hub::start(&[]), variables: vec![] }
    }

    fn cache(&self) -> PathBuf {
        self.root.path().join("hub")
    }

    /// The exit code and what was said, without what differs from run to run.
    fn fetch(&self, model: &str, more: Value) -> String {
        let mut settings = json!({
            "stack": "optimum",
            "backend": { "model": model, "seed": 1 },
            "scenario": { "dataset_name": "EnergyStarAI/text_generation" },
        });
        for (key, value) in more.as_object().into_iter().flatten() {
            *settings.pointer_mut(key).unwrap() = value.clone();
        }
        let mut command = Command::new(python(VERSION));
        command.args(["-m", "adapter", "fetch", &settings.to_string()]).env_clear();
        command.current_dir(self.root.path()).env("PATH", std::env::var("PATH").unwrap());
        command.env("HOME", self.root.path()).env("HF_HUB_CACHE", self.cache());
        command
            .env("HF_ENDPOINT", &self.hub.endpoint)
            .env("PYTHONPATH", workspace().join("docker"));
        command.env("PYTHONDONTWRITEBYTECODE", "1").env("PYTHONUNBUFFERED", "1");
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        let output = command.output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8(text).unwrap().replace(&self.hub.endpoint, "HUB");
        // How far it is at a moment is a matter of that.
        let lines: Vec<_> = text.lines().filter(|line| !line.starts_with("  ")).collect();
        format!("exit code {}\n{}", output.status.code().unwrap(), lines.join("\n"))
    }

    /// The number of files sent since the last call.
    fn sent(&mut self) -> usize {
        self.hub.order("fetched").as_object().unwrap().len()
    }
}

/// The files of a repo's only snapshot.
fn files(repo: &Path) -> Vec<String> {
    let snapshot = fs::read_dir(repo.join("snapshots")).unwrap().next().unwrap().unwrap().path();
    let entries = walkdir::WalkDir::new(&snapshot).sort_by_file_name().into_iter();
    let files = entries.map(Result::unwrap).filter(|entry| !entry.file_type().is_dir());
    let name = |path: &Path| path.strip_prefix(&snapshot).unwrap().display().to_string();
    files.map(|entry| name(entry.path())).collect()
}

#[test]
#[ignore = "needs python3 with venv, and a network for huggingface_hub"]
fn files_that_a_run_loads_are_fetched_once() {
    let mut world = World::new();
    assert_snapshot!(world.fetch("org/loads", Value::Null), @r"
    exit code 0
    model `org/loads`: fetching 4 of 5 files, 17.0 MB
    model `org/loads`: fetched
    dataset `EnergyStarAI/text_generation`: fetching 2 of 2 files, 44 B
    dataset `EnergyStarAI/text_generation`: fetched
    ");
    assert_eq!(world.sent(), 7);
    assert_snapshot!(files(&world.cache().join("models--org--loads")).join("\n"), @r"
    config.json
    model-00001-of-00002.safetensors
    model-00002-of-00002.safetensors
    model.safetensors.index.json
    tokenizer.json
    ");
    let dataset = files(&world.cache().join("datasets--EnergyStarAI--text_generation"));
    assert_eq!(dataset, ["README.md", "data/train.jsonl"]);
    assert_snapshot!(world.fetch("org/loads", Value::Null), @r"
    exit code 0
    model `org/loads`: all of its 5 files are in the cache
    dataset `EnergyStarAI/text_generation`: all of its 2 files are in the cache
    ");
    assert_eq!(world.sent(), 0);
    assert_snapshot!(world.fetch("org/gguf:a.Q4.gguf", Value::Null), @r"
    exit code 0
    model `org/gguf`: fetching 1 of 1 files, 2.0 kB
    model `org/gguf`: fetched
    dataset `EnergyStarAI/text_generation`: all of its 2 files are in the cache
    ");
    assert_eq!(world.sent(), 1);
}

#[test]
#[ignore = "needs python3 with venv, and a network for huggingface_hub"]
fn a_transfer_that_breaks_off_is_resumed() {
    let mut world = World::new();
    world.hub.order("cut once");
    assert_snapshot!(world.fetch("org/loads", Value::Null), @r"
    exit code 0
    model `org/loads`: fetching 4 of 5 files, 17.0 MB
    `model-00002-of-00002.safetensors` broke off (IncompleteRead(12582912 bytes read, 4194304 more expected)); taking it up again
    model `org/loads`: fetched
    dataset `EnergyStarAI/text_generation`: fetching 2 of 2 files, 44 B
    dataset `EnergyStarAI/text_generation`: fetched
    ");
    world.sent();
    let folder = world.cache().join("models--org--loads");
    fs::remove_dir_all(&folder).unwrap();
    // A Hub that does not come back.
    world.hub.order("cut");
    assert_snapshot!(world.fetch("org/loads", Value::Null), @r"
    exit code 1
    model `org/loads`: fetching 4 of 5 files, 17.0 MB
    `model-00002-of-00002.safetensors` broke off (IncompleteRead(12582912 bytes read, 4194304 more expected)); taking it up again
    error: `model-00002-of-00002.safetensors` of `org/loads`: the Hub answered 503 Service Unavailable; try again later
    ");
    assert!(!folder.join("refs/main").exists(), "the revision is not there yet");
    world.hub.order("go on");
    assert_snapshot!(world.fetch("org/loads", Value::Null), @r"
    exit code 0
    model `org/loads`: fetching 1 of 5 files, 6.3 MB
    model `org/loads`: fetched
    dataset `EnergyStarAI/text_generation`: all of its 2 files are in the cache
    ");
}

#[test]
#[ignore = "needs python3 with venv, and a network for huggingface_hub"]
fn a_gated_model_takes_a_token_with_access() {
    let mut world = World::new();
    assert_snapshot!(world.fetch("org/gated", Value::Null), @r"
    exit code 1
    model `org/gated`: fetching 3 of 3 files, 300 kB
    error: `org/gated` is gated, and no valid token was sent: accept its terms on HUB/org/gated, then `hf auth login`, or set HF_TOKEN
    ");
    world.variables = vec![("HF_TOKEN", "hf_bad".to_owned())];
    assert_snapshot!(world.fetch("org/gated", Value::Null), @r"
    exit code 1
    model `org/gated`: fetching 3 of 3 files, 300 kB
    error: `org/gated` is gated, and the account of your token has no access: ask for it on HUB/org/gated
    ");
    world.variables = vec![("HF_TOKEN", "hf_good".to_owned())];
    assert!(world.fetch("org/gated", Value::Null).starts_with("exit code 0"));
}

#[test]
#[ignore = "needs python3 with venv, and a network for huggingface_hub"]
fn missing_repos_and_files_are_named_with_suggestions() {
    let mut world = World::new();
    let dataset = json!({ "/scenario": { "dataset_name": "EnergyStarAI/text_generatoin" } });
    let revision = json!({
        "/backend": { "model": "org/loads", "model_kwargs": { "revision": "v9" }, "seed": 1 }
    });
    let said = [
        world.fetch("Org/Loads", Value::Null),
        world.fetch("org/lods", Value::Null),
        world.fetch("other/twin", Value::Null),
        world.fetch("nobody/nothing", Value::Null),
        world.fetch("org/loads", dataset),
        world.fetch("org/loads", revision),
        world.fetch("org/twin", Value::Null),
        world.fetch("org/adapter", Value::Null),
        world.fetch("org/gguf", Value::Null),
        world.fetch("org/gguf:b.gguf", Value::Null),
        world.fetch("a/b/c", Value::Null),
    ];
    assert_snapshot!(said.join("\n"), @r"
    exit code 1
    error: `Org/Loads` is not on the Hub (HUB); did you mean `org/loads`?
    exit code 1
    error: `org/lods` is not on the Hub (HUB); did you mean `org/loads`?
    exit code 1
    error: `other/twin` is not on the Hub (HUB); did you mean `org/twin`?
    exit code 1
    error: `nobody/nothing` is not on the Hub (HUB), and a private one needs a token that may read it
    exit code 1
    error: the dataset `EnergyStarAI/text_generatoin` is not on the Hub (HUB); did you mean `EnergyStarAI/text_generation`?
    exit code 1
    error: `org/loads` has no revision `v9`, but `main`; choose another with --revision
    exit code 1
    error: `org/twin` has no tokenizer, which is one of tokenizer_config.json, tokenizer.json, tokenizer.model, vocab.json, vocab.txt
    exit code 1
    error: `org/adapter` has no `config.json`, which every model for transformers has; it is an adapter (`adapter_config.json`) of another model: merge it into that and save the result
    exit code 1
    error: `org/gguf` has no `config.json`, which every model for transformers has; for the `native` backend name one of its files, as in ORG/REPO:FILE: `a.Q4.gguf`, `a.Q8.gguf`
    exit code 1
    error: `org/gguf` has no file `b.gguf`; for the `native` backend name one of its files, as in ORG/REPO:FILE: `a.Q4.gguf`, `a.Q8.gguf`
    exit code 1
    error: `a/b/c` is no id of the Hub, which is ORG/NAME: Repo id must be in the form 'repo_name' or 'namespace/repo_name': 'a/b/c'. Use `repo_type` argument if needed.
    ");
    assert!(world.sent() <= 1, "only an index is read before all of it is known to be there");
    world.variables = vec![("HF_ENDPOINT", "http://127.0.0.1:9".to_owned())];
    assert_snapshot!(world.fetch("org/loads", Value::Null), @r"
    exit code 1
    error: `org/loads` could not be fetched from http://127.0.0.1:9: [Errno 111] Connection refused; check the network, and fetch again: what is there is kept
    ");
    world.variables = vec![("HF_HUB_OFFLINE", "1".to_owned())];
    assert_snapshot!(world.fetch("org/loads", Value::Null), @r"
    exit code 1
    error: HF_HUB_OFFLINE is set, and a fetch asks the Hub; unset it
    ");
}

#[test]
#[ignore = "needs python3 with venv, and a network for huggingface_hub"]
fn download_larger_than_the_disk_is_refused() {
    let mut world = World::new();
    let said = world.fetch("org/endless", Value::Null);
    let (before, after) = said.split_once("has ").unwrap();
    assert_snapshot!(before, @r"
    exit code 1
    error: fetching `org/endless` and `EnergyStarAI/text_generation` takes 1152921.5 TB more, and the disk of the Hub cache
    ");
    assert!(after.contains(" GB free; ") || after.contains(" TB free; "), "{said}");
    assert_eq!(world.sent(), 0);
}

#[test]
#[ignore = "needs root, to make a small disk, python3 with venv, and a network"]
fn a_disk_that_fills_up_is_named() {
    assert!(getuid().is_root(), "only root can mount a small disk");
    let world = World::new();
    fs::create_dir(world.cache()).unwrap();
    let mount = |program: &str, args: &[&str]| {
        assert!(Command::new(program).args(args).arg(world.cache()).status().unwrap().success());
    };
    mount("mount", &["-t", "tmpfs", "-o", "size=1m", "tmpfs"]);
    let said = world.fetch("org/liar", Value::Null);
    mount("umount", &["--lazy"]);
    assert_snapshot!(said, @r"
    exit code 1
    model `org/liar`: fetching 3 of 3 files, 1.0 kB
    error: the disk of the Hub cache is full, while fetching `model.safetensors` of `org/liar`; free some space and fetch again: what is there is kept
    ");
}
