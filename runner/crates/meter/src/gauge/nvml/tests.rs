//! Tests of NVML through its real interface, with a fake library.

use std::ffi::OsStr;

use host::gpus::Devices;

use super::{Counter, fake::FakeNvml, gauges, load};
use crate::gauge::Reading;

fn list(names: &[&str]) -> Devices {
    Devices::List(names.iter().map(|name| (*name).to_owned()).collect())
}

/// Metered GPUs and notes, one a line.
fn shown(fake: &FakeNvml, requested: &Devices) -> String {
    let nvml = load(&fake.library()).unwrap();
    let (gauges, notes) = gauges(&nvml, requested);
    let names = gauges.iter().map(|gauge| {
        let id = gauge.record.info.id.as_deref().unwrap_or("no id");
        format!("{}, {id}: {}", gauge.record.info.name, gauge.record.info.source)
    });
    names.chain(notes).collect::<Vec<_>>().join("\n")
}

#[test]
fn only_requested_gpus_are_metered_each_once() {
    let fake = FakeNvml::new(&["NVIDIA H100 80GB HBM3", "NVIDIA L4", "NVIDIA L40"]);
    let notes = [
        Devices::None,
        Devices::All,
        Devices::Count(2),
        list(&["2", "GPU-1111", "2", "7", "GPU-9"]),
        list(&["MIG-0", "MIG-0", "MIG-9"]),
    ]
    .map(|requested| shown(&fake, &requested));
    insta::assert_snapshot!(notes.join("\n---\n"), @r"
    ---
    NVIDIA H100 80GB HBM3, GPU-0000-uuid: NVML energy counter of the whole GPU
    NVIDIA L4, GPU-1111-uuid: NVML energy counter of the whole GPU
    NVIDIA L40, GPU-2222-uuid: NVML energy counter of the whole GPU
    ---
    NVIDIA H100 80GB HBM3, GPU-0000-uuid: NVML energy counter of the whole GPU
    NVIDIA L4, GPU-1111-uuid: NVML energy counter of the whole GPU
    ---
    NVIDIA L40, GPU-2222-uuid: NVML energy counter of the whole GPU
    NVIDIA L4, GPU-1111-uuid: NVML energy counter of the whole GPU
    NVML knows no GPU `7`: it is not metered
    NVML knows no GPU `GPU-9`: it is not metered
    ---
    NVIDIA H100 80GB HBM3, GPU-0000-uuid: NVML energy counter of the whole GPU
    `MIG-0` is a part of a GPU: the energy is that of the whole GPU
    NVML knows no GPU `MIG-9`: it is not metered
    ");
}

#[test]
fn gpu_without_a_counter_is_metered_by_its_power() {
    let fake = FakeNvml::new(&["NVIDIA L4", "Tesla P4", "Quadro", "NVIDIA A2"]);
    fake.remove("1.energy");
    fake.set("1.power", "75500");
    fake.remove("2.energy");
    fake.set("3.energy", "!999");
    fake.set("3.power", "5000");
    insta::assert_snapshot!(shown(&fake, &Devices::All), @r"
    NVIDIA L4, GPU-0000-uuid: NVML energy counter of the whole GPU
    Tesla P4, GPU-1111-uuid: NVML power samples of the whole GPU, integrated: this GPU has no energy counter
    NVIDIA A2, GPU-3333-uuid: NVML power samples of the whole GPU, integrated: its energy counter does not serve: an internal driver error occurred
    a GPU is not metered: Quadro has neither counter (the requested operation is not available on the target device) nor power (the requested operation is not available on the target device)
    ");
    let nvml = load(&fake.library()).unwrap();
    let (mut gauges, _) = gauges(&nvml, &Devices::List(vec!["1".into()]));
    assert_eq!(gauges[0].sensor.read(), Ok(Reading::Watts(75.5)));
    gauges[0].sample(10.0);
    fake.set("1.power", "24500");
    gauges[0].sample(12.0);
    assert_eq!(gauges[0].record.trace.total(), 100.0);
}

#[test]
fn counter_is_followed_over_a_reset() {
    let fake = FakeNvml::new(&["NVIDIA L4"]);
    fake.set("0.energy", "18446744073709551000");
    let nvml = load(&fake.library()).unwrap();
    let (mut gauges, _) = gauges(&nvml, &Devices::All);
    for (second, counter) in
        [(1.0, "18446744073709551500"), (2.0, "200"), (3.0, "!15"), (4.0, "1200")]
    {
        fake.set("0.energy", counter);
        gauges[0].sample(second);
    }
    assert_eq!(gauges[0].record.trace.total(), 1.7);
    insta::assert_snapshot!(gauges[0].notes().join("\n"), @r"
    NVIDIA L4 could not be read 1 time(s), first: device fell off the bus or has otherwise become inacessible
    NVIDIA L4: its energy counter began again 1 time(s), as after a reset of the GPU: what it used between two samples around that is missing
    ");
    let mut counter = Counter::at(u64::MAX);
    assert_eq!((counter.follow(5), counter.resets), (5, 1));
}

#[test]
fn compute_and_graphics_processes_are_listed_once() {
    let fake = FakeNvml::new(&["NVIDIA L4"]);
    let nvml = load(&fake.library()).unwrap();
    let (mut gpus, _) = gauges(&nvml, &Devices::All);
    let mut processes = || gpus[0].sensor.processes();
    assert_eq!(processes(), Ok(vec![]));
    fake.set("0.compute", "70 7");
    fake.set("0.graphics", "7 900");
    assert_eq!(processes(), Ok(vec![7, 70, 900]));
    fake.set("0.compute", "!4");
    assert!(processes().unwrap_err().contains("permission"));

    // A library without these functions still gives the energy.
    let fake = FakeNvml::with_flags(&["NVIDIA L4"], &["-DOLD_DRIVER"]);
    let nvml = load(&fake.library()).unwrap();
    let (mut gpus, _) = gauges(&nvml, &Devices::All);
    assert!(gpus[0].sensor.processes().unwrap_err().contains("failed to load"));
    assert_eq!(gpus[0].sensor.read(), Ok(Reading::Joules(0.0)));
}

#[test]
fn library_that_cannot_start_gives_the_reason_and_a_hint() {
    let missing = load(OsStr::new("libnvidia-ml-of-nobody.so.1")).unwrap_err();
    assert!(missing.contains("libnvidia-ml-of-nobody.so.1"), "{missing}");
    assert!(missing.ends_with("add the folder that has it to LD_LIBRARY_PATH"), "{missing}");
    let fake = FakeNvml::new(&[]);
    let notes = ["!9", "!18", "!4", "!999"].map(|code| {
        fake.set("init", code);
        load(&fake.library()).unwrap_err()
    });
    insta::assert_snapshot!(notes.join("\n"), @r"
    NVML, which tells the energy of NVIDIA's GPUs, does not serve: NVIDIA's kernel module is not loaded; `sudo modprobe nvidia` loads it, or `dmesg` says why not
    NVML, which tells the energy of NVIDIA's GPUs, does not serve: the library and the loaded kernel module are of different versions, as after an update; start the machine again
    NVML, which tells the energy of NVIDIA's GPUs, does not serve: `/dev/nvidiactl` is closed to you; ask for the group that `ls -l` names
    NVML, which tells the energy of NVIDIA's GPUs, does not serve: an internal driver error occurred
    ");
    fake.set("init", "");
    let nvml = load(&fake.library()).unwrap();
    assert!(gauges(&nvml, &Devices::All).0.is_empty());
}
