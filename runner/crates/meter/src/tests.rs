//! The whole meter with a real process and a fake NVML.

use std::{
    fs,
    os::unix::fs::symlink,
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    thread,
    time::Duration,
};

use contract::{
    host_meter::Phase,
    summary::{DeviceKind, Status},
};
use host::{gpus::Devices, process::processes::Processes};

use super::{Benchmark, CounterPaths, Meter, ModelLocation, Request, now};
use crate::gauge::nvml::fake::FakeNvml;

/// A request for the GPUs of `fake`. This machine's own counters are not read.
fn request(fake: &FakeNvml, root: &Path) -> Request {
    if !root.join("proc").exists() {
        symlink("/proc", root.join("proc")).unwrap();
    }
    Request {
        location: ModelLocation::InBenchmark,
        gpus: Devices::All,
        only_used: false,
        idle: None,
        watts_per_cpu: Some("10".parse().unwrap()),
        benchmark: Benchmark::Child(Arc::default()),
        no_gpus: None,
        counters: CounterPaths { library: fake.library(), root: root.to_owned() },
    }
}

/// Waits until `holds`, and fails after a minute.
fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..6000 {
        if holds() {
            return;
        }
        thread::sleep(Duration::from_millis(10));
    }
    panic!("timeout: {what}");
}

#[test]
fn run_is_metered_from_the_idle_machine_to_the_end() {
    let fake = FakeNvml::new(&["NVIDIA H100 80GB HBM3"]);
    fake.set("0.energy", "5000");
    let idle = Some(Duration::from_millis(300));
    let root = tempfile::tempdir().unwrap();
    let meter = Meter::start(Request { idle, ..request(&fake, root.path()) });
    let from = now();
    // Runs until its standard input is closed.
    let mut child = Command::new("sh")
        .args(["-c", "while :; do :; done & read line; kill $!"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    meter.watch(child.id());
    fake.set("0.compute", &format!("{} {}", child.id(), std::process::id()));
    let samples = |count: u64| {
        let end = fake.readings(0) + count;
        wait_for("samples", || fake.readings(0) >= end);
    };
    // The energy is used inside of the phase, so not before its first sample.
    samples(2);
    fake.set("0.energy", "8600");
    let processes = Processes::below(Path::new("/"));
    wait_for("CPU time of the benchmark", || {
        let tree = processes.tree(child.id()).unwrap_or_default();
        processes.cpu_seconds(&tree).is_some_and(|seconds| seconds > 0.3)
    });
    // Processes are listed every ten samples.
    samples(12);
    let to = now();
    drop(child.stdin.take());
    child.wait().unwrap();
    let phases = [Phase { name: "prompts".into(), from, to }];
    let metered = meter.finish().into_host_meter(&phases);
    assert_eq!(metered.phases.len(), 1, "{metered:?}");
    let [gpu, cpu] = &metered.devices[..] else { panic!("{metered:?}") };
    assert_eq!((gpu.kind, gpu.status), (DeviceKind::Gpu, Status::Measured));
    assert!((gpu.energy_wh - 0.001).abs() < 1e-12, "{gpu:?}");
    assert!((gpu.counted_wh.unwrap() - 0.001).abs() < 1e-12, "{gpu:?}");
    assert_eq!(gpu.idle_watts, Some(0.0));
    let others: Vec<_> = gpu.others.iter().map(|other| other.pid).collect();
    assert_eq!(others, [std::process::id()], "the child is the benchmark");
    assert_eq!((cpu.kind, cpu.status), (DeviceKind::Cpu, Status::Estimated));
    // The benchmark uses at most one CPU.
    let seconds = cpu.energy_wh * 3600.0 / 10.0;
    assert!((0.1..=to - from + 0.2).contains(&seconds), "{seconds} s: {cpu:?}");
    assert!(cpu.source.contains("x 10 W per CPU as stated"), "{}", cpu.source);
    assert!(metered.idle_seconds.unwrap() >= 0.3);
    assert!(metered.own_percent.is_some());
}

#[test]
fn dropped_meter_stops() {
    let fake = FakeNvml::new(&["NVIDIA L4"]);
    let root = tempfile::tempdir().unwrap();
    let meter = Meter::start(request(&fake, root.path()));
    let threads = || {
        let tasks = fs::read_dir("/proc/self/task").unwrap().flatten();
        let names = tasks.filter_map(|task| fs::read_to_string(task.path().join("comm")).ok());
        names.filter(|name| name == "meter\n").count()
    };
    drop(meter);
    // Meters of other tests end, too.
    wait_for("end of the thread", || threads() == 0);
}

#[test]
fn missing_counters_become_notes() {
    let root = tempfile::tempdir().unwrap();
    let fake = FakeNvml::new(&[]);
    fake.set("init", "!9");
    let request = Request { watts_per_cpu: None, ..request(&fake, root.path()) };
    let metered = Meter::start(request).finish().into_host_meter(&[]);
    assert!(metered.devices.is_empty());
    let notes = metered.notes.join("\n").replace(root.path().to_str().unwrap(), "");
    insta::assert_snapshot!(notes, @r"
    NVML, which tells the energy of NVIDIA's GPUs, does not serve: NVIDIA's kernel module is not loaded; `sudo modprobe nvidia` loads it, or `dmesg` says why not
    this machine has no RAPL counters (`/sys/class/powercap`): virtual machines mostly have none, others need the kernel module `intel_rapl_msr`, for AMD's processors, too
    processors are not metered; `--watts-per-cpu W` gives an estimate from their time
    ");
}
