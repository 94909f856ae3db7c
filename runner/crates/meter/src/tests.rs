//! The whole meter beside a real process, with a library that stands in for NVIDIA's.

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
use host::gpus::Devices;

use super::{Machine, Meter, Request, Served, Subject};
use crate::{clock, gauge::nvml::fake::FakeNvml};

/// GPUs that `fake` tells of, and no other counter, whatever this machine has.
fn request(fake: &FakeNvml, root: &Path) -> Request {
    if !root.join("proc").exists() {
        symlink("/proc", root.join("proc")).unwrap();
    }
    Request {
        served: Served::ByItself,
        gpus: Devices::All,
        only_used: false,
        idle: None,
        watts_per_cpu: Some("10".parse().unwrap()),
        subject: Subject::Child(Arc::default()),
        no_gpus: None,
        machine: Machine { library: fake.library(), root: root.to_owned() },
    }
}

/// Waits for what must come, and fails after a minute.
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..6000 {
        if holds() {
            return;
        }
        thread::sleep(Duration::from_millis(10));
    }
    panic!("waited in vain for {what}");
}

#[test]
fn a_run_is_metered_from_its_idle_machine_to_its_end() {
    let fake = FakeNvml::new(&["NVIDIA H100 80GB HBM3"]);
    fake.tell("0.energy", "5000");
    let idle = Some(Duration::from_millis(300));
    let root = tempfile::tempdir().unwrap();
    let meter = Meter::start(Request { idle, ..request(&fake, root.path()) });
    let from = clock::now();
    // Busy until its input ends.
    let mut child = Command::new("sh")
        .args(["-c", "while :; do :; done & read line; kill $!"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    meter.watch(child.id());
    fake.tell("0.compute", &format!("{} {}", child.id(), std::process::id()));
    // Not at the very begin of the phase, whose first sample comes before it.
    thread::sleep(Duration::from_millis(300));
    fake.tell("0.energy", "8600");
    thread::sleep(Duration::from_millis(2500));
    let to = clock::now();
    drop(child.stdin.take());
    child.wait().unwrap();
    let phases = [Phase { name: "prompts".into(), from, to }];
    let metered = meter.finish().over(&phases);
    assert_eq!(metered.phases.len(), 1, "{metered:?}");
    let [gpu, cpu] = &metered.devices[..] else { panic!("{metered:?}") };
    assert_eq!((gpu.kind, gpu.status), (DeviceKind::Gpu, Status::Measured));
    assert!((gpu.energy_wh - 0.001).abs() < 1e-12, "{gpu:?}");
    assert!((gpu.counted_wh.unwrap() - 0.001).abs() < 1e-12, "{gpu:?}");
    assert_eq!(gpu.idle_watts, Some(0.0));
    let others: Vec<_> = gpu.others.iter().map(|other| other.pid).collect();
    assert_eq!(others, [std::process::id()], "the child is the benchmark");
    assert_eq!((cpu.kind, cpu.status), (DeviceKind::Cpu, Status::Estimated));
    // One processor at most was busy, and a busy machine leaves a process some part of it.
    let seconds = cpu.energy_wh * 3600.0 / 10.0;
    assert!((0.1..=to - from + 0.2).contains(&seconds), "{seconds} s: {cpu:?}");
    assert!(cpu.source.contains("x 10 W per CPU as stated"), "{}", cpu.source);
    assert!(metered.idle_seconds.unwrap() >= 0.3);
    assert!(metered.own_percent.is_some());
}

#[test]
fn a_meter_that_is_dropped_stops_reading() {
    let fake = FakeNvml::new(&["NVIDIA L4"]);
    let root = tempfile::tempdir().unwrap();
    let meter = Meter::start(request(&fake, root.path()));
    let threads = || {
        let tasks = fs::read_dir("/proc/self/task").unwrap().flatten();
        let names = tasks.filter_map(|task| fs::read_to_string(task.path().join("comm")).ok());
        names.filter(|name| name == "meter\n").count()
    };
    drop(meter);
    // Other tests may have one of theirs.
    until("the thread's end", || threads() == 0);
}

#[test]
fn without_any_counter_the_run_is_told_why() {
    let root = tempfile::tempdir().unwrap();
    let fake = FakeNvml::new(&[]);
    fake.tell("init", "!9");
    let request = Request { watts_per_cpu: None, ..request(&fake, root.path()) };
    let metered = Meter::start(request).finish().over(&[]);
    assert!(metered.devices.is_empty());
    let notes = metered.notes.join("\n").replace(root.path().to_str().unwrap(), "");
    insta::assert_snapshot!(notes, @r"
    NVML, which tells the energy of NVIDIA's GPUs, does not serve: NVIDIA's kernel module is not loaded; `sudo modprobe nvidia` loads it, or `dmesg` says why not
    this machine has no RAPL counters (`/sys/class/powercap`): virtual machines mostly have none, others need the kernel module `intel_rapl_msr`, for AMD's processors, too
    processors are not metered; `--watts-per-cpu W` gives an estimate from their time
    ");
}
