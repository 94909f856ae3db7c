//! GPUs by a real Podman on a machine without any: a description of devices stands for them.

use std::{fs, path::Path, process::Command};

use rustix::process::getuid;

use crate::{ada::Ada, harness::workspace};

/// Where Podman looks for descriptions of devices.
const FOLDER: &str = "/var/run/cdi";
/// Where `tests/engines.sh` keeps what belongs to its engines.
const ENGINES: &str = "/run/aienergyscore-test";

/// A description of NVIDIA's devices, gone at the end.
struct Described;

impl Described {
    const FILE: &str = "/var/run/cdi/aienergyscore-test.json";

    /// One GPU, by the names `all` and `0`. A real one has `/dev/nvidia0`.
    fn new(devices: &[&str]) -> Self {
        let mounts = devices.iter().map(|device| {
            serde_json::json!({
                "hostPath": "/dev/null", "containerPath": device, "options": ["rw", "bind"]
            })
        });
        let edits = serde_json::json!({ "mounts": mounts.collect::<Vec<_>>() });
        let names = ["all", "0"];
        let devices =
            names.map(|name| serde_json::json!({ "name": name, "containerEdits": edits }));
        let text = serde_json::json!({
            "cdiVersion": "0.5.0", "kind": "nvidia.com/gpu", "devices": devices
        });
        fs::create_dir_all(FOLDER).unwrap();
        fs::write(Self::FILE, text.to_string()).unwrap();
        Self
    }
}

impl Drop for Described {
    fn drop(&mut self) {
        let removed = fs::remove_file(Self::FILE);
        // Of others' making, if it is not empty.
        let _ = fs::remove_dir(FOLDER);
        removed.expect("the description was there");
    }
}

/// Somebody with a rootless Podman of their own.
fn ada() -> Ada {
    assert!(getuid().is_root(), "only root can describe devices");
    assert!(!Path::new("/dev/nvidia0").exists(), "this machine has a GPU");
    let engines = workspace().join("tests/engines.sh");
    let status = Command::new(engines).arg("podman-rootless").status().unwrap();
    assert!(status.success(), "no rootless Podman");
    let mut ada = Ada::with(&[]);
    for (name, path) in [
        ("XDG_RUNTIME_DIR", "user"),
        ("XDG_DATA_HOME", "home/.local/share"),
        ("CONTAINERS_CONF", "containers.conf"),
        ("CONTAINERS_STORAGE_CONF", "storage.conf"),
    ] {
        ada.set(name, format!("{ENGINES}/{path}"));
    }
    ada.set("DOCKER_HOST", format!("unix://{ENGINES}/user/podman.sock"));
    ada
}

/// What a run without a model says: it gets as far as the backend, or not.
fn run(ada: &Ada, engine: &str, gpus: &str) -> (Option<i32>, String) {
    let args = ["run", "--backend", "native", "--no-token", "--engine", engine, "--gpus", gpus];
    let output = ada.command(&args).output().unwrap();
    assert!(!output.status.success());
    (output.status.code(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
}

const STARTED: &str = "no model is given";
const MISSING: &str = "the container has no NVIDIA GPU (no /dev/nvidia0)";

#[test]
#[ignore = "needs root, Podman and the smoke image, and describes devices of this machine"]
fn gpus_that_were_asked_for_are_there_or_nothing_is_measured() {
    let ada = ada();
    {
        let _one = Described::new(&["/dev/nvidia0"]);
        for gpus in ["all", "1", "device=0"] {
            let (code, said) = run(&ada, "podman", gpus);
            assert!(code == Some(2) && said.contains(STARTED), "{gpus}: {said}");
        }
        // Podman itself refuses what nothing describes.
        let (_, said) = run(&ada, "podman", "2");
        assert!(said.contains("nvidia.com/gpu=1") && !said.contains(STARTED), "{said}");
        // Podman before 5.0 drops what Docker's client asks for, without a word.
        let (code, said) = run(&ada, "docker", "all");
        assert!(code == Some(1) && said.contains(MISSING) && !said.contains(STARTED), "{said}");
    }
    {
        // A description that has outlived its device.
        let _none = Described::new(&["/dev/nvidia-uvm"]);
        let (code, said) = run(&ada, "podman", "all");
        assert!(code == Some(1) && said.contains(MISSING) && !said.contains(STARTED), "{said}");
    }
    let (_, said) = run(&ada, "podman", "none");
    assert!(said.contains(STARTED), "{said}");
}
