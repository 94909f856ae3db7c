//! GPU requests to real engines on a machine without a GPU: a CDI file stands for it with Podman, a
//! runtime hook with Docker.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use rustix::process::getuid;
use serde_json::Value;

use crate::{
    ada::{Ada, docker},
    machine::On,
    waiting::holds_within,
};

/// Podman's folder of CDI files.
const FOLDER: &str = "/var/run/cdi";

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

/// Somebody with this engine, and a machine without a GPU.
fn ada(on: On) -> Ada {
    assert!(getuid().is_root(), "only root can describe devices");
    assert!(!Path::new("/dev/nvidia0").exists(), "this machine has a GPU");
    Ada::on(on, &[])
}

/// Exit code and output of a run without a model. They show whether the backend was started.
fn run(ada: &Ada, gpus: &str) -> (Option<i32>, String) {
    let engine = ada.on.choice();
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
    let ada = ada(On::PodmanRootless);
    {
        let _one = Described::new(&["/dev/nvidia0"]);
        for gpus in ["all", "1", "device=0"] {
            let (code, said) = run(&ada, gpus);
            assert!(code == Some(2) && said.contains(STARTED), "{gpus}: {said}");
        }
        // Podman itself refuses what nothing describes.
        let (_, said) = run(&ada, "2");
        assert!(said.contains("nvidia.com/gpu=1") && !said.contains(STARTED), "{said}");
        // Podman before 5.0 drops what Docker's client asks for, without a word.
        let version = Command::new("podman").args(["version", "--format", "{{.Version}}"]).output();
        let version = String::from_utf8(version.unwrap().stdout).unwrap();
        let major = version.split('.').next().unwrap().parse::<u32>().unwrap();
        let (_, said) = run(&self::ada(On::PodmanBehindDocker), "all");
        let (expected, other) = if major < 5 { (MISSING, STARTED) } else { (STARTED, MISSING) };
        assert!(said.contains(expected) && !said.contains(other), "{version}: {said}");
    }
    {
        // A description that has outlived its device.
        let _none = Described::new(&["/dev/nvidia-uvm"]);
        let (code, said) = run(&ada, "all");
        assert!(code == Some(1) && said.contains(MISSING) && !said.contains(STARTED), "{said}");
    }
    let (_, said) = run(&ada, "none");
    assert!(said.contains(STARTED), "{said}");
}

/// A Docker daemon that has found what looks like NVIDIA's hook; both end with this value.
struct Hooked {
    folder: tempfile::TempDir,
    /// `unshare`, whose end is that of the daemon.
    namespace: Child,
}

impl Hooked {
    /// The hook makes a device for each GPU that it is told, and keeps what the container was made
    /// from. Its mounts are not pivoted to yet.
    const HOOK: &str = r#"#!/bin/sh
set -eu
state=$(cat)
field() { printf %s "$state" | sed -n "s/.*\"$1\":\"*\([^\",}]*\).*/\1/p"; }
config=$(field bundle)/config.json
cp "$config" "${0%/*}/config.json"
root=$(sed -n 's/.*"root":{"path":"\([^"]*\)".*/\1/p' "$config")
gpus=$(sed -n 's/.*"NVIDIA_VISIBLE_DEVICES=\([^"]*\)".*/\1/p' "$config")
for gpu in $(printf %s "$gpus" | sed 's/all/0/' | tr , ' '); do
  nsenter --target "$(field pid)" --mount touch "$root/dev/nvidia$gpu"
done
"#;

    fn start() -> Self {
        assert!(getuid().is_root(), "only root can start a daemon");
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let hook = at("nvidia-container-runtime-hook");
        fs::write(&hook, Self::HOOK).unwrap();
        fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
        let log = fs::File::create(at("log")).unwrap();
        // Its network is its own: beside another daemon it would take the bridge away.
        let script = r#"
            ip link set lo up
            exec dockerd --bridge=none --iptables=false --data-root="$1/data" \
                --exec-root="$1/exec" --host="unix://$1/socket" --pidfile="$1/pid""#;
        let mut command = Command::new("unshare");
        command.args(["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]);
        command.args(["sh", "-euc", script, "sh"]).arg(folder.path());
        let path = std::env::var("PATH").unwrap();
        command.env("PATH", format!("{}:{path}", folder.path().display()));
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let hooked = Self { namespace: command.spawn().unwrap(), folder };
        if !holds_within(Duration::from_secs(60), || hooked.docker(&["version"])) {
            panic!("no daemon:\n{}", fs::read_to_string(hooked.at("log")).unwrap_or_default());
        }
        fs::set_permissions(hooked.at("socket"), fs::Permissions::from_mode(0o666)).unwrap();
        let image = hooked.at("image.tar").display().to_string();
        docker(&["save", "--output", &image, "ai_energy_score:smoke"]);
        assert!(hooked.docker(&["load", "--input", &image]));
        hooked
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn host(&self) -> String {
        format!("unix://{}", self.at("socket").display())
    }

    fn docker(&self, args: &[&str]) -> bool {
        let output = Command::new("docker").args(["--host", &self.host()]).args(args).output();
        output.unwrap().status.success()
    }

    /// The variables of the last container.
    fn variables(&self) -> Vec<String> {
        let config = fs::read_to_string(self.at("config.json")).unwrap();
        let config: Value = serde_json::from_str(&config).unwrap();
        serde_json::from_value(config["process"]["env"].clone()).unwrap()
    }
}

impl Drop for Hooked {
    fn drop(&mut self) {
        // With the first process of its namespace, the daemon and its containers end.
        self.namespace.kill().expect("unshare is there");
        self.namespace.wait().expect("it ends");
    }
}

#[test]
#[ignore = "needs root, Docker and the smoke image, and starts a daemon"]
fn docker_is_asked_for_gpus_in_words_that_it_hands_on() {
    let hooked = Hooked::start();
    let mut ada = Ada::with(&[]);
    ada.set("DOCKER_HOST", hooked.host());
    for (gpus, told) in [("all", "all"), ("device=0,2", "0,2"), ("device=1", "1")] {
        let (code, said) = run(&ada, gpus);
        assert!(code == Some(2) && said.contains(STARTED), "{gpus}: {said}");
        let variable = format!("NVIDIA_VISIBLE_DEVICES={told}");
        assert!(hooked.variables().contains(&variable), "{gpus}: {:?}", hooked.variables());
    }
    // A hook that does nothing.
    fs::write(hooked.at("nvidia-container-runtime-hook"), "#!/bin/sh\nexit 0\n").unwrap();
    let (code, said) = run(&ada, "all");
    assert!(code == Some(1) && said.contains(MISSING) && !said.contains(STARTED), "{said}");
}
