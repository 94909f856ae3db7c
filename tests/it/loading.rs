//! Models and datasets that cannot be loaded are refused before anything starts.

use std::{fs, os::unix::fs::symlink, path::Path};

use crate::harness::{FakeDocker, Sandbox, aienergyscore};

const COMMIT: &str = "0123456789012345678901234567890123456789";
const POINTER: &str = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n";

fn safetensors() -> Vec<u8> {
    let header = r#"{"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]}}"#;
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &[0; 3]].concat()
}

/// A model that loads, as far as anything tells without loading it.
fn model() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("config.json", br#"{"model_type": "llama"}"#.to_vec()),
        ("tokenizer.json", b"{}".to_vec()),
        ("model.safetensors", safetensors()),
    ]
}

fn write(folder: &Path, files: &[(&str, Vec<u8>)]) {
    fs::create_dir_all(folder).unwrap();
    files.iter().for_each(|(name, bytes)| fs::write(folder.join(name), bytes).unwrap());
}

/// A repo of the Hub cache; a file without bytes is a dangling symlink.
fn cache(sandbox: &Sandbox, folder: &str, files: &[(&str, Vec<u8>)]) {
    let repo = sandbox.home().join(".cache/huggingface/hub").join(folder);
    let snapshot = repo.join("snapshots").join(COMMIT);
    for folder in [&repo.join("refs"), &repo.join("blobs"), &snapshot] {
        fs::create_dir_all(folder).unwrap();
    }
    fs::write(repo.join("refs/main"), COMMIT).unwrap();
    for (number, (name, bytes)) in files.iter().enumerate() {
        let blob = format!("{number:040}");
        if !bytes.is_empty() {
            fs::write(repo.join("blobs").join(&blob), bytes).unwrap();
        }
        symlink(format!("../../blobs/{blob}"), snapshot.join(name)).unwrap();
    }
}

#[test]
fn missing_files_stop_an_offline_run_and_its_dry_run() {
    let docker = FakeDocker::new();
    let sandbox = Sandbox::new(Some(&docker));
    let without =
        |name: &str| model().into_iter().filter(|(known, _)| *known != name).collect::<Vec<_>>();
    let dangling = |name: &'static str| [model(), vec![(name, vec![])]].concat();
    cache(&sandbox, "models--org--whole", &dangling("README.md"));
    cache(&sandbox, "models--org--tokenless", &without("tokenizer.json"));
    cache(&sandbox, "datasets--org--prompts", &[("p.csv", b"text\nhello\n".to_vec())]);
    fs::write(sandbox.cwd().join("p.csv"), "text\nhello\n").unwrap();
    let own = "scenario.dataset_name=./p.csv";
    let cases: [(&[&str], &str); 6] = [
        (&["backend.model=org/none", own], "has nothing of it; `hf download org/none`"),
        (&["backend.model=Org/Whole", own], "the cache has it as `org/whole`"),
        (&["backend.model=org/tokenless", own], "no tokenizer, such as `tokenizer.json`"),
        (
            &["backend.model=org/whole"],
            "`scenario.dataset_name=EnergyStarAI/text_generation` cannot",
        ),
        (&["backend.model=org/whole", "scenario.dataset_name=org/Prompts"], "as `org/prompts`"),
        (&["backend.model=org/whole", "--backend", "native", "--flavour", "smoke"], "no GGUF file"),
    ];
    for (args, why) in cases {
        for mode in [&["run", "--offline"][..], &["run", "--offline", "--dry-run"]] {
            let outcome = aienergyscore(&sandbox, [mode, args].concat());
            assert_eq!(outcome.code, Some(1), "{args:?}: {}", outcome.stderr);
            assert!(outcome.stderr.contains(why), "{args:?}: {}", outcome.stderr);
        }
    }
    assert_eq!(docker.calls_of("run"), Vec::<Vec<String>>::new());
    let loads = ["backend.model=org/whole", "scenario.dataset_name=org/prompts"];
    let outcome =
        aienergyscore(&sandbox, [&["run", "--offline", "--dry-run"][..], &loads].concat());
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    // With a network the rest is fetched.
    let outcome = aienergyscore(&sandbox, ["run", "--dry-run", "backend.model=org/none"]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
}

#[test]
fn local_model_is_checked_with_a_network_too() {
    let docker = FakeDocker::new();
    let sandbox = Sandbox::new(Some(&docker));
    let at = |name: &str| sandbox.cwd().join(name);
    write(&at("whole"), &model());
    write(&at("cloned"), &[&model()[..2], &[("model.safetensors", POINTER.into())]].concat());
    write(
        &at("parts"),
        &[&model()[..2], &[("model-00001-of-00002.safetensors", safetensors())]].concat(),
    );
    write(&at("linked"), &model()[..2]);
    fs::write(at("weights"), safetensors()).unwrap();
    symlink(at("weights"), at("linked/model.safetensors")).unwrap();
    write(&at("."), &[("m.gguf", POINTER.into()), ("m-00001-of-00002.gguf", b"GGUF".to_vec())]);
    write(&at("."), &[("empty.csv", vec![]), ("p.csv", POINTER.into())]);
    let native = ["--backend", "native", "--flavour", "smoke"];
    let cases: [(&[&str], &str); 7] = [
        (&["backend.model=./cloned"], "Git LFS pointer: run `git lfs pull`"),
        (&["backend.model=./parts"], "the index that names all of them is missing"),
        (&["backend.model=./linked"], "a place that the container cannot see"),
        (
            &["backend.model=./m.gguf", native[0], native[1], native[2], native[3]],
            "Git LFS pointer",
        ),
        (
            &["backend.model=./m-00001-of-00002.gguf", native[0], native[1], native[2], native[3]],
            "one part of a split GGUF model",
        ),
        (&["backend.model=org/m", "scenario.dataset_name=./empty.csv"], "`empty.csv` is empty"),
        (&["backend.model=org/m", "scenario.dataset_name=./p.csv"], "Git LFS pointer"),
    ];
    for (args, why) in cases {
        let outcome = aienergyscore(&sandbox, [&["run"], args].concat());
        assert_eq!(outcome.code, Some(1), "{args:?}: {}", outcome.stderr);
        assert!(outcome.stderr.contains(why), "{args:?}: {}", outcome.stderr);
    }
    assert_eq!(docker.calls_of("run"), Vec::<Vec<String>>::new());
    let outcome = aienergyscore(&sandbox, ["run", "--dry-run", "backend.model=./whole"]);
    assert_eq!(
        (outcome.code, outcome.stderr.contains("warning")),
        (Some(0), false),
        "{}",
        outcome.stderr
    );
    let outcome = aienergyscore(&sandbox, ["run", "backend.model=https://hf.co/org/m"]);
    assert_eq!(outcome.code, Some(2));
    assert!(outcome.stderr.contains("name the Hub id in it: `backend.model=org/m`"));
}
