//! The host's meter beside a run: with a fake NVML library, and compared with the processor time of a
//! real container.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};

use crate::{
    ada::{Ada, docker},
    harness::{Sandbox, aienergyscore, smoke, workspace},
    under_way::said,
    waiting::{holds_within, until},
    watch::Watch,
};

/// Seconds of the clock that host and containers share.
fn now() -> f64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as f64 + now.tv_nsec as f64 / 1e9
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// A folder with NVIDIA's library as the runner's own tests have it, and two GPUs.
fn two_gpus(folder: &Path) {
    fs::create_dir(folder).unwrap();
    let state = format!("-DSTATE=\"{}\"", folder.display());
    let source = workspace().join("runner/crates/meter/testing/nvml.c");
    let status = Command::new("cc")
        .args(["-shared", "-fPIC", &state, "-o"])
        .arg(folder.join("libnvidia-ml.so.1"))
        .arg(source)
        .status()
        .unwrap();
    assert!(status.success());
    tell(folder, "count", "2");
    for gpu in 0..2 {
        tell(folder, &format!("{gpu}.name"), "NVIDIA H100 80GB HBM3");
        tell(folder, &format!("{gpu}.uuid"), &format!("GPU-{gpu}"));
        tell(folder, &format!("{gpu}.energy"), "1000");
    }
}

fn tell(folder: &Path, file: &str, text: &str) {
    let new = folder.join(format!("{file}.new"));
    fs::write(&new, text).unwrap();
    fs::rename(new, folder.join(file)).unwrap();
}

/// The summary of a backend on a GPU that measured `total` Wh between two moments.
fn summary(total: f64, from: f64, to: f64) -> Value {
    json!({
        "units": "Wh", "total": total, "format": "optimum",
        "preprocess_wh": null, "prefill_wh": null, "decode_wh": null,
        "measurement": {
            "status": "measured", "source": "its tracker",
            "devices": [{
                "name": "NVIDIA H100 80GB HBM3", "kind": "gpu", "energy_wh": total,
                "status": "measured", "source": "its tracker",
            }],
        },
        "run": {
            "backend": "pytorch", "model": "m", "prompts_asked": 2, "prompts": 2,
            "prompts_failed": 0, "prompt_tokens": 10, "completion_tokens": 20, "seconds": 1.0,
            "tokens_per_second": 20.0, "time_to_first_token_seconds": 0.1,
            "phases": [{"name": "prompts", "from": from, "to": to}],
        },
    })
}

#[test]
fn gpus_are_metered_beside_a_run_and_held_against_its_own_number() {
    let mut sandbox = Sandbox::new(None);
    let nvidia = sandbox.folder("nvidia");
    two_gpus(&nvidia);
    // It runs until somebody writes its summary to the pipe.
    let script = "#!/bin/sh\nmkfifo \"$RESULTS_DIR/summary\"\n: >\"$RESULTS_DIR/started\"\n\
                  cat \"$RESULTS_DIR/summary\" >\"$RESULTS_DIR/written\"\n\
                  echo '{}' >\"$RESULTS_DIR/benchmark_report.json\"\n\
                  mv \"$RESULTS_DIR/written\" \"$RESULTS_DIR/GPU_ENERGY_SUMMARY.json\"\n\
                  printf '{\"run_id\":\"%s\",\"exit_code\":0}' \"$AIENERGYSCORE_RUN_ID\" \
                  >\"$RESULTS_DIR/RUN_COMPLETE.json\"\n";
    let entrypoint = sandbox.folder("entry");
    fs::write(&entrypoint, script).unwrap();
    fs::set_permissions(&entrypoint, fs::Permissions::from_mode(0o755)).unwrap();
    sandbox.set("AIENERGYSCORE_ENTRYPOINT", &entrypoint).set("LD_LIBRARY_PATH", &nvidia);
    let results = sandbox.cwd().join("results");
    let args = ["run", "--engine", "host", "--backend", "pytorch", "--gpus", "all", "--no-token"];
    let meter = ["--idle-seconds", "1", "--watts-per-cpu", "20"];
    let mut command = sandbox.command(args.iter().chain(&meter));
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    until("the benchmark", || results.join("started").exists());
    let from = now();
    let watch = Watch::for_reads(&nvidia);
    let until_read = |file: &str| {
        let mut reads = 0;
        until(file, || {
            reads += watch.names().iter().filter(|name| *name == file).count();
            reads >= 2
        });
    };
    until_read("0.energy");
    // 3.6 J are 0.001 Wh. This test itself stands for another process on the GPU.
    tell(&nvidia, "0.energy", "4600");
    tell(&nvidia, "0.compute", &std::process::id().to_string());
    until_read("0.energy");
    until_read("0.compute");
    let to = now();
    fs::write(results.join("summary"), summary(0.0008, from, to).to_string()).unwrap();
    let output = child.wait_with_output().unwrap();
    let told = said(&output);
    assert_eq!(output.status.code(), Some(0), "{told}");

    let metered = read(&results.join("host_meter.json"));
    let devices = metered["devices"].as_array().unwrap();
    let gpus: Vec<_> = devices.iter().filter(|device| device["kind"] == "gpu").collect();
    assert_eq!(gpus.len(), 2, "{metered}");
    let counted = |gpu: usize| gpus[gpu]["counted_wh"].as_f64().unwrap();
    assert!((counted(0) - 0.001).abs() < 1e-9 && counted(1) == 0.0, "{metered}");
    assert_eq!((&gpus[0]["id"], &gpus[0]["idle_watts"]), (&"GPU-0".into(), &0.0.into()));
    assert_eq!(gpus[0]["others"][0]["pid"], std::process::id());
    assert_eq!(metered["phases"][0]["name"], "prompts");
    assert!(metered["idle_seconds"].as_f64().unwrap() >= 1.0);
    assert!(told.contains("meter: the idle machine, for 1 s"), "{told}");

    let summary = read(&results.join("GPU_ENERGY_SUMMARY.json"));
    assert_eq!(summary["host"]["devices"][0]["counted_wh"], gpus[0]["counted_wh"]);
    assert_eq!(summary["host"]["devices"][0].get("power"), None, "that is in the other file");
    assert_eq!(summary["total"], 0.0008, "the backend's own number stays");
    let notes = summary["notes"].to_string();
    for part in [
        "the host metered 0.001000 Wh over the counted phases, and the backend 0.0008000 Wh, which \
         is 20 % less",
        "was used by processes besides the benchmark",
        "want a single GPU for models of class A and B",
    ] {
        assert!(notes.contains(part), "{notes}");
    }
    let line = told.lines().find(|line| line.starts_with("Host ")).expect(&told);
    assert!(line.contains("GPU 0.001000 Wh measured (0.001000 Wh above idle)"), "{line}");
    assert!(line.ends_with("(host_meter.json)"), "{line}");
}

#[test]
fn a_run_does_not_fail_for_its_meter() {
    let mut sandbox = Sandbox::new(None);
    let nvidia = sandbox.folder("nvidia");
    fs::create_dir(&nvidia).unwrap();
    fs::write(nvidia.join("libnvidia-ml.so.1"), "no library").unwrap();
    let entrypoint = sandbox.folder("entry");
    let script = format!(
        "#!/bin/sh\nRESULTS=$RESULTS_DIR RUN_ID=$AIENERGYSCORE_RUN_ID\nmkdir \
         \"$RESULTS/host_meter.json\"\n{}",
        crate::fake_runs::GOOD
    );
    fs::write(&entrypoint, script).unwrap();
    fs::set_permissions(&entrypoint, fs::Permissions::from_mode(0o755)).unwrap();
    sandbox.set("AIENERGYSCORE_ENTRYPOINT", &entrypoint).set("LD_LIBRARY_PATH", &nvidia);
    let args = ["run", "--engine", "host", "--gpus", "all"];
    let outcome = aienergyscore(&sandbox, args);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let summary = read(&sandbox.cwd().join("results/GPU_ENERGY_SUMMARY.json"));
    let notes = summary["notes"].to_string();
    assert!(notes.contains("power over time is lost"), "{notes}");
    let notes = summary["host"]["notes"].to_string();
    assert!(notes.contains("libnvidia-ml.so.1") && notes.contains("LD_LIBRARY_PATH"), "{notes}");
    let verified = aienergyscore(&sandbox, ["verify", "--engine", "host", "--gpus", "all"]);
    let line = verified.stdout.lines().find(|line| line.contains(" NVML: ")).expect("a finding");
    assert!(line.starts_with("note    meter "), "{line}");
}

/// The file of the container's control group that counts its processor time, and what makes
/// seconds of it.
fn counter(id: &str) -> (PathBuf, fn(&str) -> f64) {
    let account = Path::new("/sys/fs/cgroup/cpuacct");
    let (top, file) = if account.exists() {
        (account, "cpuacct.usage")
    } else {
        (Path::new("/sys/fs/cgroup"), "cpu.stat")
    };
    let mut folder = None;
    until("the container's control group", || {
        let entries = walkdir::WalkDir::new(top).into_iter().flatten();
        let mut named = entries.filter(|entry| entry.file_name().to_string_lossy().contains(id));
        folder = named.next().map(walkdir::DirEntry::into_path);
        folder.is_some()
    });
    let seconds: fn(&str) -> f64 = if account.exists() {
        |text| text.trim().parse::<f64>().unwrap() / 1e9
    } else {
        |text| {
            let used = text.lines().find_map(|line| line.strip_prefix("usage_usec ")).unwrap();
            used.parse::<f64>().unwrap() / 1e6
        }
    };
    (folder.unwrap().join(file), seconds)
}

#[test]
#[ignore = "needs Docker and `cargo xtask smoke` once before"]
fn an_estimate_stands_on_the_containers_own_processor_time() {
    let ada = Ada::with(&[smoke::GGUF]);
    let args = ["run", "--engine", "docker", "--flavour", "smoke", smoke::MODEL, "-n", "6"];
    let mut command = ada.command(&[&args[..], &["--watts-per-cpu", "36"]].concat());
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    until("the container", || !ada.containers().is_empty());
    let id = docker(&["inspect", "--format", "{{.Id}}", &ada.containers()[0]]);
    let (file, seconds) = counter(id.trim());
    let mut used = 0.0;
    // The group goes with the container.
    let has_ended = holds_within(Duration::from_secs(600), || {
        let text = fs::read_to_string(&file);
        used = text.as_deref().map_or(used, seconds);
        text.is_err()
    });
    assert!(has_ended, "the run goes on");
    let output = child.wait_with_output().unwrap();
    let told = said(&output);
    assert!(output.status.success(), "{told}");

    let path = ada.results().join("host_meter.json");
    assert_eq!(fs::metadata(&path).unwrap().uid(), ada.uid);
    let metered = read(&path);
    let devices = metered["devices"].as_array().unwrap();
    assert!(!devices.is_empty(), "{metered}");
    let energy = |device: &Value, key: &str| device[key].as_f64().unwrap();
    for device in devices {
        let (counted, whole) = (energy(device, "counted_wh"), energy(device, "energy_wh"));
        assert!(0.0 < counted && counted <= whole, "{metered}");
        let power = device["power"].as_array().unwrap();
        assert!((1..=600).contains(&power.len()), "{metered}");
        let (mut before, mut sum) = (0.0, 0.0);
        for pair in power {
            let (time, watts) = (pair[0].as_f64().unwrap(), pair[1].as_f64().unwrap());
            sum += watts * (time - before) / 3600.0;
            before = time;
        }
        assert!((sum - whole).abs() < 0.02 * whole + 1e-5, "{sum} Wh of power: {metered}");
    }
    let phase = &metered["phases"][0];
    assert_eq!(phase["name"], "prompts");
    assert!(energy(phase, "from") > 0.0 && energy(phase, "to") < energy(&metered, "seconds"));
    let Some(processors) = devices.iter().find(|device| device["name"] == "processors") else {
        assert!(devices.iter().any(|device| device["source"].to_string().contains("RAPL")));
        return;
    };
    assert_eq!(processors["status"], "estimated");
    // At 36 W a second is a hundredth of a watt-hour.
    let estimated = energy(processors, "energy_wh") * 100.0;
    assert!((estimated - used).abs() < 0.5 + 0.05 * used, "{estimated} s, by the group {used} s");
    let summary = read(&ada.results().join("GPU_ENERGY_SUMMARY.json"));
    assert_eq!(summary["host"]["devices"][0]["energy_wh"], processors["energy_wh"]);
    assert!(told.contains("Wh estimated over the counted phases; "), "{told}");
}
